import { Packr } from 'msgpackr'
import sortedBtree from 'sorted-btree'
import { compareKeys, keyFault } from '../../src/kernel/keys.ts'
import type { Tables } from '../../src/kernel/ports.ts'
import { assert, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import {
  CURRENT_COPY,
  copyTable,
  LOADED_COPY,
  OUTSIDE_COPIES,
  type RangeOptions,
  type Table,
  type Transaction,
  type View,
} from '../../src/kernel/tables.ts'
import type { SnapshotRow } from '../../src/snapshot/format.ts'
import type { SharedStates } from './shared-states.ts'

export type SimTablesOptions = {
  /** Calls `work` once, `ms` from now in simulated time. */
  after(ms: number, work: () => void): unknown
  /** How long the next commit takes to become durable, in ms. Commits become durable in their order whatever is drawn. */
  drawCommitMs(): number
  /** How many of the commits in flight reached the disk before a crash, in their order, though nobody was told. Default: none. */
  drawSurvivors?(inFlight: number): number
  /** Commits are durable with the next checkpoint; what becomes of them when they are due is that they are visible. */
  later?: boolean
  /** Shared with the other copies of these tables. */
  shared?: SharedStates<State> | undefined
}

export type SimTables = Tables & {
  /** Loses what was not durable; commits in flight are never answered. The tables can be used again at once, as after a restart. A
   * `process` that ends leaves all that was visible behind, a `machine` (default) only what is durable. */
  crash(what?: 'process' | 'machine'): void
  /** While set, the disk takes nothing and every transaction is refused. */
  full: boolean
  /** While set, every transaction fails. A crash ends it: the disk is opened anew. */
  failing: boolean
  /** Makes the next transaction be refused by the disk. */
  failNext(): void
  /** The newest durable state, as it is now for ever. */
  hold(): View
  /** The copy of the tables that is not in use (see `copyTable`). */
  readonly spare: SpareTables
}

/** Each of these is a commit of its own, answered once it is durable; a disk that cannot take it refuses, and nothing has changed. */
export type SpareTables = {
  put(rows: readonly SnapshotRow[], durable: (result: Result<null>) => void): void
  /** Removes up to so many rows; answers whether there are more. */
  clear(rowsMax: number, durable: (result: Result<boolean>) => void): void
  /** Says what the copy holds; from now on `copyTable` tells. */
  finish(loaded: { id: string; index: number }, durable: (result: Result<null>) => void): void
}

/** Tables in memory with the contract of the real ones. Records are packed, so that a changed record cannot change the table. */
export function createSimTables({ after, drawCommitMs, drawSurvivors = () => 0, later = false, shared }: SimTablesOptions): SimTables {
  let visible: State = EMPTY
  let written = visible
  let inFlight: Commit[] = []
  /** The last checkpoint that was answered, and those under way, in order. */
  let kept = visible
  let keeping: State[] = []
  let life = 0
  let isOpen = true
  let failsNext = false

  /** Shows and answers the commits that are due, in order. */
  function settle(): void {
    while (inFlight[0]?.isDue) {
      const { state, answer } = inFlight.shift()!
      visible = state
      answer()
    }
  }

  function commit(state: State, answer: () => void): void {
    const entry: Commit = { state, answer, isDue: false }
    inFlight.push(entry)
    after(drawCommitMs(), () => {
      entry.isDue = true
      settle()
    })
  }

  function change<R>(work: (change: Change) => R, durable: (result: Result<R>) => void): void {
    assert(isOpen, 'transact is called on open tables')
    const changing = begin(written)
    const { transaction, adopt, end } = changing
    shared?.begin(transaction, { base: written, adopt })
    let result: R
    let state: State
    try {
      result = work(changing)
    } finally {
      state = end()
    }
    shared?.end(transaction, state)
    if (tables.full || tables.failing || failsNext) {
      const refusal: Refusal = tables.full ? FULL : FAILED
      failsNext = false
      commit(written, () => durable(refusal))
    } else {
      written = state
      commit(written, () => durable(result as Result<R>))
    }
  }

  function checkpoint(done: (result: Result<null>) => void): void {
    const [state, begun] = [visible, life]
    keeping.push(state)
    after(drawCommitMs(), () => {
      if (life !== begun) return
      keeping = keeping.slice(keeping.indexOf(state) + 1)
      if (!tables.failing) kept = state
      done(tables.failing ? FAILED : null)
    })
  }

  const tables: SimTables = {
    ...(later && { checkpoint }),
    full: false,
    failing: false,
    view: () => viewOf(() => visible),
    transact: (work, durable) => change(({ transaction }) => work(transaction), durable),
    hold() {
      const held = visible
      return viewOf(() => held)
    },
    spare: spareOf(change),
    close() {
      isOpen = false
    },
    crash(what = 'machine') {
      const lost = later && what === 'machine' ? keeping : inFlight.map(({ state }) => state)
      const whole = later && what === 'machine' ? kept : visible
      visible = lost[drawSurvivors(lost.length) - 1] ?? whole
      written = visible
      inFlight = []
      if (what === 'machine') kept = visible
      keeping = []
      life++
      failsNext = false
      tables.failing = false
      isOpen = true
    },
    failNext() {
      failsNext = true
    },
  }
  return tables
}

/** By table id. Trees are never changed once they are in a state. */
export type State = ReadonlyMap<number, Tree>
type Tree = sortedBtree.default<string, Uint8Array>
type Commit = { readonly state: State; readonly answer: () => void; isDue: boolean }
/** A transaction with what is below it: the state it changes, and its trees by their numbers in the state. */
type Change = { transaction: Transaction; state: State; treeAt(id: number): Tree; adopt(state: State): void; end(): State }

const EMPTY: State = new Map()
const FULL = refuse('busy', 'disk full: simulated')
const FAILED = refuse('busy', 'disk failed: simulated')

const packr = new Packr({ useRecords: false, copyBuffers: true })

function viewOf(current: () => State): View {
  return {
    get<Record>(table: Table<Record>, key: string) {
      const state = current()
      const packed = state.get(physical(state, table.id))?.get(key.toWellFormed())
      return packed === undefined ? undefined : (packr.unpack(packed) as Record)
    },
    range<Record>(table: Table<Record>, options: RangeOptions = {}) {
      const tree = () => current().get(physical(current(), table.id))
      return { [Symbol.iterator]: () => rows<Record>(tree, options) }
    },
  }
}

/** The highest bit of a number says in which copy a table is. */
const COPY_BIT = 0x8000

function physical(state: State, id: number): number {
  return OUTSIDE_COPIES.includes(id) ? id : id | copyBitOf(state)
}

function copyBitOf(state: State): number {
  return state.get(copyTable.id)?.has(CURRENT_COPY) ? COPY_BIT : 0
}

function spareOf(change: <R>(work: (change: Change) => R, durable: (result: Result<R>) => void) => void): SpareTables {
  const spareBit = ({ state }: Change) => copyBitOf(state) ^ COPY_BIT
  return {
    put: (given, durable) =>
      change((changing) => {
        for (const [id, key, record] of given) changing.treeAt(id | spareBit(changing)).set(key, packr.pack(record))
        return null
      }, durable),
    clear: (rowsMax, durable) =>
      change((changing) => {
        changing.transaction.delete(copyTable, LOADED_COPY)
        let left = rowsMax
        for (const id of [...changing.state.keys()]) {
          if ((id & COPY_BIT) !== spareBit(changing) || OUTSIDE_COPIES.includes(id)) continue
          const tree = changing.treeAt(id)
          for (let key = tree.minKey(); key !== undefined && left > 0; key = tree.minKey()) {
            tree.delete(key)
            left--
          }
        }
        return left === 0
      }, durable),
    finish: (loaded, durable) =>
      change(({ transaction }) => {
        transaction.put(copyTable, LOADED_COPY, loaded)
        return null
      }, durable),
  }
}

/** A transaction on copies of the tables it changes. One that has taken over a state needs no changes of its own. */
function begin(base: State): Change {
  const state = new Map(base)
  const own = new Set<number>()
  let adopted: State | undefined
  let isRunning = true

  function treeAt(id: number): Tree {
    assert(isRunning, 'a transaction is used only while its work runs')
    if (!own.has(id)) {
      own.add(id)
      state.set(id, state.get(id)?.clone() ?? new sortedBtree.default<string, Uint8Array>(undefined, compareKeys))
    }
    return state.get(id)!
  }

  return {
    state,
    treeAt,
    adopt(known) {
      adopted = known
    },
    end() {
      isRunning = false
      return adopted ?? state
    },
    transaction: {
      ...viewOf(() => adopted ?? state),
      put(table, key, record) {
        if (adopted) return
        const fault = keyFault(key)
        if (fault !== undefined) throw new Error(`table ${table.name}: ${fault}`)
        treeAt(physical(state, table.id)).set(key, packr.pack(record))
      },
      delete(table, key) {
        return adopted ? false : treeAt(physical(state, table.id)).delete(key.toWellFormed())
      },
    },
  }
}

/** Goes on from the last key it showed, so that the table may change meanwhile. */
function* rows<Record>(
  current: () => Tree | undefined,
  { prefix = '', after, limit = Number.POSITIVE_INFINITY }: RangeOptions,
): Generator<readonly [string, Record], undefined> {
  const isLater = after !== undefined && compareKeys(after, prefix) >= 0
  let found = isLater ? current()?.nextHigherPair(after) : current()?.getPairOrNextHigher(prefix)
  for (let left = limit; left > 0 && found?.[0].startsWith(prefix); left--) {
    const [key, packed] = found
    yield [key, packr.unpack(packed) as Record]
    found = current()?.nextHigherPair(key)
  }
}
