import { isFirst } from '../../src/kernel/heard-of.ts'
import { keyBytes } from '../../src/kernel/keys.ts'
import type { Told } from './protocol.ts'
import { announce } from './spread.ts'
import type { MembershipState, MembershipTurn } from './state.ts'

/** Of one topic. */
const KEPT_MAX = 256
/** Remembered so that each counts once. */
export const HEARD_OF_MAX = 4_096
/** See `weightOf`. */
export const BODY_BYTES_MAX = 1_024

/** Tells all members. Answers the Lamport time. */
export function tell(state: MembershipState, turn: MembershipTurn, topic: string, body: object): number {
  const told: Told = { id: turn.random.uuid(), topic, from: state.self.name, lamportTime: ++state.lamportTime, body }
  take(state, turn, told)
  announce(state, turn, { is: 'told', told })
  return told.lamportTime
}

/** Takes what somebody told. Answers whether it is new and to be passed on. */
export function take(state: MembershipState, turn: MembershipTurn, told: Told): boolean {
  if (!isFirst(state.heardOf, told.id, HEARD_OF_MAX)) return false
  state.lamportTime = Math.max(state.lamportTime, told.lamportTime)
  const kept = keptOf(state, told.topic)
  kept.newest.push(told)
  if (kept.newest.length > KEPT_MAX) kept.newest.shift()
  kept.count++
  for (const { topic, subscriber } of state.toldFollowers) if (topic === told.topic) turn.emit(subscriber, kept.count, [...kept.newest])
  return true
}

export function keptOf(state: MembershipState, topic: string): { newest: Told[]; count: number } {
  let kept = state.told.get(topic)
  if (kept === undefined) state.told.set(topic, (kept = { newest: [], count: 0 }))
  return kept
}

/** About how many bytes something takes in a message: texts, bytes, and one for each thing that is neither. Deeply nested things weigh without end. */
export function weightOf(value: unknown, depth = 0): number {
  if (typeof value === 'string') return keyBytes(value)
  if (value instanceof Uint8Array) return value.byteLength
  if (typeof value !== 'object' || value === null) return 1
  if (depth === DEPTH_MAX) return Number.POSITIVE_INFINITY
  let bytes = 1
  for (const [key, item] of Object.entries(value)) bytes += keyBytes(key) + weightOf(item, depth + 1)
  return bytes
}

const DEPTH_MAX = 8
