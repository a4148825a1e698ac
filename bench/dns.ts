import type { Benchmark } from './benchmark.ts'
import { startAgent } from './kit/agent.ts'
import { done } from './kit/http.ts'
import { dnsperf } from './kit/load.ts'

const INSTANCES = 3

export const dns: Benchmark = {
  name: 'dns',
  about: `the addresses of a service with ${INSTANCES} instances`,
  needs: ['dnsperf'],
  async run(stage) {
    const agent = await startAgent(stage, { mode: 'server' })
    for (let instance = 1; instance <= INSTANCES; instance++) {
      await done('PUT', `${agent.url}/v1/catalog/register`, {
        Node: `node-${instance}`,
        Address: `10.0.0.${instance}`,
        Service: { ID: `api-${instance}`, Service: 'api', Port: 8_080 },
      })
    }
    const { perSecond, note } = await dnsperf(stage, agent, agent.dnsPort, 'api.service.consul A')
    return [{ name: `DNS A of ${INSTANCES} instances`, ours: perSecond, unit: '/s', consul: 26_000, note }]
  },
}
