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
    const measure = async (id: string) => {
      const agent = await startAgent(stage, { mode: 'server' })
      const load = await wrk(stage, { url: agent.url, served: agent, connections: CLIENTS, script: body(id) })
      await agent.stop()
      return load
    }
    const again = await measure(`"api-" .. number % ${SERVICES}`)
    const anew = await measure('"api-" .. run .. "-" .. number')
    return [
      { name: `agent registrations, ${SERVICES} services in turn`, ours: again.perSecond, unit: '/s', consul: 5_000, note: again.note },
      { name: '  a new service each', ours: anew.perSecond, unit: '/s', consul: 5_000, note: anew.note },
    ]
  },
}
