import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'

export const reloadCommand = defineApiCommand({
  summary: 'Make the agent read its configuration again',
  usage: 'reload [options]',
  about: `
Makes the agent read its configuration files again, as the signal HUP does. If they have a mistake, it is printed and the agent goes on as before.

    $ tribune reload
`,
  answers: 'agent',
  flags: {},
  async run({ rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const reply = await http.request('PUT', '/v1/agent/reload')
    if (isRefused(reply)) return fail(`Error reloading: ${reply.why}`)
    io.out('Configuration reload triggered')
    return 0
  },
})
