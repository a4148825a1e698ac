import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'

export const intentionCheckCommand = defineApiCommand({
  summary: 'Say whether one service may connect to another',
  usage: 'intention check [options] SRC DST',
  about: `
Says whether the source may connect to the destination by the intentions there are. The exit code is 0 for "Allowed" and 1 for "Denied".

    $ tribune intention check web db
`,
  answers: 'servers',
  namespaced: true,
  flags: {},
  async run({ rest, io, http, fail, misused }) {
    const [source, destination] = rest
    if (source === undefined || destination === undefined || rest.length !== 2) {
      return misused('Error: Must specify two arguments: source and destination')
    }
    const params = { source, destination, 'source-type': 'consul' }
    const reply = await http.json<{ Allowed: boolean }>('/v1/connect/intentions/check', params)
    if (isRefused(reply)) return fail(`Error checking the connection: ${reply.why}`)
    io.out(reply.value.Allowed ? 'Allowed' : 'Denied')
    return reply.value.Allowed ? 0 : 1
  },
})
