import type { Benchmark } from './benchmark.ts'
import { startAgent } from './kit/agent.ts'
import { done } from './kit/http.ts'
import { wrk } from './kit/load.ts'

const CLIENTS = 32
const VALUE_BYTES = 100
/** Keys that are written, each again and again. */
const KEYS = 10_000

const PUT = `
local number = 0
local value = string.rep("x", ${VALUE_BYTES})
function request()
  number = (number + 1) % ${KEYS}
  return wrk.format("PUT", "/v1/kv/bench/" .. number, nil, value)
end
`

export const kv: Benchmark = {
  name: 'kv',
  about: 'reading and durably writing keys',
  needs: ['wrk'],
  async run(stage) {
    const agent = await startAgent(stage, { mode: 'server' })
    await done('PUT', `${agent.url}/v1/kv/one`, 'x'.repeat(VALUE_BYTES))
    const get = await wrk(stage, { url: `${agent.url}/v1/kv/one`, served: agent, connections: CLIENTS })
    const put = await wrk(stage, { url: agent.url, served: agent, connections: CLIENTS, script: PUT })
    return [
      { name: 'KV GET', ours: get.perSecond, unit: '/s', consul: 43_000, note: get.note },
      { name: `KV PUT of ${VALUE_BYTES} bytes, durable`, ours: put.perSecond, unit: '/s', consul: 13_000, note: put.note },
    ]
  },
}
