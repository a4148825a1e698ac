import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'

export const forceLeaveCommand = defineApiCommand({
  summary: 'Count a member that failed as one that left',
  usage: 'force-leave [options] NAME',
  about: `
Makes a member that failed one that left, so that nobody tries to reach it any more. One that is alive comes back at once.

    $ tribune force-leave n3
`,
  answers: 'agent',
  flags: { prune: { kind: 'boolean', about: 'Forget the member altogether.' } },
  async run({ flags, rest, http, fail, misused }) {
    const [name] = rest
    if (name === undefined || rest.length > 1) return misused('A single node name must be specified to force leave.')
    const reply = await http.request('PUT', `/v1/agent/force-leave/${name}`, { params: { prune: flags.prune ? '1' : undefined } })
    if (isRefused(reply)) return fail(`Error force leaving: ${reply.why}`)
    return 0
  },
})
