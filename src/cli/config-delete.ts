import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'

export const configDeleteCommand = defineApiCommand({
  summary: 'Delete a config entry',
  usage: 'config delete [options] -kind KIND -name NAME',
  about: `
Deletes one config entry. It is no error if there is none.

    $ tribune config delete -kind service-defaults -name web
`,
  answers: 'servers',
  namespaced: true,
  flags: {
    kind: { kind: 'string', about: 'The kind of the entry. Must be given.' },
    name: { kind: 'string', about: 'The name of the entry. Must be given.' },
  },
  async run({ flags: { kind = '', name = '' }, io, http, fail }) {
    if (kind === '') return fail('Must specify the -kind parameter')
    if (name === '') return fail('Must specify the -name parameter')
    const reply = await http.request('DELETE', `/v1/config/${kind}/${name}`)
    if (isRefused(reply)) return fail(`Error deleting config entry ${kind}/${name}: ${reply.why}`)
    io.out(`Config entry deleted: ${kind}/${name}`)
    return 0
  },
})
