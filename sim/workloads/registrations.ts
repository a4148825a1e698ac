import { localRef } from '../../actors/local/protocol.ts'
import { serviceFromApi } from '../../src/config/definitions.ts'
import type { Random } from '../../src/kernel/ports.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import type { Operation } from '../history.ts'
import type { Kind } from '../plan.ts'
import type { Run } from '../run.ts'
import { pick } from '../streams.ts'

const IDS = ['api-1', 'api-2', 'cache']

function draw(random: Random) {
  return { id: pick(random, IDS), port: random.int(1_024, 65_535) }
}

export const register: Kind<Run> = {
  name: 'service.register',
  perMinute: 20,
  draw,
  apply(run, event) {
    const { id, port } = event as unknown as ReturnType<typeof draw>
    const node = run.up(event.node)
    const service = serviceFromApi({ ID: id, Name: id.split('-')[0], Port: port })
    if (!node || isRefused(service)) return
    const key = `service/${event.node}/${id}`
    const operation = run.history.begin(key, { client: 'operator', do: 'put', value: String(port), invokedMs: run.world.nowMs })
    node.edge.ask(localRef, 'registerService', { service, replaceExistingChecks: false, token: '' }, 15_000, (result) =>
      settle(run, key, operation, result),
    )
  },
}

export const deregister: Kind<Run> = {
  name: 'service.deregister',
  perMinute: 8,
  draw,
  apply(run, event) {
    const { id } = event as unknown as ReturnType<typeof draw>
    const node = run.up(event.node)
    if (!node) return
    const key = `service/${event.node}/${id}`
    const operation = run.history.begin(key, { client: 'operator', do: 'delete', value: null, invokedMs: run.world.nowMs })
    node.edge.ask(localRef, 'deregisterService', { serviceId: id, token: '' }, 15_000, (result) => settle(run, key, operation, result))
  },
}

/** Asks every agent what it has; `then` is called once all have answered. */
export function readRegistrations(run: Run): void {
  for (const name of run.plan.nodes) {
    const node = run.up(name)
    if (!node) continue
    const invokedMs = run.world.nowMs
    node.edge.ask(localRef, 'list', null, 15_000, (list) => {
      if (isRefused(list)) return
      for (const id of IDS) {
        const found = list.services.find(({ definition }) => definition.id === id)
        const outcome = found ? String(found.definition.port) : null
        const operation = run.history.begin(`service/${name}/${id}`, { client: 'checker', do: 'get', value: null, invokedMs, outcome })
        operation.answeredMs = run.world.nowMs
        run.reach('registrations read')
      }
    })
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
