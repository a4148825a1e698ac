import type { Turn } from '../../src/kernel/actor.ts'
import type { ConnectInstance } from '../feeds/protocol.ts'
import { serviceUri } from '../spiffe.ts'
import { pairOf } from './pairs.ts'
import { tellRefused } from './refusals.ts'
import type { Outbound, ProxyOwn, ProxyState } from './state.ts'

/** Takes a connection of the application to an upstream. It waits while this sidecar has no certificate or knows no instances. */
export function take(state: ProxyState, connection: number, upstream: number, turn: Turn<ProxyOwn>): void {
  const to = state.upstreams[upstream]
  if (!to) return
  to.open++
  state.outbound.set(connection, { upstream, tried: [], lastWhy: '', dialling: false, connected: false })
  turn.count('proxy.outbound.connections')
  if (isReady(state, to.service)) return dial(state, connection, turn)
  turn.timer(`wait/${connection}`, to.connectWithinMs, { name: 'tooLong', request: { connection } })
}

/** Dials for all who waited for what is there now. */
export function dialWaiting(state: ProxyState, turn: Turn<ProxyOwn>): void {
  for (const [connection, { upstream, dialling }] of state.outbound) {
    const service = state.upstreams[upstream]?.service
    if (dialling || service === undefined || !isReady(state, service)) continue
    turn.cancel(`wait/${connection}`)
    dial(state, connection, turn)
  }
}

/** Tries the next instance. */
export function dialFailed(state: ProxyState, connection: number, why: string, turn: Turn<ProxyOwn>): void {
  const entry = state.outbound.get(connection)
  if (!entry) return
  entry.lastWhy = why
  turn.count('proxy.outbound.dial_failed')
  turn.print('debug', 'Could not reach an instance', { upstream: state.upstreams[entry.upstream]?.service, error: why })
  dial(state, connection, turn)
}

export function giveUp(state: ProxyState, connection: number, turn: Turn<ProxyOwn>): void {
  const entry = state.outbound.get(connection)
  if (!entry || entry.dialling) return
  refuse(state, connection, entry, state.identified ? 'its instances are not known yet' : 'this sidecar has no certificate yet', turn)
}

/** An instance picked at random among those not tried yet; each is tried once. */
function dial(state: ProxyState, connection: number, turn: Turn<ProxyOwn>): void {
  const entry = state.outbound.get(connection)
  const to = entry && state.upstreams[entry.upstream]
  if (!entry || !to || !state.bundle) return
  entry.dialling = true
  const instances = state.instances.get(to.service) ?? []
  const left = instances.filter((instance) => !entry.tried.includes(keyOf(instance)))
  const instance = left[turn.random.int(0, Math.max(0, left.length - 1))]
  if (!instance) {
    const why =
      entry.tried.length === 0
        ? 'it has no healthy instance'
        : `none of ${entry.tried.length} instances could be reached, last: ${entry.lastWhy}`
    return refuse(state, connection, entry, why, turn)
  }
  entry.tried.push(keyOf(instance))
  const { trustDomain } = state.bundle
  turn.act(
    'mesh',
    {
      do: 'connect',
      connection,
      host: instance.address,
      port: instance.port,
      identity: serviceUri({ trustDomain, datacenter: instance.datacenter, service: instance.service }),
      withinMs: to.connectWithinMs,
    },
    { then: (outcome) => ({ name: 'asked', request: { connection, outcome } }) },
  )
}

function refuse(state: ProxyState, connection: number, entry: Outbound, why: string, turn: Turn<ProxyOwn>): void {
  const service = state.upstreams[entry.upstream]?.service ?? ''
  entry.dialling = true
  pairOf(state, 'to', service).refused++
  turn.count('proxy.outbound.refused')
  const kind = isReady(state, service) ? (entry.tried.length === 0 ? 'no-instance' : 'unreachable') : 'not-ready'
  const { uri = '', serial = '' } = state.leaf ?? {}
  tellRefused(state, turn, { side: 'outbound', kind, cause: why, source: state.args.service, destination: service, uri, serial })
  turn.print('error', 'Could not connect to an upstream', { source: state.args.service, upstream: service, error: why })
  turn.act('mesh', { do: 'close', connection, why })
}

function isReady({ identified, bundle, instances }: ProxyState, service: string): boolean {
  return identified && bundle !== undefined && instances.has(service)
}

function keyOf({ node, id, address, port }: ConnectInstance): string {
  return `${node} ${id} ${address} ${port}`
}
