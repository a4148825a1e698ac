import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { columns } from './columns.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'
import { destinationOf, type Intention, sourceOf } from './intentions.ts'

export const intentionListCommand = defineApiCommand({
  summary: 'List all intentions',
  usage: 'intention list [options]',
  about: `
Lists all intentions, the most precise ones first. For a connection the first that fits decides.

    $ tribune intention list
`,
  answers: 'servers',
  namespaced: true,
  flags: listFormatFlags,
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const reply = await http.json<Intention[] | null>('/v1/connect/intentions')
    if (isRefused(reply)) return fail(`Failed to retrieve the intentions list: ${reply.why}`)
    const intentions = reply.value ?? []
    if (asJson) io.out(listJson(intentions))
    else if (intentions.length > 0) io.out(columns([['ID', 'Source', 'Action', 'Destination', 'Precedence'], ...intentions.map(rowOf)]))
    return 0
  },
})

function rowOf(intention: Intention): string[] {
  return [intention.ID ?? '', sourceOf(intention), intention.Action ?? '', destinationOf(intention), String(intention.Precedence ?? '')]
}
