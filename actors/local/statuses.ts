import type { HealthStatus } from '../../src/kernel/ports.ts'
import { recordReads } from '../../src/kernel/recording-view.ts'
import { nodeChecks, type PlacedCheck, serviceOn } from '../catalog/queries.ts'
import { announceCheck, operation, settle } from './announce.ts'
import { type CheckEntry, checksOfService, type LocalState, type LocalTurn } from './state.ts'

/** An alias of a node is looked at again at least this often. */
const ALIAS_REFRESH_MS = 60_000
/** Aliases of aliases are followed this far. */
const ALIAS_DEPTH_MAX = 8
const ALIAS_OUTPUT_MAX = 4_096

/** A check has a new status or output. A status is announced at once, an output alone when it is due. `of`: see `operation`. */
export function setStatus(
  state: LocalState,
  turn: LocalTurn,
  entry: CheckEntry,
  status: HealthStatus,
  output: string,
  of?: number,
  depth = 0,
): void {
  if (entry.status === status && entry.output === output) return
  const isStatusNew = entry.status !== status
  entry.status = status
  entry.output = output
  if (status !== 'critical') entry.criticalSinceMs = 0
  else if (entry.criticalSinceMs === 0) entry.criticalSinceMs = turn.nowMs
  const { id, serviceId } = entry.definition
  if (isStatusNew || state.args.checkUpdateIntervalMs === 0) announceNow(state, turn, entry, of)
  else if (!entry.isOutputPending && !state.args.discardCheckOutput) {
    entry.isOutputPending = true
    const halfMs = Math.ceil(state.args.checkUpdateIntervalMs / 2)
    turn.timer(`output/${id}`, halfMs + turn.random.int(0, state.args.checkUpdateIntervalMs), {
      name: 'outputDue',
      request: { checkId: id },
    })
  }
  if (depth < ALIAS_DEPTH_MAX) refreshAliasesOf(state, turn, serviceId, depth + 1)
}

/** The time to announce an output has come. */
export function outputDue(state: LocalState, turn: LocalTurn, checkId: string): void {
  const entry = state.checks.get(checkId)
  if (entry?.isOutputPending) announceNow(state, turn, entry, undefined)
}

/** What a check that someone reports on says now. Source: Consul's TTL checks for the text of a cut output. */
export function cutOutput(output: string, bytesMax: number): string {
  return output.length > bytesMax ? `${output.slice(0, bytesMax)} ... (captured ${bytesMax} of ${output.length} bytes)` : output
}

export function startTtl(turn: LocalTurn, { definition }: CheckEntry, ttlMs = definition.ttlMs): void {
  turn.timer(`ttl/${definition.id}`, ttlMs, { name: 'ttlExpired', request: { checkId: definition.id } })
}

export function ttlExpired(state: LocalState, turn: LocalTurn, checkId: string): void {
  const entry = state.checks.get(checkId)
  if (entry?.type !== 'ttl') return
  const output =
    entry.output === '' || entry.output.startsWith(TTL_EXPIRED)
      ? entry.output
      : `${TTL_EXPIRED} (last output before timeout follows): ${entry.output}`
  turn.print('warn', 'Check missed TTL, is now critical', { check: checkId })
  setStatus(state, turn, entry, 'critical', output === '' ? TTL_EXPIRED : output)
}

const TTL_EXPIRED = 'TTL expired'

/** Looks at what an alias check stands for. */
export function refreshAlias(state: LocalState, turn: LocalTurn, checkId: string, depth = 0): void {
  const entry = state.checks.get(checkId)
  if (entry?.type !== 'alias') return
  const { status, output } = judgedAlias(state, turn, entry)
  setStatus(state, turn, entry, status, output, undefined, depth)
}

/** How an alias check is, by what it stands for. Source: Consul's alias checks for the texts. */
export function judgedAlias(state: LocalState, turn: LocalTurn, entry: CheckEntry): Judgement {
  const { status, output } = entry.definition.aliasNode === '' ? judgedHere(state, entry) : judgedThere(turn, entry)
  return { status, output: output.slice(0, ALIAS_OUTPUT_MAX) }
}

/** Looks again at the aliases of a service; at all of them after a check of the node changed (''). */
export function refreshAliasesOf(state: LocalState, turn: LocalTurn, serviceId: string, depth = 0): void {
  const targets = serviceId === '' ? [...state.aliasesOf.values()] : [state.aliasesOf.get(serviceId) ?? []]
  for (const ids of targets) for (const id of ids) refreshAlias(state, turn, id, depth)
}

/** Ids of services whose check was critical for too long. */
export function criticalForTooLong(state: LocalState, turn: LocalTurn): { serviceId: string; checkId: string }[] {
  const found = new Map<string, string>()
  for (const { definition, criticalSinceMs } of state.checks.values()) {
    if (definition.serviceId === '' || definition.deregisterCriticalServiceAfterMs === 0 || criticalSinceMs === 0) continue
    const afterMs = Math.max(definition.deregisterCriticalServiceAfterMs, state.args.deregisterMinMs)
    if (turn.nowMs - criticalSinceMs > afterMs) found.set(definition.serviceId, definition.id)
  }
  return [...found].map(([serviceId, checkId]) => ({ serviceId, checkId }))
}

function announceNow(state: LocalState, turn: LocalTurn, entry: CheckEntry, of: number | undefined): void {
  if (entry.isOutputPending) turn.cancel(`output/${entry.definition.id}`)
  entry.isOutputPending = false
  if (!state.loaded) return
  const change = of ?? operation(state, undefined)
  announceCheck(state, turn, entry.definition.id, change)
  if (of === undefined) settle(state, turn, change, null)
}

type Judgement = { status: HealthStatus; output: string }
type Judged = { name: string; status: HealthStatus; output: string }

function judgedHere(state: LocalState, entry: CheckEntry): Judgement {
  const { aliasService } = entry.definition
  if (!state.services.has(aliasService)) return notFound(aliasService, '')
  const checks = [...checksOfService(state, ''), ...checksOfService(state, aliasService)].filter((check) => check !== entry)
  return judged(checks.map(({ definition, status, output }) => ({ name: definition.name, status, output })))
}

function judgedThere(turn: LocalTurn, { definition }: CheckEntry): Judgement {
  const { id, aliasNode, aliasService } = definition
  const { view, reads } = recordReads(turn.view)
  const { checks } = nodeChecks(view, aliasNode)
  const service = aliasService === '' ? undefined : serviceOn(view, aliasNode, aliasService)
  turn.wake(`alias/${id}`, reads, { name: 'aliasDue', request: { checkId: id } })
  turn.timer(`alias/${id}`, ALIAS_REFRESH_MS, { name: 'aliasDue', request: { checkId: id } })
  if (aliasService !== '' && !service) return notFound(aliasService, aliasNode)
  const isMeant = ({ service: of }: PlacedCheck) => of === undefined || of.id === aliasService
  return judged(checks.filter(isMeant).map(({ check }) => check))
}

function notFound(service: string, node: string): Judgement {
  return { status: 'critical', output: `Service ${service} could not be found on node ${node}` }
}

function judged(checks: readonly Judged[]): Judgement {
  const failing = checks.find(({ status }) => status === 'critical') ?? checks.findLast(({ status }) => status === 'warning')
  if (failing) return { status: failing.status, output: `Aliased check ${JSON.stringify(failing.name)} failing: ${failing.output}` }
  return { status: 'passing', output: checks.length === 0 ? 'No checks found.' : 'All checks passing.' }
}
