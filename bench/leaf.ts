import type { Benchmark } from './benchmark.ts'
import { startAgent } from './kit/agent.ts'
import { wrk } from './kit/load.ts'

const CLIENTS = 32
const LEAF = `
local number = 0
function request()
  number = number + 1
  return wrk.format("GET", "/v1/agent/connect/ca/leaf/service-" .. run .. "-" .. number)
end
`

export const leaf: Benchmark = {
  name: 'leaf',
  about: 'certificates for services that had none',
  needs: ['wrk'],
  async run(stage) {
    const agent = await startAgent(stage, {
      mode: 'server',
      config: { connect: { enabled: true, ca_config: { csr_max_per_second: 0, csr_max_concurrent: 0 } } },
    })
    const { perSecond, note } = await wrk(stage, { url: agent.url, served: agent, connections: CLIENTS, script: LEAF })
    return [
      { name: 'leaf certificates', ours: perSecond, unit: '/s', consul: 2_800, note: `${note}; a key, a request and a certificate each` },
    ]
  },
}
