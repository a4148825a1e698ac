import { apisOf } from '../apis.ts'
import type { SimReply } from '../clients.ts'
import { oneOf, whole } from '../fields.ts'
import type { Operation } from '../history.ts'
import { defineWorkload } from '../kind.ts'
import type { Said } from '../rest/index.ts'
import type { Run } from '../run.ts'

const IDS = ['api-1', 'api-2', 'cache'] as const
const id = oneOf(...IDS)
const TTL_SECONDS_MAX = 20

export const register = defineWorkload({
  name: 'service.register',
  about: 'somebody registers a service with an agent, perhaps with a check that must be told of',
  perMinute: 20,
  marks: [{ name: 'registration acknowledged', events: 10 }],
  fields: { id, port: whole(1_024, 65_535), ttlSeconds: whole(0, TTL_SECONDS_MAX) },
  apply(run, { node, id, port, ttlSeconds }) {
    const key = keyOf(node, id)
    if (!run.up(node)) return
    const operation = run.history.begin(key, { client: 'operator', do: 'put', value: String(port), invokedMs: run.world.nowMs })
    const check = { CheckID: checkOf(id), TTL: `${ttlSeconds}s` }
    const body = { ID: id, Name: id.split('-')[0], Port: port, ...(ttlSeconds > 0 && { Check: check }) }
    apisOf(run).request(node, 'PUT', '/v1/agent/service/register', { body }, (reply) => settle(run, key, operation, reply))
  },
})

export const deregister = defineWorkload({
  name: 'service.deregister',
  about: 'somebody deregisters a service',
  perMinute: 8,
  fields: { id },
  apply(run, { node, id }) {
    const key = keyOf(node, id)
    if (!run.up(node)) return
    const operation = run.history.begin(key, { client: 'operator', do: 'delete', value: null, invokedMs: run.world.nowMs })
    apisOf(run).request(node, 'PUT', `/v1/agent/service/deregister/${id}`, {}, (reply) => settle(run, key, operation, reply))
  },
})

export const tellCheck = defineWorkload({
  name: 'check.tell',
  about: 'a service tells how it is',
  perMinute: 20,
  marks: [{ name: 'check told', events: 30, chance: 0.6 }],
  fields: { id, how: oneOf('pass', 'pass', 'warn', 'fail') },
  apply(run, { node, id, how }) {
    if (!run.up(node)) return
    apisOf(run).request(node, 'PUT', `/v1/agent/check/${how}/${checkOf(id)}`, { query: { note: `${how} ${run.world.nowMs}` } }, (reply) => {
      if (reply !== 'lost' && reply.status === 200) run.reach('check told')
    })
  },
})

export const maintenance = defineWorkload({
  name: 'service.maintenance',
  about: 'somebody puts a service into maintenance, or ends that',
  perMinute: 6,
  marks: [{ name: 'maintenance changed', events: 20, chance: 0.6 }],
  fields: { id, enable: oneOf('true', 'false') },
  apply(run, { node, id, enable }) {
    if (!run.up(node)) return
    apisOf(run).request(node, 'PUT', `/v1/agent/service/maintenance/${id}`, { query: { enable, reason: 'work' } }, (reply) => {
      if (reply !== 'lost' && reply.status === 200) run.reach('maintenance changed')
    })
  },
})

/** Takes what an agent said of its services into the history, as a read of each. */
export function noteRegistrations(run: Run, node: string, { list, askedMs, answeredMs }: Said): void {
  for (const id of IDS) {
    const found = list.services.find(({ definition }) => definition.id === id)
    const outcome = found ? String(found.definition.port) : null
    const operation = run.history.begin(keyOf(node, id), { client: 'checker', do: 'get', value: null, invokedMs: askedMs, outcome })
    operation.answeredMs = answeredMs
    run.reach('registrations read')
  }
}

function keyOf(node: string, id: string): string {
  return `service/${node}/${id}`
}

function checkOf(id: string): string {
  return `told:${id}`
}

/** A refusal may come from the catalog after this machine has kept the change: it says nothing. */
function settle(run: Run, key: string, operation: Operation, reply: SimReply | 'lost'): void {
  if (reply === 'lost' || reply.status !== 200) return run.reach(`registration ${reply === 'lost' ? reply : reply.status}`)
  operation.answeredMs = run.world.nowMs
  operation.outcome = true
  run.reach('registration acknowledged')
  run.world.trace.add(run.world.nowMs, `${key} acknowledged`)
}
