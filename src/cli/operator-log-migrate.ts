import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'

export const operatorLogMigrateCommand = defineApiCommand({
  summary: 'Prepare a server that is alone for sharing its state with others',
  usage: 'operator log migrate [options]',
  about: `
Makes the state of a server that runs alone the one that a cluster of several servers begins with. Nothing changes until the server is
started again as one of several; it goes on taking writes, and none is lost.

    $ tribune operator log migrate
`,
  answers: 'servers',
  flags: {},
  async run({ rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const reply = await http.request('PUT', '/v1/tribune/servers/migrate', {})
    if (isRefused(reply)) return fail(`Error preparing the server: ${reply.why}`)
    io.out('Prepared! Start this server again with -bootstrap-expect=3 instead of -bootstrap, and then the others with -retry-join.')
    return 0
  },
})
