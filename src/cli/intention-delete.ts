import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'

export const intentionDeleteCommand = defineApiCommand({
  summary: 'Delete an intention',
  usage: 'intention delete [options] SRC DST\n       (or by ID: intention delete [options] ID)',
  about: `
Deletes the intention for two services, or with an ID. It is no error if there is none for the two services.

    $ tribune intention delete web db
`,
  answers: 'servers',
  namespaced: true,
  flags: {},
  async run({ rest, io, http, fail, misused }) {
    const [first, second] = rest
    if (first === undefined || rest.length > 2) return misused('Error: Must specify one argument, an ID, or two: source and destination')
    const reply =
      second === undefined
        ? await http.request('DELETE', `/v1/connect/intentions/${first}`)
        : await http.request('DELETE', '/v1/connect/intentions/exact', { params: { source: first, destination: second } })
    if (isRefused(reply)) return fail(`Error: ${reply.why}`)
    io.out('Intention deleted.')
    return 0
  },
})
