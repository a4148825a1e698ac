import type { Benchmark } from './benchmark.ts'
import { startAgent } from './kit/agent.ts'
import { done } from './kit/http.ts'
import { dnsperf } from './kit/load.ts'

const INSTANCES = 3
const MANY_INSTANCES = 1_000

export const dns: Benchmark = {
  name: 'dns',
  about: `the addresses of a service with ${INSTANCES} instances, and with ${MANY_INSTANCES}`,
  needs: ['dnsperf'],
  async run(stage) {
    const agent = await startAgent(stage, { mode: 'server' })
    for (let instance = 1; instance <= INSTANCES; instance++) await register(agent.url, 'api', instance)
    const few = await dnsperf(stage, agent, agent.dnsPort, 'api.service.consul A')
    for (let instance = 1; instance <= MANY_INSTANCES; instance++) await register(agent.url, 'many', instance)
    const many = await dnsperf(stage, agent, agent.dnsPort, 'many.service.consul A')
    return [
      { name: `DNS A of ${INSTANCES} instances`, ours: few.perSecond, unit: '/s', consul: 26_000, note: few.note },
      { name: `DNS A of ${MANY_INSTANCES} instances`, ours: many.perSecond, unit: '/s', note: `over UDP, so three of them; ${many.note}` },
    ]
  },
}

async function register(url: string, service: string, instance: number): Promise<void> {
  await done('PUT', `${url}/v1/catalog/register`, {
    Node: `node-${instance}`,
    Address: `10.0.${instance >> 8}.${instance & 255}`,
    Service: { ID: `${service}-${instance}`, Service: service, Port: 8_080 },
  })
}
