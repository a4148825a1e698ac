import { type Actor, defineActor } from '../../src/kernel/actor.ts'
import type { GossipEvent, GossipFigures } from '../../src/kernel/ports.ts'
import { LATER, type Subscriber } from '../../src/kernel/protocol.ts'
import { isRefused, refuse } from '../../src/kernel/refusal.ts'
import { beginning } from './begin.ts'
import { compared, compareWith, takeRecords } from './compare.ts'
import { noteSpread, ratesOf, SAMPLE_MS, sampled, spreadOf } from './figures.ts'
import { finished, finishJoin, join, joinedWith, metAgain, parted, refusedBy } from './join.ts'
import { accused, disputed, failed, isSuspect, judge, withdrawn } from './judge.ts'
import { answerOwed, askKeys, dialAsker, keysAnswered, keysAsked, keysChanged, keysOver } from './keyring.ts'
import { connected, dial, dialled, disconnected, hangUp, introduced, keepConnections, refused } from './links.ts'
import { locate, located, placesOf } from './locate.ts'
import { type GossipMessage, type Rumour, readMessage, readRumours, tagsFault } from './messages.ts'
import type { MembershipArgs, MembershipHealth, MembershipProtocol } from './protocol.ts'
import { beginRecording, endRecording, noted, recordable } from './record.ts'
import { knownRecords, reap, save } from './remember.ts'
import { isThere } from './ring.ts'
import { show, showAll } from './show.ts'
import { announce, flush, passOn, TOPIC } from './spread.ts'
import {
  addressOf,
  advance,
  type MembershipOwn,
  type MembershipState,
  type MembershipTurn,
  networkOf,
  send,
  textOf,
  WAN_ACTOR,
} from './state.ts'
import { adopt, forget, sayOfSelf } from './table.ts'
import { BODY_BYTES_MAX, keptOf, take, tell, weightOf } from './told.ts'
import { traceOf } from './trace.ts'
import { answered, BEAT_MS, heard, heardByOthers, pingForOthers, probe, suspectAtOnce, unreachable, watchNeighbours } from './watch.ts'

/** Two members compare what they know this often, each from this on up to twice as long. */
const COMPARE_MS = 30_000
/** Failed members are looked for this often. */
const RETURN_MS = 10_000
const LEAVE_STEP_MS = 500
/** A member that does not know that it counts as failed is told so this often. */
const TELL_MS = 1_000
/** Peers that may have introduced themselves before it was told that they are there. */
const EARLY_MAX = 256

/** Who else is there: watches its neighbours in the ring, accuses and refutes, and passes on what others say. */
export const membership = memberOf('membership')

/** The same for the servers of all datacenters. */
export const wanMembership = memberOf(WAN_ACTOR)

function memberOf(name: string): Actor<MembershipProtocol, MembershipOwn, MembershipState, MembershipArgs> {
  return defineActor<MembershipProtocol, MembershipOwn, MembershipState, MembershipArgs>({
    name,
    mailboxMax: 16_384,
    init(args, turn) {
      const state = beginning(args, turn)
      if (args.enabled) {
        turn.act('store', { do: 'load' }, { then: (result) => ({ name: 'loaded', request: { result } }) })
        const { address, port } = args.bind
        turn.act(
          networkOf(turn),
          { do: 'listen', address, port, keys: [...args.keys] },
          { then: (result) => ({ name: 'listened', request: { result } }), on: (event) => ({ name: 'event', request: event }) },
        )
        turn.act(networkOf(turn), { do: 'join-topic', topic: TOPIC })
      }
      return state
    },
    on: recordable({
      join(state, { addresses }, turn, caller) {
        if (!state.args.enabled) return refuse('invalid', 'this agent does not gossip')
        if (state.self.peer === '') return refuse('busy', 'this agent does not listen yet')
        if (state.outside !== undefined) comeBack(state, turn)
        join(state, turn, addresses, caller)
        return LATER
      },

      leave(state, _request, turn, caller) {
        if (state.outside !== undefined || state.ring.length <= 1) {
          state.outside ??= 'it has left'
          save(state, turn, true)
          return null
        }
        state.leaving.push(caller)
        if (state.leaving.length > 1) return LATER
        sayOfSelf(state, turn, { status: 'leaving' })
        turn.timer('leave', LEAVE_STEP_MS, { name: 'leaveOn', request: { step: 'left' } })
        return LATER
      },

      leaveOn(state, { step }, turn) {
        if (step === 'left') {
          sayOfSelf(state, turn, { status: 'left' })
          turn.timer('leave', LEAVE_STEP_MS, { name: 'leaveOn', request: { step: 'gone' } })
          return
        }
        state.outside = 'it has left'
        for (const peer of state.connections.keys()) hangUp(turn, peer, 'this agent leaves')
        save(state, turn, true)
        for (const caller of state.leaving.splice(0)) turn.answer(caller, null)
      },

      forceLeave(state, { name, prune }, turn) {
        const record = state.members.get(name)
        if (record === undefined) return refuse('missing', `no member ${name}`)
        if (isThere(record) && !isSuspect(state, name)) return null
        const { incarnation } = record
        if (record.status !== 'left') {
          const member = { ...record, status: 'left' as const, ltime: ++state.lamportTime }
          if (adopt(state, turn, member, { via: [], why: 'somebody made it leave' })) announce(state, turn, { is: 'member', member })
        }
        if (prune && forget(state, name, incarnation)) announce(state, turn, { is: 'pruned', name, incarnation, by: state.self.name })
        return null
      },

      tag(state, { tags }, turn) {
        const fault = tagsFault(tags)
        if (fault !== undefined) return refuse('invalid', fault)
        sayOfSelf(state, turn, { tags })
        return null
      },

      tell(state, { topic, body }, turn) {
        const bytes = weightOf(body)
        if (bytes > BODY_BYTES_MAX) return refuse('invalid', `body: ${bytes} bytes, ${BODY_BYTES_MAX} are allowed`)
        return { lamportTime: tell(state, turn, topic, body) }
      },

      members(state, _request, turn, subscriber) {
        state.followers.push({ subscriber })
        turn.emit(subscriber, state.version, showAll(state))
      },

      told(state, { topic }, turn, subscriber) {
        state.toldFollowers.push({ topic, subscriber })
        const { newest, count } = keptOf(state, topic)
        turn.emit(subscriber, count, [...newest])
      },

      trace: ({ trace }, { member }) => traceOf(trace, member),

      traced(state, { member }, turn, subscriber) {
        state.traceFollowers.push({ member, subscriber })
        turn.emit(subscriber, state.trace.count, traceOf(state.trace, member))
      },

      keyring(state, request, turn, caller) {
        askKeys(state, turn, request, caller)
        return LATER
      },

      whereabouts: ({ location, ring }) => ({ coordinate: location.whereabouts.coordinate, members: ring.length }),

      places: (state) => placesOf(state),

      health(state, _request, turn, caller) {
        if (!state.args.enabled) return healthOf(state, undefined)
        turn.act(networkOf(turn), { do: 'figures' }, { then: (result) => ({ name: 'counted', request: { caller, result } }) })
        return LATER
      },

      counted(state, { caller, result }, turn) {
        advance(state, turn.nowMs)
        const totals = isRefused(result) ? undefined : result.figures
        if (caller !== undefined) turn.answer(caller, healthOf(state, totals))
        else if (totals !== undefined) sampled(state.figures, state.nowMs, totals)
      },

      listened(state, { result }, turn) {
        if (isRefused(result)) {
          turn.print('error', 'Gossip cannot listen', { error: result.why })
          return
        }
        const port = state.args.advertise.port || (result.port ?? 0)
        state.keyring.keys = result.keys ?? state.args.keys
        begin(state, turn, result.peer ?? '', port)
        // Members that are started together do not all do everything at the same moment.
        const firstMs = turn.random.int(1, BEAT_MS)
        turn.timer('beat', firstMs, { name: 'beat', request: { dueMs: turn.nowMs + firstMs } })
      },

      loaded(state, { result }, turn) {
        if (isRefused(result)) {
          turn.print('warn', 'It is not known which members there were', { error: result.why })
          return
        }
        for (const address of knownRecords(state, turn, result.records)) dial(state, turn, address, { for: 'return' })
      },

      event(state, event, turn) {
        advance(state, turn.nowMs)
        if (state.outside === undefined || event.did === 'disconnected') happen(state, turn, event)
      },

      dialled(state, { goal, address, result }, turn) {
        advance(state, turn.nowMs)
        state.dialling.delete(textOf(address))
        if (isRefused(result)) {
          if (goal.for === 'join') finished(state, turn, goal.join, address, result.why)
          if (goal.for === 'member') unreachable(state, turn, goal.name)
          return
        }
        const peer = result.peer ?? ''
        if (goal.for === 'join') joinedWith(state, turn, goal.join, address, peer)
        dialled(state, turn, peer)
      },

      keysChanged: (state, change, turn) => keysChanged(state, turn, change),
      keysOwed: (state, { from }, turn) => dialAsker(state, turn, from),
      keysOver: (state, { id }, turn) => keysOver(state, turn, id),
      joinOver: (state, { join }, turn) => finishJoin(state, turn, join),
      parted: (state, { peer, why }, turn) => refusedBy(state, turn, peer, why),

      beat(state, { dueMs }, turn) {
        const lateMs = turn.nowMs - dueMs
        advance(state, turn.nowMs)
        turn.timer('beat', BEAT_MS, { name: 'beat', request: { dueMs: turn.nowMs + BEAT_MS } })
        if (state.outside !== undefined || state.self.status === 'left') return
        keepConnections(state, turn)
        watchNeighbours(state, turn, lateMs)
        judge(state, turn)
        locate(state, turn)
        look(state, turn)
        show(state, turn)
      },

      flush: (state, _request, turn) => flush(state, turn),
      record: (state, request, turn, caller) => beginRecording(state, turn, request, caller),
      recordOver: (state, _request, turn) => endRecording(state, turn, 'time'),
    }),
    left(state, subscriber, turn) {
      noted(state, turn, { name: 'left', request: null, from: subscriber }, () => unfollow(state, subscriber))
    },
  })
}

function unfollow(state: MembershipState, subscriber: Subscriber): void {
  const isOther = (one: { subscriber: Subscriber }) => one.subscriber.peer !== subscriber.peer || one.subscriber.feed !== subscriber.feed
  state.followers = state.followers.filter(isOther)
  state.toldFollowers = state.toldFollowers.filter(isOther)
  state.traceFollowers = state.traceFollowers.filter(isOther)
}

/** From now on this agent is a member, of a cluster of its own until it meets others. */
function begin(state: MembershipState, turn: MembershipTurn, peer: string, port: number): void {
  state.self = { ...state.self, peer, port }
  sayOfSelf(state, turn, { status: 'alive' })
  state.isMoved = true
  const { next, nowMs } = state
  next.compareMs = nowMs + turn.random.int(COMPARE_MS / 2, COMPARE_MS * 2)
  next.returnMs = nowMs + turn.random.int(RETURN_MS / 2, RETURN_MS)
}

/** An agent that had left joins again. */
function comeBack(state: MembershipState, turn: MembershipTurn): void {
  state.outside = undefined
  state.self = { ...state.self, incarnation: state.self.incarnation + 1 }
  sayOfSelf(state, turn, { status: 'alive' })
}

function happen(state: MembershipState, turn: MembershipTurn, event: GossipEvent): void {
  switch (event.did) {
    case 'connected':
      metAgain(state, turn, event.peer)
      connected(state, turn, event.peer, event.address)
      return takeEarly(state, turn, event.peer)
    case 'disconnected': {
      state.early.delete(event.peer)
      const name = disconnected(state, event.peer)
      if (name !== undefined) suspectAtOnce(state, name)
      return parted(state, turn, event.peer, event.why)
    }
    case 'message': {
      const message = readMessage(event.message)
      if (isRefused(message)) return garbage(turn, event.from, message.why)
      return takeMessage(state, turn, event.from, message)
    }
    case 'published': {
      const rumours = readRumours(event.message)
      if (isRefused(rumours)) return garbage(turn, event.from, rumours.why)
      // Whoever publishes says so first.
      const own = rumours.filter(({ via }) => via.length === 1 && state.members.get(via[0] as string)?.peer === event.from)
      return hearNews(state, turn, own, '')
    }
    case 'refused':
      return turn.print('warn', 'A peer was refused', { peer: event.who, why: event.why, times: event.times })
  }
}

function takeEarly(state: MembershipState, turn: MembershipTurn, peer: string): void {
  const hello = state.early.get(peer)
  state.early.delete(peer)
  if (hello !== undefined) takeMessage(state, turn, peer, hello)
}

function takeMessage(state: MembershipState, turn: MembershipTurn, peer: string, message: GossipMessage): void {
  const connection = state.connections.get(peer)
  if (connection === undefined) {
    if (message.do === 'hello' && state.early.size < EARLY_MAX) state.early.set(peer, message)
    if (message.do === 'refused') refusedBy(state, turn, peer, message.why)
    return
  }
  connection.heardMs = state.nowMs
  if (message.do === 'refused') {
    turn.print('error', 'A member has refused this agent', { address: textOf(connection.address), why: message.why })
    refused(state, connection, message.why)
    return refusedBy(state, turn, peer, message.why)
  }
  if (connection.refused !== undefined) return turn.count('membership.strangers')
  if (message.do === 'hello') {
    const why = introduced(state, turn, peer, connection, message)
    if (why === undefined) {
      heard(state, turn, message.me.name)
      pingForOthers(state, turn, message.me.name)
      answerOwed(state, turn, message.me.name, peer)
      correct(state, turn, peer, message.me.name)
      return
    }
    turn.print('warn', 'An agent cannot be a member', { address: connection.address.host, why })
    send(turn, peer, { do: 'refused', why })
    return refused(state, connection, why)
  }
  const { name } = connection
  if (name === undefined) return turn.count('membership.strangers')
  heard(state, turn, name)
  correct(state, turn, peer, name)
  switch (message.do) {
    case 'compare':
      return compared(state, turn, peer, message.sums)
    case 'records':
      if (takeRecords(state, turn, peer, message)) refusedBy(state, turn, peer, undefined)
      return
    case 'ping':
      return send(turn, peer, { do: 'ack', seq: message.seq })
    case 'ack':
      return answered(state, turn, message.seq)
    case 'probe':
      return probe(state, turn, peer, message)
    case 'heard':
      return heardByOthers(state, turn, message.seq)
    case 'unheard':
      return
    case 'where':
      return send(turn, peer, { do: 'here', seq: message.seq, coordinate: state.location.whereabouts.coordinate })
    case 'here':
      return located(state, turn, name, message, undefined)
    case 'keys':
      return keysAnswered(state, turn, name, message)
    case 'news':
      return hearNews(state, turn, message.rumours, peer)
  }
}

/** Takes rumours, and passes on those that are new. */
function hearNews(state: MembershipState, turn: MembershipTurn, rumours: readonly Rumour[], peer: string): void {
  for (const rumour of rumours) {
    const { via, ...news } = rumour
    if (!isNew(state, turn, news, via)) continue
    noteSpread(state.figures, rumour, turn.nowMs)
    passOn(state, turn, news, via, peer)
  }
}

function isNew(
  state: MembershipState,
  turn: MembershipTurn,
  news: Omit<Rumour, 'via'> & { is: Rumour['is'] },
  via: readonly string[],
): boolean {
  const said = news as Rumour
  switch (said.is) {
    case 'member':
      return adopt(state, turn, said.member, { via, why: 'by itself' })
    case 'accused':
      return accused(state, turn, said, via)
    case 'withdrawn':
      withdrawn(state, turn, said, via)
      return false
    case 'failed':
      return failed(state, turn, said, via)
    case 'disputed':
      return disputed(state, turn, said)
    case 'pruned':
      return forget(state, said.name, said.incarnation)
    case 'told':
      return take(state, turn, said.told)
    case 'asked':
      return keysAsked(state, turn, said)
  }
}

/** A member that counts as failed here and speaks has to hear of it: then it refutes that. */
function correct(state: MembershipState, turn: MembershipTurn, peer: string, name: string): void {
  const record = state.members.get(name)
  const connection = state.connections.get(peer)
  if (record === undefined || isThere(record) || connection === undefined || state.nowMs - connection.toldMs < TELL_MS) return
  connection.toldMs = state.nowMs
  const { incarnation } = record
  send(turn, peer, { do: 'news', rumours: [{ is: 'disputed', name, incarnation, by: state.self.name, via: [state.self.name] }] })
}

function healthOf({ health, connections, watches, figures, nowMs }: MembershipState, totals: GossipFigures | undefined): MembershipHealth {
  return {
    score: health.score,
    connections: connections.size,
    watched: [...watches.keys()].sort(),
    rates: totals && ratesOf(figures, nowMs, totals),
    totals,
    spread: spreadOf(figures),
  }
}

/** What is due now and then. */
function look(state: MembershipState, turn: MembershipTurn): void {
  const { next, nowMs, figures } = state
  if (nowMs >= figures.nextMs) {
    figures.nextMs = nowMs + SAMPLE_MS
    turn.act(networkOf(turn), { do: 'figures' }, { then: (result) => ({ name: 'counted', request: { result } }) })
  }
  if (nowMs >= next.compareMs) {
    next.compareMs = nowMs + turn.random.int(COMPARE_MS, COMPARE_MS * 2)
    const peers = [...state.connected.values()].filter((peer) => !state.comparing.has(peer))
    if (peers.length > 0) compareWith(state, turn, peers[turn.random.int(0, peers.length - 1)] as string)
  }
  if (nowMs >= next.returnMs) {
    next.returnMs = nowMs + turn.random.int(RETURN_MS / 2, RETURN_MS)
    lookForFailed(state, turn)
  }
  reap(state, turn)
  save(state, turn, false)
}

/** All members together look for each failed one about as often as one alone would. */
function lookForFailed(state: MembershipState, turn: MembershipTurn): void {
  const gone = [...state.goneSinceMs.keys()].filter((name) => state.members.get(name)?.status === 'failed')
  if (gone.length === 0 || turn.random.next() >= gone.length / Math.max(1, state.ring.length - 1)) return
  const record = state.members.get(gone[turn.random.int(0, gone.length - 1)] as string)
  if (record === undefined || state.dialling.has(textOf(addressOf(record)))) return
  dial(state, turn, addressOf(record), { for: 'member', name: record.name })
}

function garbage(turn: MembershipTurn, peer: string, why: string): void {
  turn.count('membership.garbage')
  turn.print('debug', 'A message of a peer makes no sense', { peer, why })
}
