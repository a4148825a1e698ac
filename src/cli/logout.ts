import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'

export const logoutCommand = defineApiCommand({
  summary: 'Destroy the token that a login gave',
  usage: 'logout [options]',
  about: `
Destroys the token of the request, if it came from "login". Agents that do not have access control lists answer that ACL support is disabled.

    $ tribune logout -token-file=token
`,
  answers: 'servers',
  flags: {},
  async run({ rest, http, fail, misused }) {
    if (rest.length > 0) return misused('Should have no non-flag arguments.')
    const reply = await http.request('POST', '/v1/acl/logout')
    return isRefused(reply) ? fail(`Error destroying token: ${reply.why}`) : 0
  },
})
