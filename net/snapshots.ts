import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { LAST_INDEX, lastIndex, metaTable } from '../actors/command.ts'
import { tables as known } from '../actors/tables.ts'
import type { Clock, Device, SnapshotOutcome, SnapshotRequest } from '../src/kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../src/kernel/refusal.ts'
import { copyTable, LOADED_COPY } from '../src/kernel/tables.ts'
import { appliedMark, appliedPosition } from '../src/replica.ts'
import { SNAPSHOT_TERM, SNAPSHOT_VERSION, type SnapshotHeader, type SnapshotRow } from '../src/snapshot/format.ts'
import { openSnapshot, type SnapshotFile, Unreadable } from '../src/snapshot/read.ts'
import { writeSnapshot } from '../src/snapshot/write.ts'
import type { HeldTables, OpenTables } from './tables.ts'

export type Snapshots = Device<SnapshotRequest, SnapshotOutcome> & {
  /** Ends once what is under way has come to a stop. */
  close(): Promise<void>
}
export type SnapshotsOptions = {
  tables: OpenTables
  clock: Pick<Clock, 'wallMs'>
  /** What was loaded stays until it was taken or something else is loaded: an entry of a shared log may name it. */
  keepsLoaded?: boolean
}

/** Rows that are read, or written as one commit, before the thread does its other work. */
const PORTION_ROWS = 1_024
/** Long values are long commits: a portion is cut where it has this many bytes. */
const PORTION_BYTES_MAX = 256 * 1024
/** Removing takes room on the disk too. */
const CLEAR_ROWS = 512
const CLEAR_ROWS_FULL = 8

/** Where snapshots wait that come in or go out. */
export function snapshotDirectory(tablesDirectory: string): string {
  return join(tablesDirectory, 'snapshots')
}

/** Makes the directory and removes what a killed process left in it. For the first that uses it. */
export function prepareSnapshotDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { force: true })
}

/** A new name for a file in the directory. */
export function snapshotPath(directory: string): string {
  return join(directory, `${randomUUID()}.snap`)
}

/** One thing after the other, in portions: the thread does its other work in between. */
export function createSnapshots({ tables, clock, keepsLoaded = false }: SnapshotsOptions): Snapshots {
  const directory = snapshotDirectory(tables.directory)
  let last: Promise<void> = Promise.resolve()
  let hasEnded = false

  async function perform(request: SnapshotRequest): Promise<Result<SnapshotOutcome>> {
    try {
      if (hasEnded) return ENDED
      if (request.do === 'save') return await save(tables, directory, clock.wallMs())
      if (request.do === 'remove') {
        await rm(request.path, { force: true })
        return NOTHING
      }
      if (request.do === 'clear') {
        if (keepsLoaded && tables.view().get(copyTable, LOADED_COPY)) return NOTHING
        return (await clear(tables, () => hasEnded)) ?? NOTHING
      }
      return await load(tables, request.path, () => hasEnded)
    } catch (error) {
      return refuse('busy', `the snapshot failed: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  return {
    perform(request, done) {
      last = last.then(() => perform(request)).then(done)
    },
    async close() {
      hasEnded = true
      await last
    },
  }
}

const NOTHING: SnapshotOutcome = { path: '', id: '', index: 0, bytes: 0 }
const ENDED: Refusal = refuse('gone', 'the agent is stopping')

async function save(tables: OpenTables, directory: string, timeMs: number): Promise<Result<SnapshotOutcome>> {
  const path = snapshotPath(directory)
  const held = tables.hold()
  try {
    const index = lastIndex(held)
    const header: SnapshotHeader = {
      version: SNAPSHOT_VERSION,
      id: `${SNAPSHOT_TERM}-${index}-${Math.round(timeMs)}`,
      index,
      timeMs,
      tables: await counted(held),
    }
    await writeSnapshot(path, header, portionsOf(held))
    return { path, id: header.id, index, bytes: 0, position: appliedPosition(held), mark: appliedMark(held) }
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    held.release()
  }
}

/** The last index is in the header. */
const saved = known.filter(({ id }) => id !== metaTable.id)

async function counted(held: HeldTables): Promise<SnapshotHeader['tables']> {
  const counts: SnapshotHeader['tables'] = []
  for (const table of saved) {
    counts.push({ id: table.id, name: table.name, rows: held.count(table) })
    await nextTurn()
  }
  return counts
}

async function* portionsOf(held: HeldTables): AsyncGenerator<readonly SnapshotRow[]> {
  for (const table of saved) {
    let portion: SnapshotRow[] = []
    for (const [key, record] of held.range(table)) {
      portion.push([table.id, key, record])
      if (portion.length < PORTION_ROWS) continue
      yield portion
      portion = []
      await nextTurn()
    }
    if (portion.length > 0) yield portion
  }
}

async function load(tables: OpenTables, path: string, hasEnded: () => boolean): Promise<Result<SnapshotOutcome>> {
  try {
    const snapshot = await openSnapshot(path)
    if (isRefused(snapshot)) return snapshot
    const { header, sha256, bytes } = snapshot
    const unknown = header.tables.find(({ id, name }) => !saved.some((table) => table.id === id && table.name === name))
    if (unknown) return refuse('invalid', `failed to read snapshot: it has a table that this version does not know: ${unknown.name}`)
    const failed = (await clear(tables, hasEnded)) ?? (await fill(tables, snapshot, hasEnded))
    if (failed) return (await clear(tables, hasEnded)) ?? failed
    return { path: '', id: sha256, index: header.index, bytes }
  } finally {
    await rm(path, { force: true })
  }
}

async function fill(
  { spare }: OpenTables,
  { header, sha256, portions }: SnapshotFile,
  hasEnded: () => boolean,
): Promise<Refusal | undefined> {
  try {
    for await (const { rows, bytes } of portions()) {
      const size = Math.max(1, Math.floor((rows.length * PORTION_BYTES_MAX) / Math.max(bytes, PORTION_BYTES_MAX)))
      for (let from = 0; from < rows.length; from += size) {
        if (hasEnded()) return ENDED
        const refused = spare.put(rows.slice(from, from + size))
        if (refused) return refused
        await nextTurn()
      }
    }
  } catch (error) {
    if (error instanceof Unreadable) return refuse('invalid', `failed to read snapshot: ${error.message}`)
    throw error
  }
  return spare.put([[metaTable.id, LAST_INDEX, { value: header.index }]]) ?? spare.finish({ id: sha256, index: header.index })
}

async function clear({ spare }: OpenTables, hasEnded: () => boolean): Promise<Refusal | undefined> {
  let rowsMax = CLEAR_ROWS
  for (;;) {
    if (hasEnded()) return ENDED
    const more = spare.clear(rowsMax)
    if (isRefused(more)) {
      if (rowsMax === CLEAR_ROWS_FULL) return more
      rowsMax = CLEAR_ROWS_FULL
    } else if (!more) return undefined
    await nextTurn()
  }
}
