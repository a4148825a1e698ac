import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { sayEnforced, waitFlag, waitParams } from './enforcement.ts'
import type { Intention } from './intentions.ts'

export const intentionDeleteCommand = defineApiCommand({
  summary: 'Delete an intention',
  usage: 'intention delete [options] SRC DST\n       (or by ID: intention delete [options] ID)',
  about: `
Deletes the intention for two services, or with an ID. It is no error if there is none for the two services.

    $ tribune intention delete web db

With -wait it says once every proxy of the destination goes by what holds then, or which does not in time.
`,
  answers: 'servers',
  namespaced: true,
  flags: waitFlag,
  async run({ flags, rest, io, http, fail, misused }) {
    const [first, second] = rest
    if (first === undefined || rest.length > 2) return misused('Error: Must specify one argument, an ID, or two: source and destination')
    const params = waitParams(flags.wait)
    // Whose proxies are waited for is not known any more afterwards.
    const before =
      second === undefined && flags.wait !== undefined ? await http.json<Intention>(`/v1/connect/intentions/${first}`) : undefined
    if (before && isRefused(before)) return fail(`Error: ${before.why}`)
    const reply =
      second === undefined
        ? await http.request('DELETE', `/v1/connect/intentions/${first}`, { params })
        : await http.request('DELETE', '/v1/connect/intentions/exact', { params: { source: first, destination: second, ...params } })
    if (isRefused(reply)) return fail(`Error: ${reply.why}`)
    io.out('Intention deleted.')
    if (flags.wait === undefined) return 0
    return sayEnforced({ io, http, fail }, second ?? before?.value.DestinationName ?? '', reply)
  },
})
