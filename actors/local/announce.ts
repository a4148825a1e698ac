import type { Caller } from '../../src/kernel/protocol.ts'
import { isRefused, type RefusalCode, type Result } from '../../src/kernel/refusal.ts'
import type { CheckRegistration } from '../catalog/check-changes.ts'
import type { InstanceRegistration } from '../catalog/instance-changes.ts'
import { nodeChecks, servicesOf } from '../catalog/queries.ts'
import { same } from '../catalog/same.ts'
import { type CheckRecord, type InstanceRecord, SERF_HEALTH, SERVER_SERVICE } from '../catalog/tables.ts'
import { withCentralDefaults } from '../config-entries/merge.ts'
import type { ServiceDefinition } from '../definitions.ts'
import { commit } from '../ledger.ts'
import { membershipRef } from '../membership/protocol.ts'
import { managedProxyId } from './protocol.ts'
import { isKnown, nodeRegistration, ownRegistration } from './server-node.ts'
import { type CheckEntry, checksOfService, type LocalState, type LocalTurn, type Operation } from './state.ts'

/**
 * After a command failed, and after a start, when this server's copy of the catalog may be behind, the next full comparison comes
 * early. After each failure in a row twice as long passes, and up to as long again.
 */
const RETRY_MS_MIN = 1_000
const RETRY_MS_MAX = 15_000
const AWAY: ReadonlySet<string> = new Set<RefusalCode>(['gone', 'late', 'busy'])
/** After a change of the cluster's record of this agent, everything is compared within this. */
const COMPARE_MS_MAX = 3_000
/** Up to so many members the interval of comparisons is as configured. Source: internals §4. */
const MEMBERS_UNSCALED = 128

/** Begins a change; `caller` is answered once all its commands are durable. End it with `settle`. */
export function operation(state: LocalState, caller: Caller<null> | undefined): number {
  const id = ++state.lastOperation
  state.operations.set(id, { caller, left: 1, refused: undefined })
  return id
}

/** One part of an operation came to its end. */
export function settle(state: LocalState, turn: LocalTurn, id: number, result: Result<unknown>): void {
  const found = state.operations.get(id)
  if (!found) return
  const left = found.left - 1
  const refused: Operation['refused'] = found.refused ?? (isRefused(result) ? result : undefined)
  if (left > 0) {
    state.operations.set(id, { ...found, left, refused })
    return
  }
  state.operations.delete(id)
  if (found.caller) turn.answer(found.caller, refused ?? null)
}

/** Tells the catalog of a service and all its checks. */
export function announceService(state: LocalState, turn: LocalTurn, serviceId: string, of: number): void {
  const entry = state.services.get(serviceId)
  if (!entry) return
  const checks = checksOfService(state, serviceId).map((check) => checkRegistration(state, check))
  register(
    state,
    turn,
    of,
    `service ${JSON.stringify(serviceId)}`,
    instanceRegistration(withCentralDefaults(turn.view, entry.definition, state.args)),
    checks,
  )
}

/** Tells the catalog of one check (and of its service, if the catalog should not know it). */
export function announceCheck(state: LocalState, turn: LocalTurn, checkId: string, of: number): void {
  const entry = state.checks.get(checkId)
  if (!entry) return
  const service = state.services.get(entry.definition.serviceId)?.definition
  const registration = service && instanceRegistration(withCentralDefaults(turn.view, service, state.args))
  register(state, turn, of, `check ${JSON.stringify(checkId)}`, registration, [checkRegistration(state, entry)])
}

/** Somebody's own service under the name of that of all servers makes room for it again; without it there would be no leader. */
export function announceServiceGone(state: LocalState, turn: LocalTurn, serviceId: string, of: number): void {
  if (serviceId === SERVER_SERVICE && state.args.facts.server) return announceNode(state, turn, of)
  deregister(state, turn, of, { serviceId, checkId: '' }, `removal of service ${JSON.stringify(serviceId)}`)
}

export function announceCheckGone(state: LocalState, turn: LocalTurn, checkId: string, of: number): void {
  deregister(state, turn, of, { serviceId: '', checkId }, `removal of check ${JSON.stringify(checkId)}`)
}

/** Tells the catalog of this machine. */
export function announceNode(state: LocalState, turn: LocalTurn, of: number): void {
  expectOne(state, of)
  const own = ownRegistration(state.args.facts)
  commit(turn, 'catalog.register', own, (result) => ({ name: 'announced', request: { operation: of, result, what: 'node' } }))
}

/** What became of a command. A refused one is tried again with the next full comparison, which then comes early. */
export function announced(state: LocalState, turn: LocalTurn, of: number, what: string, result: Result<null>): void {
  if (isRefused(result)) {
    turn.print('warn', `the catalog did not take the ${what}`, { error: result.why })
    if (!state.isRetryDue) retryWithin(state, turn, Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** state.failures++))
  } else if (state.failures > 0) {
    // It takes changes again, so what it did not take need not wait any longer.
    state.failures = 0
    if (state.isRetryDue) retryWithin(state, turn, RETRY_MS_MIN)
  }
  settle(state, turn, of, isAway(state, result) ? null : result)
}

/** An agent that is no server keeps what it is told, and tells the servers once they are there. Source: internals §4. */
function isAway({ args }: LocalState, result: Result<null>): boolean {
  return !args.facts.server && isRefused(result) && AWAY.has(result.refused)
}

function retryWithin(state: LocalState, turn: LocalTurn, waitMs: number): void {
  state.isRetryDue = true
  turn.timer('sync', waitMs + turn.random.int(0, waitMs), { name: 'sync', request: null })
}

/** Compares everything here with the catalog and repairs the catalog: this agent is the authority for its node. */
export function syncAll(state: LocalState, turn: LocalTurn): void {
  const { facts } = state.args
  const of = operation(state, undefined)
  if (!isKnown(turn.view, facts)) announceNode(state, turn, of)
  const known = new Map(servicesOf(turn.view, facts.node).map((record) => [record.id, record]))
  const checks = new Map(nodeChecks(turn.view, facts.node).checks.map((placed) => [placed.check.checkId, placed.check]))
  for (const [id, record] of known) {
    if (state.services.has(id) || (id === SERVER_SERVICE && facts.server) || isComing(state, id)) continue
    announceServiceGone(state, turn, id, of)
    for (const check of record.checks) checks.delete(check.checkId)
  }
  for (const [id, { definition }] of state.services) {
    const record = known.get(id)
    if (record && definition.enableTagOverride) definition.tags = record.tags
    const own = checksOfService(state, id)
    const isSame =
      record !== undefined &&
      isSameInstance(record, withCentralDefaults(turn.view, definition, state.args)) &&
      own.every((check) => isSameCheck(state, checks, check))
    if (!isSame) announceService(state, turn, id, of)
  }
  for (const check of checksOfService(state, '')) {
    if (!isSameCheck(state, checks, check)) announceCheck(state, turn, check.definition.id, of)
  }
  for (const [id, check] of checks) {
    if (state.checks.has(id) || check.checkId === SERF_HEALTH || isComingCheck(state, known, id)) continue
    announceCheckGone(state, turn, id, of)
  }
  settle(state, turn, of, null)
  const intervalMs = state.hasCompared ? state.args.syncIntervalMs : Math.min(RETRY_MS_MAX, state.args.syncIntervalMs)
  state.hasCompared = true
  state.isRetryDue = false
  turn.timer('sync', intervalMs + turn.random.int(0, intervalMs * scaleOf(state.members)), { name: 'sync', request: null })
  if (!facts.server) countMembers(turn)
}

/** Something of this agent's may have changed in the catalog. */
export function compareSoon(state: LocalState, turn: LocalTurn): void {
  if (state.isCompareDue || !state.loaded) return
  state.isCompareDue = true
  turn.timer('compare', turn.random.int(0, COMPARE_MS_MAX), { name: 'compareNow', request: null })
}

/** How much longer many agents take, so that they do not ask the servers more often than few. */
export function scaleOf(members: number): number {
  return members <= MEMBERS_UNSCALED ? 1 : Math.ceil(Math.log2(members) - Math.log2(MEMBERS_UNSCALED)) + 1
}

/** Looks once: the number matters for the next interval only. */
function countMembers(turn: LocalTurn): void {
  turn.subscribe('members', membershipRef, 'members', null, (members) => ({ name: 'counted', request: { members: members.length } }))
}

export function instanceRegistration(definition: ServiceDefinition): InstanceRegistration {
  const { id, name, kind, tags, address, taggedAddresses, meta, port, socketPath, enableTagOverride, weights, connect, proxy } = definition
  return {
    id,
    name,
    kind,
    tags,
    address,
    taggedAddresses,
    meta,
    port,
    socketPath,
    enableTagOverride,
    weights,
    native: connect?.native ?? false,
    ...(proxy && { proxy }),
  }
}

function checkRegistration(state: LocalState, { definition, type, status, output, standalone }: CheckEntry): CheckRegistration {
  const saysInterval = standalone && type !== 'maintenance'
  return {
    node: '',
    serviceId: definition.serviceId,
    checkId: definition.id,
    name: definition.name,
    status,
    notes: definition.notes,
    output: state.args.discardCheckOutput ? '' : output,
    type,
    interval: saysInterval ? durationText(definition.intervalMs) : '',
    timeout: saysInterval ? durationText(definition.timeoutMs) : '',
    exposedPort: 0,
    definition: {},
  }
}

/** As Go writes durations: `10s`, `1m30s`, `1.5s`, `500ms`, `0s`. */
export function durationText(ms: number): string {
  if (ms === 0) return '0s'
  if (ms < 1_000) return `${ms}ms`
  const hours = Math.floor(ms / 3_600_000)
  const minutes = Math.floor(ms / 60_000) % 60
  const seconds = Math.round(ms % 60_000) / 1_000
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${seconds}s`
}

function register(
  state: LocalState,
  turn: LocalTurn,
  of: number,
  what: string,
  service: InstanceRegistration | undefined,
  checks: CheckRegistration[],
): void {
  const request = { ...nodeRegistration(state.args.facts), skipNodeUpdate: false, ...(service && { service }), checks }
  expectOne(state, of)
  commit(turn, 'catalog.register', request, (result) => ({ name: 'announced', request: { operation: of, result, what } }))
}

function deregister(state: LocalState, turn: LocalTurn, of: number, ids: { serviceId: string; checkId: string }, what: string): void {
  const request = { node: state.args.facts.node, ...ids }
  expectOne(state, of)
  commit(turn, 'catalog.deregister', request, (result) => ({ name: 'announced', request: { operation: of, result, what } }))
}

/** One more end that the operation waits for. */
function expectOne(state: LocalState, of: number): void {
  const found = state.operations.get(of)
  if (found) found.left++
}

/** The catalog still has it from before; whoever runs managed proxies will soon say that it listens again. */
function isComing(state: LocalState, serviceId: string): boolean {
  for (const [id, { definition }] of state.services) if (definition.connect?.proxy && managedProxyId(id) === serviceId) return true
  return false
}

function isComingCheck(state: LocalState, known: Map<string, InstanceRecord>, checkId: string): boolean {
  for (const [id, record] of known) if (isComing(state, id) && record.checks.some((check) => check.checkId === checkId)) return true
  return false
}

function isSameInstance(record: InstanceRecord, definition: ServiceDefinition): boolean {
  const { checks: _checks, createIndex: _createIndex, modifyIndex: _modifyIndex, ...known } = record
  return same(known, instanceRegistration(definition))
}

/** A change of nothing but the output is announced at its own time. */
function isSameCheck(state: LocalState, known: Map<string, CheckRecord>, entry: CheckEntry): boolean {
  const record = known.get(entry.definition.id)
  if (!record) return false
  const { createIndex: _createIndex, modifyIndex: _modifyIndex, ...told } = record
  const { node: _node, serviceId: _serviceId, ...own } = checkRegistration(state, entry)
  return same(told, entry.isOutputPending ? { ...own, output: told.output } : own)
}
