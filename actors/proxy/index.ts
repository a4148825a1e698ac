import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import type { MeshEvent } from '../../src/kernel/ports.ts'
import { LATER } from '../../src/kernel/protocol.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { followLeaf, takeOver, takeUpstreams } from './change.ts'
import { closedDoor, doorFailed, doorOpened, open, openPublic } from './doors.ts'
import { closeAll, drain, end, endIfDrained } from './drain.ts'
import { admit, applicationAbsent, connectionEnded, enforce, handshakeFailed, judgeAgain } from './inbound.ts'
import { countTraffic, measure, measureLater } from './metrics.ts'
import { connected, dialFailed, dialWaiting, giveUp, take } from './outbound.ts'
import { pairOf } from './pairs.ts'
import type { ProxyArgs, ProxyProtocol } from './protocol.ts'
import { type Identity, type ProxyOwn, type ProxyState, PUBLIC } from './state.ts'
import { statusOf } from './status.ts'
import { followTargets, labelOf, takeFound } from './targets.ts'

const TELL_EVERY_MS = 1_000
/** A supervised sidecar ends after this long without a supervisor. A crashed one is back much sooner. */
const ABANDONED_AFTER_MS = 60_000

/** A sidecar on the thread of its sockets. It judges and chooses from live feeds; the mesh device moves the bytes. */
export const proxy = defineActor<ProxyProtocol, ProxyOwn, ProxyState, ProxyArgs>({
  name: 'proxy',
  mailboxMax: 65_536,
  init(args, turn) {
    const { service, feeds, inbound, upstreams } = args
    // Sockets of an earlier life, before anything new is opened.
    turn.act('mesh', { do: 'forget', owner: turn.self.key })
    followLeaf(args, turn)
    turn.subscribe('roots', feeds, 'roots', null, (bundle, index) => ({ name: 'roots', request: { bundle, index } }))
    if (inbound) {
      turn.subscribe('intentions', feeds, 'intentions', { destination: service }, (intentions, index) => ({
        name: 'intentions',
        request: { intentions, index },
      }))
    }
    const state = stateOf(args)
    followTargets(state, [], turn)
    takeUpstreams(state, upstreams, turn)
    return state
  },
  stays: (state, args, turn) => takeOver(state, args, turn),
  on: {
    status(state, _request, turn, subscriber) {
      turn.cancel('abandoned')
      state.subscribers.push(subscriber)
      turn.emit(subscriber, ++state.told, statusOf(state, turn.nowMs))
    },

    shutDown(state, _request, turn, caller) {
      drain(state, caller, turn)
      return LATER
    },

    drained(state, _request, turn) {
      end(state, turn)
    },

    abandoned(state, _request, turn) {
      turn.print('warn', 'Ends: its supervisor has not come back')
      end(state, turn)
    },

    forgotten(state, _request, turn) {
      for (const caller of state.draining ?? []) turn.answer(caller, null)
      state.draining = []
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

    instances(state, { target, found }, turn) {
      takeFound(state, target, found)
      dialWaiting(state, turn)
      tellNow(state, turn)
    },

    opened(state, { door, place, outcome }, turn) {
      if (state.ending) return
      const isOpen = doorOpened(state, door, place, outcome, turn)
      if (isOpen && isReady(state)) turn.print('info', 'Proxy loaded config and ready to serve')
      tellNow(state, turn)
    },

    openAgain(state, { door }, turn) {
      open(state, door, turn)
    },

    happened(state, { door, event }, turn) {
      if (state.ending) return
      happened(state, door, event, turn)
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

    measure(state, _request, turn) {
      measure(state, turn)
    },

    measured(state, outcome, turn) {
      state.measuring = false
      measureLater(state, turn)
      const { traffic = [] } = isRefused(outcome) ? {} : outcome
      for (const carried of traffic) countTraffic(state, carried, turn)
      if (traffic.length > 0) tellSoon(state, turn)
    },

    overdue(state, { connections, why }, turn) {
      closeAll(state, connections, why, turn)
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

function stateOf(args: ProxyArgs): ProxyState {
  return {
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
    draining: undefined,
    ending: false,
    door: closedDoor(args.inbound?.port ?? 0),
    upstreams: [],
    lastId: PUBLIC,
    found: new Map(),
    inbound: new Map(),
    outbound: new Map(),
    pairs: new Map(),
    accepted: 0,
    refused: 0,
    closedByIntentions: 0,
    refusals: [],
    warnedMs: new Map(),
    measuring: false,
    subscribers: [],
    told: 0,
    telling: false,
  }
}

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

function happened(state: ProxyState, door: number, event: MeshEvent, turn: Turn<ProxyOwn>): void {
  switch (event.did) {
    case 'accepted':
      return door === PUBLIC ? admit(state, event, turn) : take(state, event.connection, door, turn)
    case 'connected':
      return connected(state, event, turn)
    case 'dial-failed':
      if (door === PUBLIC) return applicationAbsent(state, event.connection, event.why, turn)
      return dialFailed(state, event.connection, event.why, turn)
    case 'handshake-failed':
      return handshakeFailed(state, door, event, turn)
    case 'closed':
      return closed(state, event, turn)
    case 'listener-failed':
      return doorFailed(state, door, event.why, turn)
  }
}

function closed(state: ProxyState, event: Extract<MeshEvent, { did: 'closed' }>, turn: Turn<ProxyOwn>): void {
  const { connection } = event
  turn.cancel(`wait/${connection}`)
  countTraffic(state, event, turn)
  const inbound = state.inbound.get(connection)
  const outbound = state.outbound.get(connection)
  state.inbound.delete(connection)
  state.outbound.delete(connection)
  if (inbound) pairOf(state, 'from', inbound.source).open--
  if (outbound) outbound.to.open--
  if (outbound?.connected) pairOf(state, 'to', labelOf(outbound.to.args)).open--
  if (connectionEnded(state, connection, turn)) tellNow(state, turn)
  endIfDrained(state, turn)
}

function isReady({ args, door, upstreams }: ProxyState): boolean {
  return (!args.inbound || door.phase === 'listening') && upstreams.every((upstream) => upstream.door.phase === 'listening')
}

function tellNow(state: ProxyState, turn: Turn<ProxyOwn>): void {
  if (state.subscribers.length === 0) return
  const status = statusOf(state, turn.nowMs)
  state.told++
  for (const subscriber of state.subscribers) turn.emit(subscriber, state.told, status)
}

function tellSoon(state: ProxyState, turn: Turn<ProxyOwn>): void {
  if (state.telling || state.subscribers.length === 0) return
  state.telling = true
  turn.timer('tell', TELL_EVERY_MS, { name: 'tell', request: null })
}
