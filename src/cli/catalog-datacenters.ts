import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'

export const catalogDatacentersCommand = defineApiCommand({
  summary: 'List the datacenters',
  usage: 'catalog datacenters [options]',
  about: `
Lists the datacenters that the agent knows, one on each line, the nearest first.

    $ tribune catalog datacenters
`,
  answers: 'servers',
  flags: listFormatFlags,
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const reply = await http.json<string[]>('/v1/catalog/datacenters')
    if (isRefused(reply)) return fail(`Error listing datacenters: ${reply.why}`)
    if (asJson) io.out(listJson(reply.value))
    else for (const name of reply.value) io.out(name)
    return 0
  },
})
