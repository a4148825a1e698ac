import type { Benchmark } from './benchmark.ts'
import { startAgent } from './kit/agent.ts'
import { done } from './kit/http.ts'
import { wrk } from './kit/load.ts'
import { pause } from './kit/wait.ts'

const CLIENTS = 32
const INSTANCES = 20
const MANY_INSTANCES = 1_000
const CHANGE_EVERY_MS = 5
/** Each request has a parameter of its own that means nothing, so no answer serves twice. */
const EACH_DIFFERENT = `
local number = 0
function request()
  number = number + 1
  return wrk.format("GET", "/v1/health/service/api?passing&bench=" .. run .. "-" .. number)
end
`

export const health: Benchmark = {
  name: 'health',
  about: `who is healthy among ${INSTANCES} instances, and among ${MANY_INSTANCES}`,
  needs: ['wrk'],
  async run(stage) {
    const agent = await startAgent(stage, { mode: 'server' })
    const register = (instance: number, port: number) => done('PUT', `${agent.url}/v1/catalog/register`, registration(instance, port))
    for (let instance = 0; instance < INSTANCES; instance++) await register(instance, 8_000)
    const url = `${agent.url}/v1/health/service/api?passing`
    const found = JSON.parse((await done('GET', url)).text) as unknown[]
    if (found.length !== INSTANCES) throw new Error(`${found.length} of ${INSTANCES} instances are healthy`)

    const still = await wrk(stage, { url, served: agent, connections: CLIENTS })
    const anew = await wrk(stage, { url: agent.url, served: agent, connections: CLIENTS, script: EACH_DIFFERENT })
    let changes = 0
    let changing = true
    const startMs = performance.now()
    const changer = (async () => {
      for (; changing; await pause(CHANGE_EVERY_MS)) await register(changes % INSTANCES, 8_000 + (++changes % 1_000))
    })()
    const changed = await wrk(stage, { url, served: agent, connections: CLIENTS })
    changing = false
    await changer
    const changesPerSecond = Math.round(changes / ((performance.now() - startMs) / 1_000))
    for (let instance = INSTANCES; instance < MANY_INSTANCES; instance++) await register(instance, 8_000)
    const many = await wrk(stage, { url, served: agent, connections: CLIENTS })
    return [
      { name: `health query of ${INSTANCES} instances`, ours: still.perSecond, unit: '/s', consul: 5_700, note: still.note },
      { name: '  each computed anew', ours: anew.perSecond, unit: '/s', consul: 5_700, note: anew.note },
      { name: `  while ${changesPerSecond} instances/s change`, ours: changed.perSecond, unit: '/s', consul: 5_700, note: changed.note },
      { name: `health query of ${MANY_INSTANCES} instances`, ours: many.perSecond, unit: '/s', note: many.note },
    ]
  },
}

function registration(instance: number, port: number): object {
  const node = `node-${instance}`
  return {
    Node: node,
    Address: `10.0.0.${instance + 1}`,
    Service: { ID: `api-${instance}`, Service: 'api', Tags: ['v1', 'primary'], Port: port, Meta: { version: '1.2.3' } },
    Checks: [{ Node: node, CheckID: `service:api-${instance}`, Name: 'api alive', Status: 'passing', ServiceID: `api-${instance}` }],
  }
}
