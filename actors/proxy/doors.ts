import type { Turn } from '../../src/kernel/actor.ts'
import type { MeshOutcome, MeshRequest } from '../../src/kernel/ports.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import type { InboundArgs, UpstreamArgs } from './protocol.ts'
import { type Door, type ProxyOwn, type ProxyState, PUBLIC } from './state.ts'

type Listen = Extract<MeshRequest, { do: 'listen' }>
type Limits = Pick<Listen, 'handshakeMs' | 'connectionsMax' | 'perSecondMax'>

const OPEN_AGAIN_MS_MIN = 500
const OPEN_AGAIN_MS_MAX = 30_000
const HANDSHAKE_MS = 10_000

export function closedDoor(port: number): Door {
  return { phase: 'waiting', why: '', refused: '', port, listener: 0, failures: 0, opening: false }
}

/** Of the public side, or of the upstream with that id. */
export function doorOf(state: ProxyState, id: number): Door | undefined {
  return id === PUBLIC ? state.door : state.upstreams.find((upstream) => upstream.id === id)?.door
}

/** Opens the public listener once everything is there that it takes to judge a connection. */
export function openPublic(state: ProxyState, turn: Turn<ProxyOwn>): void {
  if (!state.args.inbound || !state.identified || !state.intentions || state.door.phase !== 'waiting') return
  open(state, PUBLIC, turn)
}

export function open(state: ProxyState, id: number, turn: Turn<ProxyOwn>): void {
  const at = placeOf(state, id)
  const door = doorOf(state, id)
  if (!at || !door || door.opening || door.listener !== 0 || state.draining || state.ending) return
  door.opening = true
  const place = placeKey(at)
  const request: Listen = {
    do: 'listen',
    owner: turn.self.key,
    side: id === PUBLIC ? 'public' : 'upstream',
    ...pathOf(at),
    address: at.address,
    port: at.port,
    ...(id === PUBLIC ? limitsOf(state.args.inbound) : limitsOf(null)),
  }
  turn.act('mesh', request, {
    then: (outcome) => ({ name: 'opened', request: { door: id, place, outcome } }),
    on: (event) => ({ name: 'happened', request: { door: id, event } }),
  })
}

/** What became of opening a door. Answers whether it is open now. */
export function doorOpened(state: ProxyState, id: number, place: string, outcome: Result<MeshOutcome>, turn: Turn<ProxyOwn>): boolean {
  const door = doorOf(state, id)
  const at = placeOf(state, id)
  const isWanted = door !== undefined && at !== undefined && placeKey(at) === place && !state.draining
  if (door) door.opening = false
  if (!isWanted) {
    if (!isRefused(outcome)) turn.act('mesh', { do: 'unlisten', listener: outcome.listener ?? 0 })
    if (door && at && !state.draining) open(state, id, turn)
    return false
  }
  if (!isRefused(outcome)) {
    const { listener = 0, port = door.port } = outcome
    Object.assign(door, { phase: 'listening', why: '', refused: '', failures: 0, port, listener })
    turn.print('info', 'Starting listener', listenerFacts(state, id))
    return true
  }
  Object.assign(door, { phase: 'failed', why: outcome.why, refused: outcome.refused })
  const waitMs = Math.min(OPEN_AGAIN_MS_MAX, OPEN_AGAIN_MS_MIN * 2 ** door.failures++)
  if (door.failures === 1) {
    turn.print('error', 'Cannot listen', { ...listenerFacts(state, id), error: outcome.why, option: optionOf(state, id) })
  }
  turn.timer(`open/${id}`, waitMs, { name: 'openAgain', request: { door: id } })
  return false
}

/** A listener stopped by itself. */
export function doorFailed(state: ProxyState, id: number, why: string, turn: Turn<ProxyOwn>): void {
  const door = doorOf(state, id)
  if (!door) return
  shut(door, id, turn)
  if (state.draining) return
  Object.assign(door, { phase: 'failed', why })
  turn.print('error', 'A listener failed', { ...listenerFacts(state, id), error: why })
  turn.timer(`open/${id}`, OPEN_AGAIN_MS_MIN, { name: 'openAgain', request: { door: id } })
}

/** Takes no new connections there. Those that are open stay. */
export function shut(door: Door, id: number, turn: Turn<ProxyOwn>): void {
  turn.cancel(`open/${id}`)
  if (door.listener !== 0) turn.act('mesh', { do: 'unlisten', listener: door.listener })
  Object.assign(door, { phase: 'waiting', why: '', refused: '', listener: 0, failures: 0 })
}

export function limitsOf(inbound: InboundArgs | null): Limits {
  const { handshakeMs = HANDSHAKE_MS, connectionsMax = 0, perSecondMax } = inbound ?? {}
  return { handshakeMs, connectionsMax, ...(perSecondMax !== undefined && { perSecondMax }) }
}

/** Where somebody listens, in one text. */
export function placeKey({ address, port, socketPath = '', socketMode }: Place): string {
  return socketPath === '' ? `${address} ${port}` : `${socketPath} ${socketMode ?? ''}`
}

type Place = Pick<UpstreamArgs, 'address' | 'port' | 'socketPath' | 'socketMode'>

function placeOf({ args, upstreams }: ProxyState, id: number): Place | undefined {
  return id === PUBLIC ? (args.inbound ?? undefined) : upstreams.find((upstream) => upstream.id === id)?.args
}

function pathOf({ socketPath, socketMode }: Place): Pick<Listen, 'socketPath' | 'socketMode'> {
  if (!socketPath) return {}
  return { socketPath, ...(socketMode !== undefined && { socketMode }) }
}

function listenerFacts({ args, door, upstreams }: ProxyState, id: number): Record<string, unknown> {
  const { inbound } = args
  if (id === PUBLIC) {
    const application = inbound?.localSocketPath || `${inbound?.localHost}:${inbound?.localPort}`
    return { listener: `public->${application}`, bind_addr: `${inbound?.address}:${door.port}` }
  }
  const to = upstreams.find((upstream) => upstream.id === id)
  const address = to?.args.socketPath ?? `${to?.args.address}:${to?.door.port}`
  const kind = to?.args.query ? 'prepared_query' : 'service'
  return { listener: `${address}->${kind}:default/${to?.args.service}`, bind_addr: address }
}

/** The key under `connect.proxy.config` that says where to listen. */
function optionOf({ upstreams }: ProxyState, id: number): string {
  if (id === PUBLIC) return 'bind_port'
  const position = upstreams.findIndex((upstream) => upstream.id === id)
  return `upstreams[${position}].${upstreams[position]?.args.socketPath ? 'local_bind_socket_path' : 'local_bind_port'}`
}
