import { localRef } from '../../actors/local/protocol.ts'
import { serviceFromApi } from '../../src/config/definitions.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { oneOf, whole } from '../fields.ts'
import type { Operation } from '../history.ts'
import { defineWorkload } from '../kind.ts'
import type { Said } from '../rest/index.ts'
import type { Run } from '../run.ts'

const IDS = ['api-1', 'api-2', 'cache'] as const
const id = oneOf(...IDS)

export const register = defineWorkload({
  name: 'service.register',
  about: 'somebody registers a service with an agent',
  perMinute: 20,
  marks: [{ name: 'registration acknowledged', events: 10 }],
  fields: { id, port: whole(1_024, 65_535) },
  apply(run, { node: name, id, port }) {
    const node = run.up(name)
    const service = serviceFromApi({ ID: id, Name: id.split('-')[0], Port: port })
    if (!node || isRefused(service)) return
    const key = `service/${name}/${id}`
    const operation = run.history.begin(key, { client: 'operator', do: 'put', value: String(port), invokedMs: run.world.nowMs })
    node.edge.ask(localRef, 'registerService', { service, replaceExistingChecks: false, token: '' }, 15_000, (result) =>
      settle(run, key, operation, result),
    )
  },
})

export const deregister = defineWorkload({
  name: 'service.deregister',
  about: 'somebody deregisters a service',
  perMinute: 8,
  fields: { id },
  apply(run, { node: name, id }) {
    const node = run.up(name)
    if (!node) return
    const key = `service/${name}/${id}`
    const operation = run.history.begin(key, { client: 'operator', do: 'delete', value: null, invokedMs: run.world.nowMs })
    node.edge.ask(localRef, 'deregisterService', { serviceId: id, token: '' }, 15_000, (result) => settle(run, key, operation, result))
  },
})

/** Takes what an agent said of its services into the history, as a read of each. */
export function noteRegistrations(run: Run, node: string, { list, askedMs, answeredMs }: Said): void {
  for (const id of IDS) {
    const found = list.services.find(({ definition }) => definition.id === id)
    const outcome = found ? String(found.definition.port) : null
    const operation = run.history.begin(`service/${node}/${id}`, { client: 'checker', do: 'get', value: null, invokedMs: askedMs, outcome })
    operation.answeredMs = answeredMs
    run.reach('registrations read')
  }
}

/** A refusal may come from the catalog after this machine has kept the change: it says nothing. */
function settle(run: Run, key: string, operation: Operation, result: Result<null>): void {
  if (isRefused(result)) return run.reach(`registration ${result.refused}`)
  operation.answeredMs = run.world.nowMs
  operation.outcome = true
  run.reach('registration acknowledged')
  run.world.trace.add(run.world.nowMs, `${key} acknowledged`)
}
