import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { byteOrder } from './columns.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'

export const infoCommand = defineApiCommand({
  summary: 'Show figures for people who look after the agent',
  usage: 'info [options]',
  about: `
Prints what the agent says of itself: its build, its part in the cluster, its log and its runtime.

    $ tribune info
`,
  answers: 'agent',
  flags: listFormatFlags,
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const reply = await http.json<{ Stats?: Record<string, Record<string, string>> }>('/v1/agent/self')
    if (isRefused(reply)) return fail(`Error querying agent: ${reply.why}`)
    const stats = reply.value.Stats ?? {}
    if (asJson) {
      io.out(listJson(stats))
      return 0
    }
    for (const section of Object.keys(stats).sort(byteOrder)) {
      io.out(`${section}:`)
      const figures = stats[section] ?? {}
      for (const name of Object.keys(figures).sort(byteOrder)) io.out(`\t${name} = ${figures[name]}`)
    }
    return 0
  },
})
