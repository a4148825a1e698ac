import { type Refusal, refuse } from '../../src/kernel/refusal.ts'
import type { CheckDefinition } from '../definitions.ts'
import { announceNode } from './announce.ts'
import { sidecarId } from './expand.ts'
import { forgetCheck, forgetService, forgetStatus, keepService } from './keep.ts'
import { takeFiles, takeSettings } from './load.ts'
import { putCheck, putService, removeCheck, removeService } from './registrations.ts'
import type { LocalState, LocalTurn, Step } from './state.ts'
import { setStatus, startTtl } from './statuses.ts'

/** Takes a step that was kept on this machine, unless what it belongs to went meanwhile. `of`: the operation that announces it. */
export function take(state: LocalState, turn: LocalTurn, step: Step, of: number): Refusal | undefined {
  if (step.do === 'put-check' && isOrphan(state, step.definition)) {
    forgetCheck(turn, step.definition.id)
    return refuse('conflict', `ServiceID ${JSON.stringify(step.definition.serviceId)} does not exist`)
  }
  carryOut(state, turn, step, of)
  return undefined
}

function isOrphan({ services }: LocalState, { serviceId }: CheckDefinition): boolean {
  return serviceId !== '' && !services.has(serviceId)
}

function carryOut(state: LocalState, turn: LocalTurn, step: Step, of: number): void {
  switch (step.do) {
    case 'put-service':
      return putService(state, turn, { ...step, origin: 'api' }, of)
    case 'remove-service':
      return removeService(state, turn, step.serviceId, of)
    case 'put-check':
      return putCheck(state, turn, { definition: step.definition, type: step.type, origin: 'api', standalone: true }, of)
    case 'remove-check':
      return takeRemoveCheck(state, turn, step.checkId, of)
    case 'reload':
      takeSettings(state, step)
      takeFiles(state, turn, step.services, step.checks, of)
      return announceNode(state, turn, of)
    case 'ttl': {
      const entry = state.checks.get(step.checkId)
      if (entry?.type !== 'ttl') return forgetStatus(turn, step.checkId)
      startTtl(turn, entry)
      return setStatus(state, turn, entry, step.status, step.output, of)
    }
  }
}

/** A service that was removed without being asked to be is forgotten too. */
export function reapService(state: LocalState, turn: LocalTurn, serviceId: string, of: number): void {
  forgetService(turn, serviceId)
  removeService(state, turn, serviceId, of)
}

/** A check within a service of the API goes from what is kept of that service too. */
function takeRemoveCheck(state: LocalState, turn: LocalTurn, checkId: string, of: number): void {
  const entry = state.checks.get(checkId)
  if (!entry) return
  const service = state.services.get(entry.definition.serviceId)
  if (service?.origin === 'api' && !entry.standalone) {
    const checks = service.definition.checks.filter(({ id }) => id !== checkId)
    state.services.set(service.definition.id, { ...service, definition: { ...service.definition, checks } })
    keepService(turn, { ...service.definition, checks }, state.sidecarPorts.get(sidecarId(service.definition.id)) ?? 0)
  }
  removeCheck(state, turn, checkId, of)
}
