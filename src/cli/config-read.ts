import { isRefused } from '../kernel/refusal.ts'
import { defineConfigEntryCommand } from './config-command.ts'
import { listJson } from './format-flag.ts'

export const configReadCommand = defineConfigEntryCommand({
  summary: 'Print a config entry',
  usage: 'config read [options] -kind KIND -name NAME',
  about: `
Prints one config entry as JSON.

    $ tribune config read -kind service-defaults -name web
`,
  async run({ kind, name, io, http, fail }) {
    const reply = await http.json<object>(`/v1/config/${kind}/${name}`)
    if (isRefused(reply)) return fail(`Error reading config entry ${kind}/${name}: ${reply.why}`)
    io.out(listJson(reply.value))
    return 0
  },
})
