import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'

export const leaveCommand = defineApiCommand({
  summary: 'Make the agent leave the cluster and stop',
  usage: 'leave [options]',
  about: `
Makes the agent leave the cluster in good order and then stop. The others then know that it did not fail.

    $ tribune leave
`,
  answers: 'agent',
  flags: {},
  async run({ rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Error found unexpected args: [${rest.join(' ')}]`)
    const reply = await http.request('PUT', '/v1/agent/leave')
    if (isRefused(reply)) return fail(`Error leaving: ${reply.why}`)
    io.out('Graceful leave complete')
    return 0
  },
})
