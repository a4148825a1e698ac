import { kvTable } from '../actors/kv/tables.ts'
import { queryTable } from '../actors/prepared-queries/tables.ts'
import { isRefused } from '../src/kernel/refusal.ts'
import type { Table } from '../src/kernel/tables.ts'
import type { SnapshotRow } from '../src/snapshot/format.ts'
import { apisOf } from './apis.ts'
import type { SimReply } from './clients.ts'
import { connectionsOf } from './connections.ts'
import type { Operation } from './history.ts'
import { perRun } from './per-run.ts'
import { readSnapshot } from './ports/snapshots.ts'
import type { Run } from './run.ts'

const KEPT_MAX = 3

/** A snapshot that a client has saved. */
export type Saved = { node: string; index: number; id: string; rows: readonly SnapshotRow[]; bytes: Uint8Array }
/** `answeredMs` is Infinity while nobody knows what came of it. */
export type Restore = { saved: Saved; invokedMs: number; answeredMs: number; outcome?: boolean }

/** Clients that save and restore snapshots, and what everybody else must know of that. */
export class Snapshots {
  /** Everything that was saved, the oldest first. */
  readonly saved: Saved[] = []
  /** Those that may have happened. */
  readonly restores: Restore[] = []
  /** What one of them saw first and should not have. */
  wrong: string | undefined
  readonly #run: Run

  constructor(run: Run) {
    this.#run = run
  }

  save(node: string): void {
    apisOf(this.#run).request(node, 'GET', '/v1/snapshot', {}, (reply) => {
      this.#trace(`${node} saved a snapshot`, reply)
      if (reply === 'lost' || reply.status !== 200) return
      const snapshot = readSnapshot(reply.bytes)
      if (isRefused(snapshot)) {
        this.wrong ??= `${node} sent a snapshot that cannot be read: ${snapshot.why}`
        return
      }
      this.saved.push({ node, index: snapshot.header.index, id: snapshot.id, rows: snapshot.rows, bytes: reply.bytes })
      this.#run.reach('snapshot saved')
    })
  }

  /** Restores one of the newest snapshots there are, after `damage`. */
  restore(node: string, age: number, damage: 'none' | 'bit' | 'cut'): void {
    const saved = this.saved.at(-1 - (age % KEPT_MAX)) ?? this.saved[0]
    if (!saved) return
    if (damage !== 'none') return this.#restoreDamaged(node, saved, damage)
    const { world } = this.#run
    const restore: Restore = { saved, invokedMs: world.nowMs, answeredMs: Number.POSITIVE_INFINITY }
    this.restores.push(restore)
    const settled = connectionsOf(this.#run).asked.unsettle(world.nowMs)
    apisOf(this.#run).request(node, 'PUT', '/v1/snapshot', { body: saved.bytes }, (reply) => {
      this.#trace(`${node} restored index ${saved.index}`, reply)
      if (reply === 'lost' || reply.status === LATE) return this.#run.reach('restore lost')
      restore.answeredMs = world.nowMs
      restore.outcome = reply.status === 200
      settled(world.nowMs)
      if (!restore.outcome) this.restores.splice(this.restores.indexOf(restore), 1)
      this.#run.reach(restore.outcome ? 'snapshot restored' : 'restore refused')
    })
  }

  /** Whether what a server shows may have been replaced by what was there before, at some time between these two. */
  mayRestoreBetween(fromMs: number, untilMs: number): boolean {
    return this.restores.some(({ invokedMs, answeredMs }) => invokedMs <= untilMs && answeredMs >= fromMs)
  }

  /** What restores did to one register: its value in each snapshot was written. */
  operationsOn(register: string): Operation[] {
    return this.restores.map(({ saved, invokedMs, answeredMs, outcome }) => {
      const value = valueIn(saved, register)
      const operation: Operation = { client: 'restore', do: value === null ? 'delete' : 'put', value, invokedMs, answeredMs }
      return outcome === undefined ? operation : { ...operation, outcome }
    })
  }

  #restoreDamaged(node: string, { bytes }: Saved, damage: 'bit' | 'cut'): void {
    const at = this.#run.world.streams.stream('snapshots/damage').int(0, bytes.byteLength - 1)
    const body = Buffer.from(damage === 'cut' ? bytes.subarray(0, at) : bytes)
    if (damage === 'bit') body[at] = (body[at] as number) ^ 1
    apisOf(this.#run).request(node, 'PUT', '/v1/snapshot', { body }, (reply) => {
      this.#trace(`${node} was given a damaged snapshot`, reply)
      if (reply === 'lost') return
      this.#run.reach('damaged snapshot refused')
      if (reply.status === 200)
        this.wrong ??= `${node} restored a snapshot with ${damage === 'cut' ? 'its end cut off' : 'a changed bit'} at ${at}`
    })
  }

  #trace(what: string, reply: SimReply | 'lost'): void {
    const { world } = this.#run
    world.trace.add(world.nowMs, `${what}: ${reply === 'lost' ? reply : `${reply.status} ${reply.status === 200 ? '' : reply.text}`}`)
  }
}

export const snapshotsOf = perRun((run: Run) => new Snapshots(run))

/** Nobody knows what came of it. */
const LATE = 503

/** The value of a register of the history, as `sim/workloads` write it. */
function valueIn({ rows }: Saved, register: string): string | null {
  const [, kind = '', key = ''] = /^([^/]+)\/(.*)$/s.exec(register) ?? []
  if (kind === 'kv') {
    const entry = recordIn(rows, kvTable, key)
    return entry ? Buffer.from(entry.value).toString() : null
  }
  return recordIn(rows, queryTable, key)?.dns.ttl ?? null
}

function recordIn<Record>(rows: readonly SnapshotRow[], table: Table<Record>, key: string): Record | undefined {
  return rows.find(([id, name]) => id === table.id && name === key)?.[2] as Record | undefined
}
