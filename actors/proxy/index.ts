import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import type { MeshEvent } from '../../src/kernel/ports.ts'
import { LATER } from '../../src/kernel/protocol.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { admit, applicationAbsent, connectionEnded, enforce, judgeAgain } from './inbound.ts'
import { dialFailed, dialWaiting, giveUp, take } from './outbound.ts'
import { pairOf } from './pairs.ts'
import type { ProxyArgs, ProxyProtocol } from './protocol.ts'
import { tellRefused } from './refusals.ts'
import { type Door, type Identity, type ProxyOwn, type ProxyState, PUBLIC } from './state.ts'
import { statusOf } from './status.ts'

const TELL_EVERY_MS = 1_000
const OPEN_AGAIN_MS_MIN = 500
const OPEN_AGAIN_MS_MAX = 30_000
/** A supervised sidecar ends after this long without a supervisor. A crashed one is back much sooner. */
const ABANDONED_AFTER_MS = 60_000
/** How the mesh reports somebody who only looked whether the port is open, as health checks do. */
const ONLY_LOOKED = /^the (connection was closed|TLS handshake took too long)/

/** A sidecar on the thread of its sockets. It judges and chooses from live feeds; the mesh device moves the bytes. */
export const proxy = defineActor<ProxyProtocol, ProxyOwn, ProxyState, ProxyArgs>({
  name: 'proxy',
  mailboxMax: 65_536,
  init(args, turn) {
    const { service, token, feeds, leaf, inbound, upstreams } = args
    // Sockets of an earlier life, before anything new is opened.
    turn.act('mesh', { do: 'forget', owner: turn.self.key })
    turn.subscribe('leaf', leaf, 'leaf', { service, token }, (value) => ({ name: 'leaf', request: value }))
    turn.subscribe('roots', feeds, 'roots', null, (bundle, index) => ({ name: 'roots', request: { bundle, index } }))
    if (inbound) {
      turn.subscribe('intentions', feeds, 'intentions', { destination: service }, (intentions, index) => ({
        name: 'intentions',
        request: { intentions, index },
      }))
    }
    for (const name of new Set(upstreams.map((upstream) => upstream.service))) {
      turn.subscribe(`instances/${name}`, feeds, 'instances', { service: name }, (instances) => ({
        name: 'instances',
        request: { service: name, instances },
      }))
    }
    const state: ProxyState = {
      args,
      leaf: undefined,
      bundle: undefined,
      intentions: undefined,
      enforcing: undefined,
      enforced: { intentionIndex: 0, enforcedMs: 0, closedConnections: 0 },
      rootsIndex: 0,
      identity: undefined,
      identified: false,
      identityWhy: '',
      ending: false,
      door: closedDoor(inbound?.port ?? 0),
      upstreams: upstreams.map((upstream) => ({ ...upstream, door: closedDoor(upstream.port), open: 0 })),
      instances: new Map(),
      inbound: new Map(),
      outbound: new Map(),
      pairs: new Map(),
      accepted: 0,
      refused: 0,
      closedByIntentions: 0,
      subscribers: [],
      told: 0,
      telling: false,
    }
    for (const position of upstreams.keys()) open(state, position, turn)
    return state
  },
  stays: ({ args, ending }, next) => !ending && JSON.stringify(args) === JSON.stringify(next),
  on: {
    status(state, _request, turn, subscriber) {
      turn.cancel('abandoned')
      state.subscribers.push(subscriber)
      turn.emit(subscriber, ++state.told, statusOf(state))
    },

    shutDown(state, _request, turn, caller) {
      state.ending = true
      turn.act('mesh', { do: 'forget', owner: turn.self.key }, { then: () => ({ name: 'forgotten', request: { caller } }) })
      return LATER
    },

    abandoned(state, _request, turn) {
      state.ending = true
      turn.print('warn', 'Ends: its supervisor has not come back')
      turn.act('mesh', { do: 'forget', owner: turn.self.key })
    },

    forgotten(_state, { caller }, turn) {
      turn.answer(caller, null)
    },

    leaf(state, leaf, turn) {
      const isSame = state.leaf?.serial === leaf.serial
      state.leaf = leaf
      // The same again with another word on its renewal.
      if (isSame) return tellNow(state, turn)
      identify(state, turn)
    },

    roots(state, { bundle, index }, turn) {
      state.bundle = bundle
      state.rootsIndex = index
      identify(state, turn)
      judgeAgain(state, turn)
    },

    identified(state, { outcome, identity }, turn) {
      if (isRefused(outcome)) {
        state.identityWhy = `its certificate cannot be used: ${outcome.why}`
        turn.print('error', 'The certificate cannot be used', { error: outcome.why })
        return tellNow(state, turn)
      }
      if (!state.identified) {
        turn.print('info', 'Parsed TLS identity', { uri: state.leaf?.uri, roots: `[${state.bundle?.rootNames.join(' ')}]` })
      }
      state.identified = true
      state.identity = identity
      state.identityWhy = ''
      openPublic(state, turn)
      dialWaiting(state, turn)
      tellNow(state, turn)
    },

    intentions(state, { intentions, index }, turn) {
      state.intentions = intentions
      enforce(state, index, turn)
      openPublic(state, turn)
      tellNow(state, turn)
    },

    instances(state, { service, instances }, turn) {
      state.instances.set(service, instances)
      dialWaiting(state, turn)
      tellNow(state, turn)
    },

    opened(state, { upstream, outcome }, turn) {
      const door = doorOf(state, upstream)
      if (!door || state.ending) return
      door.opening = false
      if (isRefused(outcome)) {
        Object.assign(door, { phase: 'failed', why: outcome.why, refused: outcome.refused })
        const waitMs = Math.min(OPEN_AGAIN_MS_MAX, OPEN_AGAIN_MS_MIN * 2 ** door.failures++)
        if (door.failures === 1)
          turn.print('error', 'Cannot listen', { ...listenerFacts(state, upstream), error: outcome.why, option: optionOf(upstream) })
        turn.timer(`open/${upstream}`, waitMs, { name: 'openAgain', request: { upstream } })
      } else {
        Object.assign(door, { phase: 'listening', why: '', refused: '', failures: 0, port: outcome.port ?? door.port })
        turn.print('info', 'Starting listener', listenerFacts(state, upstream))
        if (isReady(state)) turn.print('info', 'Proxy loaded config and ready to serve')
      }
      tellNow(state, turn)
    },

    openAgain(state, { upstream }, turn) {
      if (!state.ending) open(state, upstream, turn)
    },

    happened(state, { upstream, event }, turn) {
      if (state.ending) return
      happened(state, upstream, event, turn)
      tellSoon(state, turn)
    },

    asked(state, { connection, outcome }, turn) {
      // One that has ended in the meantime is reported as closed.
      if (!isRefused(outcome) || outcome.refused === 'gone') return
      if (state.inbound.has(connection)) applicationAbsent(state, connection, outcome.why, turn)
      else dialFailed(state, connection, outcome.why, turn)
    },

    tooLong(state, { connection }, turn) {
      giveUp(state, connection, turn)
    },

    tell(state, _request, turn) {
      state.telling = false
      tellNow(state, turn)
    },
  },

  left(state, { peer, feed }, turn) {
    state.subscribers = state.subscribers.filter((other) => other.peer !== peer || other.feed !== feed)
    if (state.args.supervised && !state.ending && state.subscribers.length === 0) {
      turn.timer('abandoned', ABANDONED_AFTER_MS, { name: 'abandoned', request: null })
    }
  },
})

function identify({ leaf, bundle, rootsIndex, ending }: ProxyState, turn: Turn<ProxyOwn>): void {
  if (!leaf || !bundle || ending) return
  const { certPem, keyPem } = leaf
  const identity: Identity = {
    rootsIndex,
    bundle: bundle.rootIds.toSorted(),
    leafSerial: leaf.serial,
    leafKeyId: leaf.signingKeyId,
    leafIssuedMs: leaf.issuedMs,
    leafValidUntilMs: leaf.validBeforeMs,
  }
  turn.act(
    'mesh',
    { do: 'identify', owner: turn.self.key, certPem, keyPem, rootsPem: bundle.rootsPem },
    { then: (outcome) => ({ name: 'identified', request: { outcome, identity } }) },
  )
}

/** Opens the public listener once everything is there that it takes to judge a connection. */
function openPublic(state: ProxyState, turn: Turn<ProxyOwn>): void {
  if (!state.args.inbound || !state.identified || !state.intentions || state.door.phase !== 'waiting' || state.door.opening) return
  open(state, PUBLIC, turn)
}

function open(state: ProxyState, upstream: number, turn: Turn<ProxyOwn>): void {
  const side = upstream === PUBLIC ? 'public' : 'upstream'
  const at = upstream === PUBLIC ? state.args.inbound : state.upstreams[upstream]
  const door = doorOf(state, upstream)
  if (!at || !door) return
  door.opening = true
  const handshakeMs = state.args.inbound?.handshakeMs ?? HANDSHAKE_MS
  turn.act(
    'mesh',
    { do: 'listen', owner: turn.self.key, side, address: at.address, port: at.port, handshakeMs, connectionsMax: 0 },
    {
      then: (outcome) => ({ name: 'opened', request: { upstream, outcome } }),
      on: (event) => ({ name: 'happened', request: { upstream, event } }),
    },
  )
}

const HANDSHAKE_MS = 10_000

function happened(state: ProxyState, upstream: number, event: MeshEvent, turn: Turn<ProxyOwn>): void {
  switch (event.did) {
    case 'accepted':
      if (upstream === PUBLIC) return admit(state, event.connection, event.from, event.peer, turn)
      return take(state, event.connection, upstream, turn)
    case 'connected': {
      const entry = state.outbound.get(event.connection)
      if (!entry) return
      const pair = pairOf(state, 'to', state.upstreams[upstream]?.service ?? '')
      entry.connected = true
      pair.accepted++
      pair.open++
      return
    }
    case 'dial-failed':
      if (upstream === PUBLIC) return applicationAbsent(state, event.connection, event.why, turn)
      return dialFailed(state, event.connection, event.why, turn)
    case 'handshake-failed':
      turn.count('proxy.inbound.handshake_failed')
      if (!ONLY_LOOKED.test(event.why)) {
        const { why: cause, serial = '', from } = event
        tellRefused(state, turn, { side: 'inbound', kind: 'handshake', cause, serial, from })
      }
      return turn.print(ONLY_LOOKED.test(event.why) ? 'debug' : 'warn', 'Handshake failed', {
        from: event.from,
        destination: state.args.service,
        error: event.why,
        serial: event.serial,
      })
    case 'closed':
      return closed(state, upstream, event, turn)
    case 'listener-failed': {
      const door = doorOf(state, upstream)
      if (!door) return
      Object.assign(door, { phase: 'failed', why: event.why })
      turn.act('mesh', { do: 'unlisten', listener: event.listener })
      turn.print('error', 'A listener failed', { ...listenerFacts(state, upstream), error: event.why })
      turn.timer(`open/${upstream}`, OPEN_AGAIN_MS_MIN, { name: 'openAgain', request: { upstream } })
    }
  }
}

function closed(state: ProxyState, upstream: number, event: Extract<MeshEvent, { did: 'closed' }>, turn: Turn<ProxyOwn>): void {
  const { connection, receivedBytes, sentBytes } = event
  turn.cancel(`wait/${connection}`)
  const entry = state.inbound.get(connection)
  const out = state.outbound.get(connection)
  const to = out && state.upstreams[upstream]
  state.inbound.delete(connection)
  state.outbound.delete(connection)
  if (connectionEnded(state, connection, turn)) tellNow(state, turn)
  if (to) to.open--
  if (!entry && !to) return
  const pair = entry ? pairOf(state, 'from', entry.source) : pairOf(state, 'to', to?.service ?? '')
  if (entry || out?.connected) pair.open--
  pair.receivedBytes += receivedBytes
  pair.sentBytes += sentBytes
  turn.count('proxy.bytes', receivedBytes + sentBytes)
}

function closedDoor(port: number): Door {
  return { phase: 'waiting', why: '', refused: '', port, failures: 0, opening: false }
}

function doorOf(state: ProxyState, upstream: number): Door | undefined {
  return upstream === PUBLIC ? state.door : state.upstreams[upstream]?.door
}

function listenerFacts({ args, door, upstreams }: ProxyState, upstream: number): Record<string, unknown> {
  const { inbound } = args
  if (upstream === PUBLIC) {
    const application = inbound?.localSocketPath || `${inbound?.localHost}:${inbound?.localPort}`
    return { listener: `public->${application}`, bind_addr: `${inbound?.address}:${door.port}` }
  }
  const to = upstreams[upstream]
  const address = `${to?.address}:${to?.door.port}`
  return { listener: `${address}->service:default/${to?.service}`, bind_addr: address }
}

/** The key under `connect.proxy.config` that says where to listen. */
function optionOf(upstream: number): string {
  return upstream === PUBLIC ? 'bind_port' : `upstreams[${upstream}].local_bind_port`
}

function isReady({ args, door, upstreams }: ProxyState): boolean {
  return (!args.inbound || door.phase === 'listening') && upstreams.every((upstream) => upstream.door.phase === 'listening')
}

function tellNow(state: ProxyState, turn: Turn<ProxyOwn>): void {
  if (state.subscribers.length === 0) return
  const status = statusOf(state)
  state.told++
  for (const subscriber of state.subscribers) turn.emit(subscriber, state.told, status)
}

function tellSoon(state: ProxyState, turn: Turn<ProxyOwn>): void {
  if (state.telling || state.subscribers.length === 0) return
  state.telling = true
  turn.timer('tell', TELL_EVERY_MS, { name: 'tell', request: null })
}
