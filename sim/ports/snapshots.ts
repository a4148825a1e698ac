import { createHash } from 'node:crypto'
import { LAST_INDEX, lastIndex, metaTable } from '../../actors/command.ts'
import { tables as known } from '../../actors/tables.ts'
import type { Device, SnapshotOutcome, SnapshotRequest } from '../../src/kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { View } from '../../src/kernel/tables.ts'
import {
  END,
  framed,
  headerOf,
  LENGTH_BYTES,
  MAGIC,
  SNAPSHOT_TERM,
  SNAPSHOT_VERSION,
  type SnapshotHeader,
  type SnapshotRow,
  TRAILER_BYTES,
  trailerOf,
  unpacked,
} from '../../src/snapshot/format.ts'
import type { SimTables } from './tables.ts'

export type SimSnapshotsOptions = {
  tables: SimTables
  files: SnapshotFiles
  wallMs(): number
  /** Calls `work` once, `ms` from now in simulated time, unless the thread ends. */
  later(ms: number, work: () => void): void
  /** How long the next portion takes to be read from a file or written to one, in ms. */
  drawPortionMs(): number
}
type Snapshots = Device<SnapshotRequest, SnapshotOutcome>
type Done = (outcome: Result<SnapshotOutcome>) => void

/** Rows that are loaded, and removed, as one commit. Small, so that crashes come in between. */
const PORTION_ROWS = 16
const CLEAR_ROWS = 64

/** The files with snapshots of one machine, while its process runs. */
export class SnapshotFiles {
  readonly #bytes = new Map<string, Uint8Array>()
  #count = 0

  /** Writes a file; answers its path. */
  add(bytes: Uint8Array): string {
    const path = `/data/snapshots/${++this.#count}.snap`
    this.#bytes.set(path, bytes)
    return path
  }

  /** Reads a file and removes it. */
  take(path: string): Uint8Array | undefined {
    const bytes = this.#bytes.get(path)
    this.#bytes.delete(path)
    return bytes
  }

  clear(): void {
    this.#bytes.clear()
  }
}

/** One thing after the other, as the real ones: a load is many commits, between which everything else goes on. */
export function createSimSnapshots(options: SimSnapshotsOptions): Snapshots {
  const { files, later } = options
  const waiting: { request: SnapshotRequest; done: Done }[] = []
  let isBusy = false

  function next(): void {
    const first = isBusy ? undefined : waiting.shift()
    if (!first) return
    isBusy = true
    const { request, done } = first
    const finish: Done = (outcome) => {
      isBusy = false
      // The disk is done when it is done; the thread hears of it in a turn of its own.
      later(0, () => done(outcome))
      next()
    }
    if (request.do === 'save') save(options, finish)
    else if (request.do === 'load') load(options, files.take(request.path), finish)
    else if (request.do === 'clear') clear(options, (refused) => finish(refused ?? NOTHING))
    else {
      files.take(request.path)
      finish(NOTHING)
    }
  }

  return {
    perform(request, done) {
      waiting.push({ request, done })
      next()
    },
  }
}

const NOTHING: SnapshotOutcome = { path: '', id: '', index: 0, bytes: 0 }
/** The last index is in the header. */
const saved = known.filter(({ id }) => id !== metaTable.id)

function save({ tables, files, later, drawPortionMs, wallMs }: SimSnapshotsOptions, done: Done): void {
  const held = tables.hold()
  const { header, bytes } = snapshotOf(held, wallMs())
  later(drawPortionMs() * portionsOf(header), () => {
    if (tables.full || tables.failing) return done(refuse('busy', 'the snapshot failed: the disk takes nothing'))
    done({ path: files.add(bytes), id: header.id, index: header.index, bytes: 0 })
  })
}

function load({ later, drawPortionMs, ...options }: SimSnapshotsOptions, bytes: Uint8Array | undefined, done: Done): void {
  const snapshot = bytes ? readSnapshot(bytes) : refuse('busy', 'the snapshot failed: its file is gone')
  if (isRefused(snapshot)) return done(snapshot)
  const { header, id, rows } = snapshot
  const { spare } = options.tables
  const give = (refused: Refusal) => clear({ ...options, later, drawPortionMs }, (failed) => done(failed ?? refused))
  const fill = (from: number): void => {
    if (from >= rows.length) return finish()
    spare.put(rows.slice(from, from + PORTION_ROWS), (result) => {
      if (isRefused(result)) return give(result)
      later(drawPortionMs(), () => fill(from + PORTION_ROWS))
    })
  }
  const finish = () =>
    spare.put([[metaTable.id, LAST_INDEX, { value: header.index }]], (result) => {
      if (isRefused(result)) return give(result)
      spare.finish({ id, index: header.index }, (finished) =>
        isRefused(finished) ? give(finished) : done({ path: '', id, index: header.index, bytes: bytes?.byteLength ?? 0 }),
      )
    })
  clear({ ...options, later, drawPortionMs }, (refused) => (refused ? done(refused) : fill(0)))
}

function clear({ tables }: SimSnapshotsOptions, done: (refused: Refusal | undefined) => void): void {
  tables.spare.clear(CLEAR_ROWS, (more) => {
    if (isRefused(more)) done(more)
    else if (more) clear({ tables } as SimSnapshotsOptions, done)
    else done(undefined)
  })
}

/** All tables of a view as a file: the parts of the real one, uncompressed. */
export function snapshotOf(view: View, timeMs: number): { header: SnapshotHeader; bytes: Uint8Array } {
  const index = lastIndex(view)
  const rows = saved.map((table) => [...view.range(table)].map(([key, record]): SnapshotRow => [table.id, key, record]))
  const header: SnapshotHeader = {
    version: SNAPSHOT_VERSION,
    id: `${SNAPSHOT_TERM}-${index}-${Math.round(timeMs)}`,
    index,
    timeMs,
    tables: saved.map(({ id, name }, at) => ({ id, name, rows: rows[at]?.length ?? 0 })),
  }
  const body = Buffer.concat([MAGIC, framed(header), framed(rows.flat()), END])
  return { header, bytes: Buffer.concat([body, trailerOf(sha256(body))]) }
}

/** What a file holds; `id` is what names it. A file of which any bit was changed is refused. */
export function readSnapshot(bytes: Uint8Array): Result<{ header: SnapshotHeader; id: string; rows: readonly SnapshotRow[] }> {
  const file = Buffer.from(bytes)
  const body = file.subarray(0, -TRAILER_BYTES)
  const id = sha256(body)
  if (!file.subarray(-TRAILER_BYTES).equals(trailerOf(id))) return refuse('invalid', 'failed to read snapshot: its sum does not fit')
  const headerFrame = frameAt(body, MAGIC.byteLength)
  const header = headerOf(unpacked(headerFrame))
  if (isRefused(header)) return header
  const rows = unpacked(frameAt(body, MAGIC.byteLength + LENGTH_BYTES + headerFrame.byteLength)) as SnapshotRow[]
  return { header, id, rows }
}

function frameAt(body: Buffer, at: number): Buffer {
  return body.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + body.readUInt32BE(at))
}

function portionsOf({ tables }: SnapshotHeader): number {
  return Math.ceil(tables.reduce((sum, { rows }) => sum + rows, 0) / PORTION_ROWS) + 1
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
