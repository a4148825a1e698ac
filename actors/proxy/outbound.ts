import type { Turn } from '../../src/kernel/actor.ts'
import type { MeshEvent } from '../../src/kernel/ports.ts'
import type { RefusedKind } from '../decisions/protocol.ts'
import { serviceUri } from '../spiffe.ts'
import { measureLater, metricOf } from './metrics.ts'
import { eligible, instanceKey, noteFailure, noteSuccess } from './outliers.ts'
import { pairOf } from './pairs.ts'
import { loudness, tellRefused } from './refusals.ts'
import type { Outbound, ProxyOwn, ProxyState, Upstream } from './state.ts'
import { labelOf, targetOf } from './targets.ts'

/** Takes a connection of the application to an upstream. It waits while this sidecar has no certificate or knows no instances. */
export function take(state: ProxyState, connection: number, id: number, turn: Turn<ProxyOwn>): void {
  const to = state.upstreams.find((upstream) => upstream.id === id)
  if (!to) return turn.act('mesh', { do: 'close', connection, why: 'the upstream was removed' })
  to.open++
  const counted = { receivedBytes: 0, sentBytes: 0 }
  const entry: Outbound = { to, tried: [], trying: '', lastWhy: '', dialling: false, connected: false, ...counted }
  state.outbound.set(connection, entry)
  measureLater(state, turn)
  turn.count('proxy.outbound.connections')
  const { connectionsMax = to.open } = to.args
  if (to.open > connectionsMax) {
    return refuse(state, connection, entry, 'limit', `too many connections: ${connectionsMax} are open, which is the limit`, turn)
  }
  if (isReady(state, to)) return dial(state, connection, entry, turn)
  turn.timer(`wait/${connection}`, to.args.connectWithinMs, { name: 'tooLong', request: { connection } })
}

/** Dials for all who waited for what is there now. */
export function dialWaiting(state: ProxyState, turn: Turn<ProxyOwn>): void {
  for (const [connection, entry] of state.outbound) {
    if (entry.dialling || !isReady(state, entry.to)) continue
    turn.cancel(`wait/${connection}`)
    dial(state, connection, entry, turn)
  }
}

export function connected(state: ProxyState, { connection, tookMs }: Extract<MeshEvent, { did: 'connected' }>, turn: Turn<ProxyOwn>): void {
  const entry = state.outbound.get(connection)
  if (!entry) return
  const pair = pairOf(state, 'to', labelOf(entry.to.args))
  entry.connected = true
  pair.accepted++
  pair.open++
  noteSuccess(entry.to.outliers, entry.trying, turn.nowMs)
  if (tookMs !== undefined) turn.measure(metricOf(state, turn.self.key, 'upstream', 'connect_time', pair.service), tookMs)
}

/** Tries the next instance. */
export function dialFailed(state: ProxyState, connection: number, why: string, turn: Turn<ProxyOwn>): void {
  const entry = state.outbound.get(connection)
  if (!entry) return
  const { args, outliers } = entry.to
  entry.lastWhy = why
  turn.count('proxy.outbound.dial_failed')
  turn.print('debug', 'Could not reach an instance', { upstream: labelOf(args), error: why })
  const forMs = args.ejection && noteFailure(outliers, entry.trying, args.ejection, turn.nowMs)
  if (forMs !== undefined) {
    turn.print('warn', 'An instance is left out', { upstream: labelOf(args), instance: entry.trying, for_ms: forMs, error: why })
    turn.count('proxy.outbound.ejections')
  }
  dial(state, connection, entry, turn)
}

export function giveUp(state: ProxyState, connection: number, turn: Turn<ProxyOwn>): void {
  const entry = state.outbound.get(connection)
  if (!entry || entry.dialling) return
  const why = state.identified ? 'its instances are not known yet' : 'this sidecar has no certificate yet'
  refuse(state, connection, entry, 'not-ready', why, turn)
}

/** An instance picked at random among those not tried yet; each is tried once. Those that are left out come last. */
function dial(state: ProxyState, connection: number, entry: Outbound, turn: Turn<ProxyOwn>): void {
  const { to, tried } = entry
  if (!state.bundle) return
  entry.dialling = true
  const { instances, why } = state.found.get(targetOf(to.args)) ?? { instances: [], why: '' }
  const left = instances.filter((instance) => !tried.includes(instanceKey(instance)))
  const choice = to.args.ejection ? eligible(to.outliers, left, turn.nowMs) : left
  const instance = choice[turn.random.int(0, Math.max(0, choice.length - 1))]
  if (!instance) {
    if (tried.length === 0) return refuse(state, connection, entry, 'no-instance', why || 'it has no healthy instance', turn)
    const failed = `none of ${tried.length} instances could be reached, last: ${entry.lastWhy}`
    return refuse(state, connection, entry, 'unreachable', failed, turn)
  }
  entry.trying = instanceKey(instance)
  tried.push(entry.trying)
  const { trustDomain } = state.bundle
  turn.act(
    'mesh',
    {
      do: 'connect',
      connection,
      host: instance.address,
      port: instance.port,
      identity: serviceUri({ trustDomain, datacenter: instance.datacenter, service: instance.service }),
      withinMs: to.args.connectWithinMs,
    },
    { then: (outcome) => ({ name: 'asked', request: { connection, outcome } }) },
  )
}

function refuse(state: ProxyState, connection: number, entry: Outbound, kind: RefusedKind, why: string, turn: Turn<ProxyOwn>): void {
  const destination = labelOf(entry.to.args)
  entry.dialling = true
  pairOf(state, 'to', destination).refused++
  turn.count('proxy.outbound.refused')
  const { uri = '', serial = '' } = state.leaf ?? {}
  tellRefused(state, turn, { side: 'outbound', kind, cause: why, source: state.args.service, destination, uri, serial })
  const level = kind === 'limit' ? loudness(state, `limit ${destination}`, 'error', turn.nowMs) : 'error'
  turn.print(level, 'Could not connect to an upstream', { source: state.args.service, upstream: destination, error: why })
  turn.act('mesh', { do: 'close', connection, why })
}

function isReady({ identified, bundle, found }: ProxyState, { args }: Upstream): boolean {
  return identified && bundle !== undefined && found.has(targetOf(args))
}
