import type { CheckDefinition, CheckType, ServiceDefinition } from '../definitions.ts'
import { announceCheck, announceCheckGone, announceService, announceServiceGone } from './announce.ts'
import { type ListeningProxy, managedProxyOf, sidecarId, sidecarOf } from './expand.ts'
import { mark, markService } from './feeds.ts'
import { forgetCheck, forgetStatus } from './keep.ts'
import { managedProxyId, type Origin } from './protocol.ts'
import { type CheckEntry, checksOfService, isProbed, type LocalState, type LocalTurn, type ServiceEntry } from './state.ts'
import { judgedAlias, refreshAliasesOf, startTtl } from './statuses.ts'

/** `of`: the operation that announces it, see `operation`; undefined while everything is loaded. */
export type Announcing = number | undefined

export type ServiceChange = {
  definition: ServiceDefinition
  origin: Origin
  sidecarPort: number
  replaceExistingChecks: boolean
  parent?: string
}

/** Adds or replaces a service with its checks and its sidecar. */
export function putService(state: LocalState, turn: LocalTurn, change: ServiceChange, of: Announcing): void {
  const { definition, origin, sidecarPort, replaceExistingChecks, parent = '' } = change
  const { id } = definition
  const before = state.services.get(id)
  if (before?.definition.name !== definition.name && parent === '') warnOfNames(turn, definition)
  state.services.set(id, { definition, origin, parent })
  const named = new Set(definition.checks.map((check) => check.id))
  if (replaceExistingChecks) {
    for (const check of checksOfService(state, id)) if (!named.has(check.definition.id)) removeCheck(state, turn, check.definition.id, of)
  }
  for (const check of definition.checks) setCheck(state, turn, { definition: check, type: check.type, origin, standalone: false })
  if (of !== undefined) announceService(state, turn, id, of)
  putSidecar(state, turn, definition, sidecarPort, of)
  if (before?.definition.connect?.proxy && !definition.connect?.proxy) removeChild(state, turn, managedProxyId(id), id, of)
  if (before?.definition.connect?.proxy || definition.connect?.proxy) mark(state, turn, 'services')
  markService(state, turn, id)
  refreshAliasesOf(state, turn, id)
}

/** Adds or replaces the service of a managed proxy that listens. */
export function putManagedProxy(state: LocalState, turn: LocalTurn, parent: ServiceEntry, listens: ListeningProxy, of: Announcing): void {
  const definition = managedProxyOf(parent.definition, listens, state.args.proxyDefaults)
  putService(state, turn, { definition, origin: 'derived', sidecarPort: 0, replaceExistingChecks: true, parent: parent.definition.id }, of)
}

/** Removes a service with its checks and the services that belong to it. */
export function removeService(state: LocalState, turn: LocalTurn, id: string, of: Announcing): void {
  const entry = state.services.get(id)
  if (!entry) return
  for (const check of checksOfService(state, id)) dropCheck(state, turn, check)
  state.services.delete(id)
  state.sidecarPorts.delete(id)
  if (of !== undefined) announceServiceGone(state, turn, id, of)
  removeChild(state, turn, sidecarId(id), id, of)
  removeChild(state, turn, managedProxyId(id), id, of)
  if (entry.definition.connect?.proxy) mark(state, turn, 'services')
  markService(state, turn, id)
  refreshAliasesOf(state, turn, id)
}

export type CheckChange = { definition: CheckDefinition; type: CheckType | 'maintenance'; origin: Origin; standalone: boolean }

/** Adds or replaces a check. How it is stays as it was. */
export function putCheck(state: LocalState, turn: LocalTurn, change: CheckChange, of: Announcing): void {
  setCheck(state, turn, change)
  if (of !== undefined) announceCheck(state, turn, change.definition.id, of)
  refreshAliasesOf(state, turn, change.definition.serviceId)
}

export function removeCheck(state: LocalState, turn: LocalTurn, id: string, of: Announcing): void {
  const entry = state.checks.get(id)
  if (!entry) return
  dropCheck(state, turn, entry)
  if (of !== undefined) announceCheckGone(state, turn, id, of)
  refreshAliasesOf(state, turn, entry.definition.serviceId)
}

/** DNS has no way to say such names. */
function warnOfNames(turn: LocalTurn, { name, tags }: ServiceDefinition): void {
  const valid = 'Valid characters include all alpha-numerics and dashes.'
  if (!LABEL.test(name)) {
    turn.print('warn', `Service name will not be discoverable via DNS due to invalid characters. ${valid}`, { service: name })
  }
  for (const tag of tags) {
    if (LABEL.test(tag)) continue
    turn.print('debug', `Service tag will not be discoverable via DNS due to invalid characters. ${valid}`, { service: name, tag })
  }
}

const LABEL = /^[a-zA-Z0-9-]{1,63}$/

function putSidecar(state: LocalState, turn: LocalTurn, parent: ServiceDefinition, port: number, of: Announcing): void {
  const definition = sidecarOf(parent, port)
  if (!definition) return removeChild(state, turn, sidecarId(parent.id), parent.id, of)
  state.sidecarPorts.set(definition.id, definition.port)
  putService(state, turn, { definition, origin: 'derived', sidecarPort: 0, replaceExistingChecks: true, parent: parent.id }, of)
}

function removeChild(state: LocalState, turn: LocalTurn, id: string, parent: string, of: Announcing): void {
  if (state.services.get(id)?.parent === parent) removeService(state, turn, id, of)
}

function setCheck(state: LocalState, turn: LocalTurn, { definition: asked, type, origin, standalone }: CheckChange): void {
  const definition = { ...asked, outputMaxSize: Math.min(asked.outputMaxSize, state.args.checkOutputMaxSize) }
  const before = state.checks.get(definition.id)
  if (before) {
    unlink(state, before)
    const isKept = standalone && origin === 'api'
    forget(turn, before, isKept, type === 'ttl')
  }
  const status = before?.status ?? (definition.status === '' ? 'critical' : definition.status)
  const entry: CheckEntry = {
    definition,
    type,
    origin,
    standalone,
    status,
    output: before?.output ?? '',
    criticalSinceMs: before?.criticalSinceMs ?? (status === 'critical' ? turn.nowMs : 0),
    isOutputPending: before?.isOutputPending ?? false,
  }
  state.checks.set(definition.id, entry)
  link(state, entry)
  if (type === 'ttl') startTtl(turn, entry)
  else turn.cancel(`ttl/${definition.id}`)
  if (isProbed(type) || (before && isProbed(before.type))) mark(state, turn, 'checks')
  if (type === 'alias') Object.assign(entry, judgedAlias(state, turn, entry))
}

/** Forgets what is kept of a check, but for what belongs to the one in its place. */
function forget(turn: LocalTurn, { definition, type, origin, standalone }: CheckEntry, exceptCheck: boolean, exceptStatus: boolean): void {
  if (standalone && origin === 'api' && !exceptCheck) forgetCheck(turn, definition.id)
  if (type === 'ttl' && !exceptStatus) forgetStatus(turn, definition.id)
}

function dropCheck(state: LocalState, turn: LocalTurn, entry: CheckEntry): void {
  const { id } = entry.definition
  forget(turn, entry, false, false)
  unlink(state, entry)
  state.checks.delete(id)
  if (entry.type === 'ttl') turn.cancel(`ttl/${id}`)
  if (entry.isOutputPending) turn.cancel(`output/${id}`)
  if (entry.type === 'alias') {
    turn.cancel(`alias/${id}`)
    turn.unwake(`alias/${id}`)
  }
  if (isProbed(entry.type)) mark(state, turn, 'checks')
}

function link(state: LocalState, { definition, type }: CheckEntry): void {
  add(state.checksOf, definition.serviceId, definition.id)
  if (type === 'alias' && definition.aliasNode === '') add(state.aliasesOf, definition.aliasService, definition.id)
}

function unlink(state: LocalState, { definition, type }: CheckEntry): void {
  remove(state.checksOf, definition.serviceId, definition.id)
  if (type === 'alias' && definition.aliasNode === '') remove(state.aliasesOf, definition.aliasService, definition.id)
}

function add(sets: Map<string, Set<string>>, key: string, value: string): void {
  const found = sets.get(key)
  if (found) found.add(value)
  else sets.set(key, new Set([value]))
}

function remove(sets: Map<string, Set<string>>, key: string, value: string): void {
  const found = sets.get(key)
  if (!found) return
  found.delete(value)
  if (found.size === 0) sets.delete(key)
}
