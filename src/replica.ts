import type { LogOutcome, LogRequest, Tables } from './kernel/ports.ts'
import { assert, isRefused, type Refusal, type Result } from './kernel/refusal.ts'
import { type Transaction, table, type View } from './kernel/tables.ts'
import type { LocalLogOptions } from './local-log.ts'

type Commands = LogRequest['commands']

export type ReplicaOptions = Pick<LocalLogOptions, 'apply' | 'onCommitted'> & {
  tables: Pick<Tables, 'view' | 'transact' | 'checkpoint'>
  /** Calls `work` once, no sooner than `ms` from now. */
  after(ms: number, work: () => void): unknown
  /** Called once when the tables do not take an entry, and once with undefined when they do again. Default: nobody is told. */
  refused?(refusal: Refusal | undefined): void
}

export type Replica = {
  /**
   * Takes the entry at a position. Positions begin with 1 and leave no gap; one that was taken before is ignored. `done` is called
   * once the entry is visible here and its notice is out. If `apply` throws, so does this, or the work given to
   * `after`: the entry has not happened and stays the next one. `mark` is kept with the position.
   * `more`: the next entry is delivered in the same turn, and this one becomes visible with it.
   */
  deliver(position: number, commands: Commands, done?: (outcome: LogOutcome) => void, mark?: number, more?: boolean): void
  /** The position of the last entry that is visible here; 0 if there is none. */
  applied(): number
  /** The last entry that a power cut does not take from these tables, as far as it is known. What comes after must stay in the log. */
  durable(): Required<Applied>
  /** Other tables with another position have taken the place of these, while nothing was under way: goes on behind that. */
  moved(): void
  /** From now on nothing is called any more. What is with the disk may still become durable. */
  end(): void
}

/**
 * One server's copy of a replicated log: applies entries in order, those that wait together in one transaction that also stores the
 * position of the last; each entry is in one transaction as a whole. A disk
 * that takes nothing is asked again, later and later, for as long as it takes; what comes after waits. Nothing of an earlier
 * replica may be under way to the tables. The log has what it brought durably: so where the tables have checkpoints, nobody waits for
 * them, they are made at intervals, and what a power cut takes is brought again.
 */
export function createReplica({ tables, apply, onCommitted, after, refused }: ReplicaOptions): Replica {
  /** Those from `first` on are not durable; of these, the first `inFlight` are with the disk. */
  let entries: Entry[] = []
  let first = 0
  let inFlight = 0
  let taken = appliedPosition(tables.view())
  let refusals = 0
  let isRefusing = false
  let isWaiting = false
  let hasEnded = false
  let durable: Required<Applied> = { position: 0, mark: 0 }
  let isKeeping = false
  let hasComplained = false

  function next(): void {
    const inFlightMax = refusals > 0 ? 1 : IN_FLIGHT_MAX
    while (!hasEnded && !isWaiting && !isRefusing && inFlight < inFlightMax && first + inFlight < entries.length) {
      const group = entries.slice(first + inFlight, first + inFlightMax)
      tables.transact(
        (tx) => applyInOrder(tx, group),
        (result) => settled(group, result),
      )
      inFlight += group.length
    }
  }

  /** Leaves everything as it is if an earlier entry was refused meanwhile. */
  function applyInOrder(tx: Transaction, group: readonly Entry[]): LogOutcome[] | undefined {
    const [{ position }, last] = [group[0] as Entry, group.at(-1) as Entry]
    const before = appliedPosition(tx)
    assert(before < position, 'one replica at a time applies entries to its tables')
    if (before < position - 1) return undefined
    const outcomes = group.map(({ commands }) => apply(tx, commands))
    setApplied(tx, { position: last.position, ...(last.mark !== undefined && { mark: last.mark }) })
    return outcomes
  }

  function settled(group: readonly Entry[], result: Result<LogOutcome[] | undefined>): void {
    if (hasEnded) return
    inFlight -= group.length
    if (result === undefined || isRefused(result)) {
      isRefusing = true
      if (result !== undefined) say(result)
    } else {
      say(undefined)
      assert(group[0] === entries[first] && !isRefusing, 'entries become durable in their order')
      entries.fill(NO_ENTRY, first, first + group.length)
      first += group.length
      if (first === entries.length || first > GARBAGE_MAX) {
        entries = entries.slice(first)
        first = 0
      }
      refusals = 0
      group.forEach(({ done }, at) => {
        if (hasEnded) return
        const outcome = result[at] as LogOutcome
        onCommitted(outcome.notice)
        done?.(outcome)
      })
    }
    if (!isRefusing) next()
    else if (inFlight === 0) tryLater()
    keepLater()
  }

  function say(refusal: Refusal | undefined): void {
    if (hasComplained === (refusal !== undefined)) return
    hasComplained = refusal !== undefined
    refused?.(refusal)
  }

  /** What is visible some time from now is made durable. */
  function keepLater(): void {
    if (tables.checkpoint === undefined || isKeeping || hasEnded || durable.position === appliedPosition(tables.view())) return
    isKeeping = true
    after(CHECKPOINT_MS, () => {
      if (hasEnded) return
      const reached = appliedIn(tables.view())
      tables.checkpoint?.((result) => {
        isKeeping = false
        if (!isRefused(result)) durable = reached
        keepLater()
      })
    })
  }

  keepLater()

  function tryLater(): void {
    isRefusing = false
    isWaiting = true
    after(Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** refusals++), () => {
      isWaiting = false
      next()
    })
  }

  return {
    deliver(position, commands, done, mark, more = false) {
      if (hasEnded || position <= taken) return
      assert(position === taken + 1, `entries arrive without a gap; ${position} came after ${taken}`)
      taken = position
      entries.push({ position, commands, done, mark })
      if (!more) next()
    },
    applied: () => appliedPosition(tables.view()),
    durable: () => (tables.checkpoint === undefined ? appliedIn(tables.view()) : durable),
    moved() {
      assert(entries.length === first, 'tables are replaced while no entry is under way')
      taken = appliedPosition(tables.view())
      keepLater()
    },
    end() {
      hasEnded = true
    },
  }
}

/** The position of the last entry applied to these tables; 0 if there is none. */
export function appliedPosition(view: View): number {
  return view.get(appliedTable, APPLIED_KEY)?.position ?? 0
}

/** The id of the log that these tables are a copy of; undefined if they are nobody's copy. */
export function originOf(view: View): string | undefined {
  return view.get(originTable, ORIGIN_KEY)?.id
}

export function setOrigin(tx: Transaction, id: string): void {
  tx.put(originTable, ORIGIN_KEY, { id })
}

/** Says that everything up to an entry is in these tables. */
export function setApplied(tx: Transaction, applied: Applied): void {
  tx.put(appliedTable, APPLIED_KEY, applied)
}

/** What was kept with the position of the last entry; 0 if nothing was. */
export function appliedMark(view: View): number {
  return view.get(appliedTable, APPLIED_KEY)?.mark ?? 0
}

/** The last entry that is in these tables, and what was kept with it; zeros if there is none. */
function appliedIn(view: View): Required<Applied> {
  return { position: 0, mark: 0, ...view.get(appliedTable, APPLIED_KEY) }
}

type Applied = { position: number; mark?: number }
type Entry = {
  readonly position: number
  readonly commands: Commands
  readonly done: ((outcome: LogOutcome) => void) | undefined
  readonly mark: number | undefined
}

const NO_ENTRY: Entry = { position: 0, commands: [], done: undefined, mark: undefined }
/** Beside those of actors/command.ts. */
const appliedTable = table<Applied>('applied', 3)
const APPLIED_KEY = 'log'
/** Beside it: neither is in any copy. */
const originTable = table<{ id: string }>('origin', appliedTable.id)
const ORIGIN_KEY = 'origin'
const RETRY_MS_MIN = 50
const RETRY_MS_MAX = 1_000
/** Entries that are with the disk at once. */
const IN_FLIGHT_MAX = 64
/** What a power cut may take from the tables, and the log must bring again. */
const CHECKPOINT_MS = 1_000
/** Entries that are done with, before their places are given back. */
const GARBAGE_MAX = 1_024
