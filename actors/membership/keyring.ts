import { isFirst } from '../../src/kernel/heard-of.ts'
import type { GossipOutcome } from '../../src/kernel/ports.ts'
import type { Caller } from '../../src/kernel/protocol.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { dialMember } from './links.ts'
import type { GossipMessage } from './messages.ts'
import type { KeyAnswer, KeyRequest } from './protocol.ts'
import { announce } from './spread.ts'
import { isPresent, type MembershipState, type MembershipTurn, networkOf, send } from './state.ts'
import { HEARD_OF_MAX } from './told.ts'

/** Of Serf: the more members, the longer. */
const ANSWERS_MS = 3_200
/** So that not all members dial the one who asks at once: up to so long for each of them. */
const SPREAD_MS = 5
/** Answers that wait for a connection, and how long they do. */
const OWED_MAX = 64
const OWED_MS = 10_000

/** Keys of this agent, and questions about those of others. */
export type Keyring = {
  /** The one in use first. */
  keys: readonly string[]
  /** What this agent has asked, by its id. */
  asked: Map<string, { caller: Caller<KeyAnswer[]>; answers: Map<string, KeyAnswer>; missing: Set<string> }>
  /** Answers for members with whom there is no connection yet, by their name. */
  owed: Map<string, { answer: GossipMessage; untilMs: number }>
}

export function newKeyring(keys: readonly string[]): Keyring {
  return { keys, asked: new Map(), owed: new Map() }
}

/** Asks all members, this one too. Answered once all have answered, or after as long as that may take. */
export function askKeys(state: MembershipState, turn: MembershipTurn, request: KeyRequest, caller: Caller<KeyAnswer[]>): void {
  const id = turn.random.uuid()
  const missing = new Set([...state.ring, state.self.name])
  state.keyring.asked.set(id, { caller, answers: new Map(), missing })
  turn.timer(`keys/${id}`, ANSWERS_MS * Math.ceil(Math.log10(missing.size + 1)), { name: 'keysOver', request: { id } })
  // A key is said aloud only where nobody else can hear it.
  const said = state.keyring.keys.length === 0 && request.do !== 'list' ? { ...request, key: '' } : request
  isFirst(state.heardOf, id, HEARD_OF_MAX)
  announce(state, turn, { is: 'asked', id, from: state.self.name, request: said })
  doAsked(state, turn, id, state.self.name, said)
}

/** Somebody asks all members about their keys. Answers whether that is new. */
export function keysAsked(state: MembershipState, turn: MembershipTurn, asked: { id: string; from: string; request: KeyRequest }): boolean {
  if (!isFirst(state.heardOf, asked.id, HEARD_OF_MAX)) return false
  if (isPresent(state, asked.from)) doAsked(state, turn, asked.id, asked.from, asked.request)
  return true
}

/** Keys were changed, or could not be. */
export function keysChanged(
  state: MembershipState,
  turn: MembershipTurn,
  { id, from, before, result }: { id: string; from: string; before: readonly string[]; result: Result<GossipOutcome> },
): void {
  if (isRefused(result)) state.keyring.keys = before
  answer(state, turn, id, from, isRefused(result) ? result.why : '')
}

/** A member has answered. */
export function keysAnswered(
  state: MembershipState,
  turn: MembershipTurn,
  name: string,
  { id, keys, why }: { id: string; keys: string[]; why: string },
): void {
  const question = state.keyring.asked.get(id)
  if (!question?.missing.delete(name)) return
  const isServer = state.members.get(name)?.tags['role'] === 'consul'
  question.answers.set(name, { name, isServer, keys, why })
  if (question.missing.size === 0) keysOver(state, turn, id)
}

/** Whoever has not answered by now is not waited for. */
export function keysOver({ keyring, members }: MembershipState, turn: MembershipTurn, id: string): void {
  const question = keyring.asked.get(id)
  if (question === undefined) return
  keyring.asked.delete(id)
  turn.cancel(`keys/${id}`)
  const silent = [...question.missing].map((name) => ({
    name,
    isServer: members.get(name)?.tags['role'] === 'consul',
    keys: [],
    why: null,
  }))
  turn.answer(
    question.caller,
    [...question.answers.values(), ...silent].sort((a, b) => (a.name < b.name ? -1 : 1)),
  )
}

/** A member is connected now: it gets the answers that it waits for. */
export function answerOwed(state: MembershipState, turn: MembershipTurn, name: string, peer: string): void {
  for (const [key, { answer, untilMs }] of state.keyring.owed) {
    if (key.endsWith(`/${name}`) && state.nowMs < untilMs) send(turn, peer, answer)
    if (key.endsWith(`/${name}`) || state.nowMs >= untilMs) state.keyring.owed.delete(key)
  }
}

function doAsked(state: MembershipState, turn: MembershipTurn, id: string, from: string, request: KeyRequest): void {
  const before = state.keyring.keys
  const keys = changed(before, request)
  if (isRefused(keys)) return answer(state, turn, id, from, keys.why)
  if (keys === before) return answer(state, turn, id, from, '')
  state.keyring.keys = keys
  const then = (result: Result<GossipOutcome>) => ({ name: 'keysChanged' as const, request: { id, from, before, result } })
  turn.act(networkOf(turn), { do: 'keys', keys: [...keys] }, { then })
}

/** The keys after a request; the same list if nothing changes. Texts: those of Serf and memberlist. */
export function changed(keys: readonly string[], request: KeyRequest): Result<readonly string[]> {
  if (keys.length === 0) return refuse('conflict', 'Keyring is empty (encryption not enabled)')
  switch (request.do) {
    case 'list':
      return keys
    case 'install':
      return keys.includes(request.key) ? keys : [...keys, request.key]
    case 'use':
      if (!keys.includes(request.key)) return refuse('conflict', 'Requested key is not in the keyring')
      return keys[0] === request.key ? keys : [request.key, ...keys.filter((key) => key !== request.key)]
    case 'remove':
      if (keys[0] === request.key) return refuse('conflict', 'Removing the primary key is not allowed')
      return keys.includes(request.key) ? keys.filter((key) => key !== request.key) : keys
  }
}

function answer(state: MembershipState, turn: MembershipTurn, id: string, from: string, why: string): void {
  const keys = why === '' ? [...state.keyring.keys] : []
  if (from === state.self.name) return keysAnswered(state, turn, from, { id, keys, why })
  const message: GossipMessage = { do: 'keys', id, keys, why }
  const peer = state.connected.get(from)
  if (peer !== undefined) return send(turn, peer, message)
  const { owed } = state.keyring
  if (owed.size >= OWED_MAX) owed.delete(owed.keys().next().value as string)
  owed.set(`${id}/${from}`, { answer: message, untilMs: state.nowMs + OWED_MS })
  const dialMs = turn.random.int(0, SPREAD_MS * state.ring.length)
  turn.timer(`owed/${id}`, dialMs, { name: 'keysOwed', request: { from } })
}

/** There is somebody to answer to, and no connection. */
export function dialAsker(state: MembershipState, turn: MembershipTurn, from: string): void {
  const peer = state.connected.get(from)
  if (peer === undefined) dialMember(state, turn, from)
  else answerOwed(state, turn, from, peer)
}
