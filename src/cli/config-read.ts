import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { listJson } from './format-flag.ts'

export const configReadCommand = defineApiCommand({
  summary: 'Print a config entry',
  usage: 'config read [options] -kind KIND -name NAME',
  about: `
Prints one config entry as JSON.

    $ tribune config read -kind service-defaults -name web
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
    const reply = await http.json<object>(`/v1/config/${kind}/${name}`)
    if (isRefused(reply)) return fail(`Error reading config entry ${kind}/${name}: ${reply.why}`)
    io.out(listJson(reply.value))
    return 0
  },
})
