import { isRefused } from '../kernel/refusal.ts'
import { defineConfigEntryCommand } from './config-command.ts'

export const configDeleteCommand = defineConfigEntryCommand({
  summary: 'Delete a config entry',
  usage: 'config delete [options] -kind KIND -name NAME',
  about: `
Deletes one config entry. It is no error if there is none.

    $ tribune config delete -kind service-defaults -name web
`,
  async run({ kind, name, io, http, fail }) {
    const reply = await http.request('DELETE', `/v1/config/${kind}/${name}`)
    if (isRefused(reply)) return fail(`Error deleting config entry ${kind}/${name}: ${reply.why}`)
    io.out(`Config entry deleted: ${kind}/${name}`)
    return 0
  },
})
