import { randomUUID } from 'node:crypto'
import type { Clock } from '../../src/kernel/ports.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import type { Etcd } from './client.ts'
import type { EtcdKeys } from './keys.ts'
import type { Condition, Operation, TxnAnswer } from './messages.ts'

/**
 * Keeps appends whose fate is unknown from landing late. Each append compares the fence, and nobody appends with one that may have
 * been put more than FRESH_MS ago without changing it. So an append that was on its way for longer than that finds another fence
 * once a newer one has landed, and does not happen. Clocks need not agree, but in how long a second is.
 */
export type Fence = {
  /** What the next append is guarded with. */
  readonly known: Known
  /** Carries the operations out if the fence is what is known of it, which they change if it may be old. What they find comes first. */
  guarded(operations: Operation[]): Promise<Result<TxnAnswer>>
  /** Makes sure that no append that was guarded with this fence can happen from now on. */
  close(known: Known): Promise<Result<TxnAnswer>>
}
/** '': there was none yet. */
export type Known = string

export type FenceOptions = { etcd: Pick<Etcd, 'txn'>; keys: EtcdKeys; clock: Pick<Clock, 'monotonicMs' | 'wallMs'> }

/** A proposer that stops sending must wait for longer than this before it says that nobody knows what became of it. */
export const FRESH_MS = 2_000

export function createFence({ etcd, keys, clock }: FenceOptions): Fence {
  let known: Known = ''
  /** Before these moments the known fence was not there. */
  let bornAfter = NEVER
  /** At these moments it was there for sure. */
  let seenAt = NEVER

  const now = (): Moment => ({ monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() })
  const isFresh = (at: Moment) => at.monotonicMs - bornAfter.monotonicMs < FRESH_MS && Math.abs(at.wallMs - bornAfter.wallMs) < FRESH_MS

  async function guarded(operations: Operation[]): Promise<Result<TxnAnswer>> {
    const began = now()
    const given = known
    const next = isFresh(began) ? undefined : randomUUID()
    const answer = await etcd.txn({
      when: [conditionOf(keys, given)],
      then: next === undefined ? operations : [...operations, { do: 'put', key: keys.fence, value: next }],
      otherwise: [{ do: 'range', key: keys.fence }],
    })
    if (isRefused(answer)) return answer
    if (answer.succeeded) learn(given, next ?? given, began, began)
    else learn(given, answer.found[0]?.[0]?.value.toString() ?? '', began, seenAt)
    return answer
  }

  /** A request that began then and was made with `given` has shown what the fence is. If that is another one, it was not there before `born`. */
  function learn(given: Known, shown: Known, began: Moment, born: Moment): void {
    // An answer that was overtaken tells nothing new.
    if (given !== known) return
    if (shown !== known) bornAfter = born
    known = shown
    seenAt = began
  }

  async function close(given: Known): Promise<Result<TxnAnswer>> {
    const log: Operation = { do: 'range', key: keys.log, keysOnly: true }
    const next = randomUUID()
    const began = now()
    const answer = await etcd.txn({
      when: [conditionOf(keys, given)],
      then: [log, { do: 'put', key: keys.fence, value: next }],
      otherwise: [log],
    })
    if (!isRefused(answer) && answer.succeeded) learn(given, next, began, began)
    return answer
  }

  return {
    get known() {
      return known
    },
    guarded,
    close,
  }
}

type Moment = { readonly monotonicMs: number; readonly wallMs: number }
const NEVER: Moment = { monotonicMs: Number.NEGATIVE_INFINITY, wallMs: Number.NEGATIVE_INFINITY }

function conditionOf({ fence }: EtcdKeys, known: Known): Condition {
  return known === '' ? { key: fence, absent: true } : { key: fence, value: known }
}
