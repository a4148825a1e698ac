import type { HealthStatus } from '../../src/kernel/ports.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { nodeChecks } from '../catalog/queries.ts'
import { same } from '../catalog/same.ts'
import type { CheckDefinition, ServiceDefinition } from '../definitions.ts'
import { definitionFault } from './allowed.ts'
import { sidecarId, sidecarPort } from './expand.ts'
import { forgetCheck, forgetService, forgetStatus, type KeptRecords, keepDefinitions } from './keep.ts'
import type { Reload } from './protocol.ts'
import { type Announcing, putCheck, putService, removeCheck, removeService } from './registrations.ts'
import { type CheckEntry, type LocalState, type LocalTurn, portsTaken } from './state.ts'
import { startTtl } from './statuses.ts'

/** Takes over what was kept and what the configuration files define; the files win. Nothing is announced yet. */
export function takeOver(state: LocalState, turn: LocalTurn, kept: KeptRecords): void {
  const { args } = state
  const isRebuilt = kept.reload?.boot === args.boot
  const files = isRebuilt && kept.reload ? kept.reload : args
  if (isRebuilt && kept.reload) takeSettings(state, kept.reload)
  if (!isRebuilt) keepDefinitions(turn, { boot: args.boot, services: args.services, checks: args.checks })
  for (const service of files.services) putFileService(state, turn, service, undefined)
  for (const [id, { definition, sidecarPort: port }] of kept.services) {
    if (state.services.get(id)?.origin === 'file') forgetService(turn, id)
    else {
      if (port !== 0) state.sidecarPorts.set(sidecarId(id), port)
      const critical = definition.checks.map((check): CheckDefinition => ({ ...check, status: 'critical' }))
      putService(
        state,
        turn,
        { definition: { ...definition, checks: critical }, origin: 'api', sidecarPort: port, replaceExistingChecks: false },
        undefined,
      )
    }
  }
  for (const check of files.checks) putFileCheck(state, turn, check, undefined)
  for (const [id, { definition, type }] of kept.checks) {
    const isOrphan = definition.serviceId !== '' && !state.services.has(definition.serviceId)
    if (isOrphan || state.checks.get(id)?.origin === 'file') forgetCheck(turn, id)
    else putCheck(state, turn, { definition: { ...definition, status: 'critical' }, type, origin: 'api', standalone: true }, undefined)
  }
  takeOverStatuses(state, turn, kept, isRebuilt)
}

/** Settings that may change while the agent runs. */
export function takeSettings(state: LocalState, { nodeMeta, discardCheckOutput }: Reload): void {
  const { args } = state
  state.args = {
    ...args,
    facts: { ...args.facts, nodeMeta: nodeMeta ?? args.facts.nodeMeta },
    discardCheckOutput: discardCheckOutput ?? args.discardCheckOutput,
  }
}

/** The definitions of the files, read anew. What is as it was is left alone. */
export function takeFiles(
  state: LocalState,
  turn: LocalTurn,
  services: readonly ServiceDefinition[],
  checks: readonly CheckDefinition[],
  of: number,
): void {
  const serviceIds = new Set(services.map(({ id }) => id))
  for (const [id, entry] of [...state.services]) if (entry.origin === 'file' && !serviceIds.has(id)) removeService(state, turn, id, of)
  for (const service of services) {
    const before = state.services.get(service.id)
    if (before?.origin === 'file' && same(before.definition, service)) continue
    if (before?.origin === 'api') forgetService(turn, service.id)
    putFileService(state, turn, service, of)
  }
  const checkIds = new Set(checks.map(({ id }) => id))
  for (const [id, entry] of [...state.checks]) {
    if (entry.origin === 'file' && entry.standalone && !checkIds.has(id)) removeCheck(state, turn, id, of)
  }
  for (const check of checks) {
    const before = state.checks.get(check.id)
    if (before?.origin === 'file' && same(before.definition, check)) continue
    putFileCheck(state, turn, check, of)
  }
}

function putFileService(state: LocalState, turn: LocalTurn, definition: ServiceDefinition, of: Announcing): void {
  const id = sidecarId(definition.id)
  const port = sidecarPort(definition, state.sidecarPorts.get(id), () => portsTaken(state), state.args.sidecarPorts)
  const fault = isRefused(port) ? port : definitionFault(state, definition.checks, 'file')
  if (fault || isRefused(port)) {
    turn.print('error', `cannot register service ${JSON.stringify(definition.id)}`, { error: fault?.why })
    return
  }
  putService(state, turn, { definition, origin: 'file', sidecarPort: port, replaceExistingChecks: true }, of)
}

function putFileCheck(state: LocalState, turn: LocalTurn, definition: CheckDefinition, of: Announcing): void {
  const isOrphan = definition.serviceId !== '' && !state.services.has(definition.serviceId)
  const fault = isOrphan
    ? `ServiceID ${JSON.stringify(definition.serviceId)} does not exist`
    : definitionFault(state, [definition], 'file')?.why
  if (fault === undefined) putCheck(state, turn, { definition, type: definition.type, origin: 'file', standalone: true }, of)
  else turn.print('error', `cannot register check ${JSON.stringify(definition.id)}`, { error: fault })
}

/** A TTL check's last word counts until it runs out. After a crash within the same run the catalog's word counts for all others. */
function takeOverStatuses(state: LocalState, turn: LocalTurn, kept: KeptRecords, isRebuilt: boolean): void {
  for (const [id, { status, output, expiresAtMs }] of kept.statuses) {
    const entry = state.checks.get(id)
    const isValid = entry?.type === 'ttl' && expiresAtMs > turn.nowMs
    if (!isValid) forgetStatus(turn, id)
    else {
      become(entry, turn, status, output)
      // The clock may have been set back since.
      startTtl(turn, entry, Math.min(expiresAtMs - turn.nowMs, entry.definition.ttlMs))
    }
  }
  if (!isRebuilt) return
  for (const { check } of nodeChecks(turn.view, state.args.facts.node).checks) {
    const entry = state.checks.get(check.checkId)
    if (entry && !kept.statuses.has(check.checkId)) become(entry, turn, check.status, check.output)
  }
}

function become(entry: CheckEntry, turn: LocalTurn, status: HealthStatus, output: string): void {
  entry.status = status
  entry.output = output
  entry.criticalSinceMs = status === 'critical' ? turn.nowMs : 0
}
