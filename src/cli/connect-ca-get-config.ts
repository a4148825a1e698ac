import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'

export const connectCaGetConfigCommand = defineApiCommand({
  summary: 'Show the configuration of the certificate authority',
  usage: 'connect ca get-config [options]',
  about: `
Prints the configuration of the mesh's certificate authority as JSON. With another provider or other settings in it, it is what "connect ca set-config" reads.

    $ tribune connect ca get-config
`,
  answers: 'servers',
  flags: {},
  async run({ rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const reply = await http.json<unknown>('/v1/connect/ca/configuration')
    if (isRefused(reply)) return fail(`Error querying CA configuration: ${reply.why}`)
    io.out(JSON.stringify(reply.value, undefined, '\t'))
    return 0
  },
})
