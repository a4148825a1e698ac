import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { columns } from './columns.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'

/** Answer of /v1/tribune/intentions/explain. */
type Explanation = {
  Allowed: boolean
  Reason: string
  Candidates: {
    SourceName: string
    DestinationName: string
    Precedence: number
    Intention: { Action?: string; Permissions?: readonly unknown[] } | null
    Decides: boolean
    Why: string
  }[]
  Default: { Action: string; Decides: boolean }
  OtherSources: string[]
  OtherSourcesCount: number
}

export const intentionCheckCommand = defineApiCommand({
  summary: 'Say whether one service may connect to another',
  usage: 'intention check [options] SRC DST',
  about: `
Says whether the source may connect to the destination by the intentions there are. The exit code is 0 for "Allowed" and 1 for "Denied".

    $ tribune intention check web db

With -explain it also says which intention decides, of which there are, and why each other does not.

    $ tribune intention check -explain web db
`,
  answers: 'servers',
  namespaced: true,
  flags: {
    explain: { kind: 'boolean', about: 'Say how the decision comes about.' },
    format: { ...listFormatFlags.format, about: 'How to print the explanation: "table", which is the default, or "json". Needs -explain.' },
  },
  async run({ flags, rest, io, http, fail, misused }) {
    const [source, destination] = rest
    if (source === undefined || destination === undefined || rest.length !== 2) {
      return misused('Error: Must specify two arguments: source and destination')
    }
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    if (flags.explain) {
      const reply = await http.json<Explanation>('/v1/tribune/intentions/explain', { source, destination })
      if (isRefused(reply)) return fail(`Error explaining the connection: ${reply.why}`)
      io.out(asJson ? listJson(reply.value) : explained(reply.value))
      return reply.value.Allowed ? 0 : 1
    }
    if (flags.format !== undefined) return misused('Error: -format needs -explain')
    const params = { source, destination, 'source-type': 'consul' }
    const reply = await http.json<{ Allowed: boolean }>('/v1/connect/intentions/check', params)
    if (isRefused(reply)) return fail(`Error checking the connection: ${reply.why}`)
    io.out(reply.value.Allowed ? 'Allowed' : 'Denied')
    return reply.value.Allowed ? 0 : 1
  },
})

function explained({ Allowed, Reason, Candidates, Default, OtherSources, OtherSourcesCount }: Explanation): string {
  const rows = Candidates.map(({ SourceName, DestinationName, Precedence, Intention, Decides, Why }) => [
    Decides ? '>' : '',
    String(Precedence),
    SourceName,
    DestinationName,
    saysOf(Intention),
    Why,
  ])
  const why = Default.Decides ? 'decides: no intention matches' : 'an intention matches'
  return [
    Allowed ? 'Allowed' : 'Denied',
    Reason,
    '',
    columns([
      ['', 'Precedence', 'Source', 'Destination', 'Says', 'Why'],
      ...rows,
      [Default.Decides ? '>' : '', 'default', '', '', Default.Action, why],
    ]),
    ...(OtherSourcesCount === 0 ? [] : ['', `About other sources: ${listed(OtherSources, OtherSourcesCount)}`]),
  ].join('\n')
}

function saysOf(intention: Explanation['Candidates'][number]['Intention']): string {
  if (!intention) return '-'
  const permissions = intention.Permissions?.length ?? 0
  return permissions > 0 ? `${permissions} permissions` : (intention.Action ?? '')
}

function listed(names: readonly string[], count: number): string {
  return names.join(', ') + (count > names.length ? ` and ${count - names.length} more` : '')
}
