import type { Benchmark } from './benchmark.ts'
import { startAgent } from './kit/agent.ts'
import { wrk } from './kit/load.ts'

const CLIENTS = 16
const OPERATIONS = 64
/** Base64 of 99 bytes. */
const VALUE = 'eHh4'.repeat(33)
/** Transactions before their keys come again. */
const TRANSACTIONS = 200

const body = (verb: string) => `
local number = 0
function request()
  number = (number + 1) % ${TRANSACTIONS}
  local operations = {}
  for at = 1, ${OPERATIONS} do
    operations[at] = '{"KV":{"Verb":"${verb}","Key":"bench/' .. number .. '/' .. at .. '","Flags":' .. math.random(1000000) .. ',"Value":"${VALUE}"}}'
  end
  return wrk.format("PUT", "/v1/txn", nil, '[' .. table.concat(operations, ',') .. ']')
end
`

export const txn: Benchmark = {
  name: 'txn',
  about: `transactions of ${OPERATIONS} operations`,
  needs: ['wrk'],
  async run(stage) {
    const agent = await startAgent(stage, { mode: 'server' })
    const set = await wrk(stage, { url: agent.url, served: agent, connections: CLIENTS, script: body('set') })
    const get = await wrk(stage, { url: agent.url, served: agent, connections: CLIENTS, script: body('get') })
    return [
      { name: `transactions that set ${OPERATIONS} keys, durable`, ours: set.perSecond, unit: '/s', note: set.note },
      { name: `transactions that get ${OPERATIONS} keys`, ours: get.perSecond, unit: '/s', note: get.note },
    ]
  },
}
