import type { Benchmark } from './benchmark.ts'
import { startAgent } from './kit/agent.ts'
import { wrk } from './kit/load.ts'

const CLIENTS = 32
/** Services that are registered, each again and again with another port. */
const SERVICES = 500
const body = (id: string) => `
local number = 0
function request()
  number = number + 1
  return wrk.format("PUT", "/v1/agent/service/register", nil,
    '{"ID":"' .. ${id} .. '","Name":"api","Port":' .. (8000 + math.floor(number / ${SERVICES}) % 50000) .. '}')
end
`

export const registration: Benchmark = {
  name: 'registration',
  about: 'registering services with the agent',
  needs: ['wrk'],
  async run(stage) {
    const again = await wrk(stage, {
      url: (await startAgent(stage, { mode: 'server' })).url,
      connections: CLIENTS,
      script: body(`"api-" .. number % ${SERVICES}`),
    })
    const anew = await wrk(stage, {
      url: (await startAgent(stage, { mode: 'server' })).url,
      connections: CLIENTS,
      script: body('"api-" .. run .. "-" .. number'),
    })
    return [
      { name: `agent registrations, ${SERVICES} services in turn`, ours: again.perSecond, unit: '/s', consul: 5_000, note: again.note },
      { name: '  a new service each', ours: anew.perSecond, unit: '/s', consul: 5_000, note: anew.note },
    ]
  },
}
