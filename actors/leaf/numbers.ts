import type { Turn } from '../../src/kernel/actor.ts'
import type { StoreOutcome } from '../../src/kernel/ports.ts'
import type { Message } from '../../src/kernel/protocol.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'

/**
 * The indexes of leaves. They are this agent's own, so that they grow whoever signs and whichever server is asked: from a number that is
 * kept, or if nothing was from the seconds of the clock. Many are reserved at once, so that giving one out writes nothing.
 */
export type Numbers = { next: number; until: number; phase: 'loading' | 'reserving' | 'ready' }
export type NumbersOutcome = Result<StoreOutcome>

type Then<Own> = (outcome: NumbersOutcome) => Message<Own>

const KIND = 'leaf-index'
const KEY = 'reserved'
const RESERVED = 1_000_000

export function loadNumbers<Own>(turn: Turn<Own>, then: Then<Own>): Numbers {
  turn.act('store', { do: 'load' }, { then })
  return { next: 0, until: 0, phase: 'loading' }
}

/** Takes what the store said. What cannot be kept is told to the operator, and then only the clock makes the next life's numbers higher. */
export function settleNumbers<Own>(numbers: Numbers, outcome: NumbersOutcome, turn: Turn<Own>, then: Then<Own>): void {
  if (isRefused(outcome)) turn.print('warn', 'the indexes of leaf certificates are not kept', { error: outcome.why })
  if (numbers.phase !== 'loading') {
    numbers.phase = 'ready'
    return
  }
  const kept = isRefused(outcome) ? undefined : outcome.records.find(({ kind, key }) => kind === KIND && key === KEY)?.record
  numbers.next = Math.max(isReservation(kept) ? kept.until : 1, Math.floor(turn.nowMs / 1_000))
  reserve(numbers, turn, then)
}

/** The index of the next leaf. Only once the phase is `ready`. */
export function nextNumber<Own>(numbers: Numbers, turn: Turn<Own>, then: Then<Own>): number {
  const number = numbers.next++
  if (number === numbers.until - RESERVED / 2) reserve(numbers, turn, then)
  return number
}

function reserve<Own>(numbers: Numbers, turn: Turn<Own>, then: Then<Own>): void {
  if (numbers.phase === 'loading') numbers.phase = 'reserving'
  numbers.until = numbers.next + RESERVED
  turn.act('store', { do: 'save', kind: KIND, key: KEY, record: { until: numbers.until } }, { then })
}

function isReservation(record: unknown): record is { until: number } {
  return typeof record === 'object' && record !== null && 'until' in record && Number.isSafeInteger(record.until)
}
