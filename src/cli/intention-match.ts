import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'
import { type Intention, intentionText } from './intentions.ts'

export const intentionMatchCommand = defineApiCommand({
  summary: 'Show the intentions that concern a service',
  usage: 'intention match [options] SRC|DST',
  about: `
Prints the intentions that apply to a service, also those with wildcards, in the order in which they count: the first that fits a connection decides.

    $ tribune intention match db
    $ tribune intention match -source web
`,
  answers: 'servers',
  namespaced: true,
  flags: {
    destination: { kind: 'boolean', about: 'The service is the destination. This is the default.' },
    source: { kind: 'boolean', about: 'The service is the source.' },
    ...listFormatFlags,
  },
  async run({ flags, rest, io, http, fail, misused }) {
    const name = rest[0]
    if (name === undefined || rest.length !== 1) return misused('Error: requires exactly one argument: the name of a service')
    if (flags.source && flags.destination) return misused('Error: only one of -source or -destination may be specified')
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const params = { by: flags.source ? 'source' : 'destination', name }
    const reply = await http.json<Record<string, Intention[] | null>>('/v1/connect/intentions/match', params)
    if (isRefused(reply)) return fail(`Error matching the connection: ${reply.why}`)
    const intentions = Object.values(reply.value).flatMap((list) => list ?? [])
    if (asJson) io.out(listJson(intentions))
    else for (const intention of intentions) io.out(intentionText(intention))
    return 0
  },
})
