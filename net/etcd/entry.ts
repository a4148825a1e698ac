import { Packr, Unpackr } from 'msgpackr'
import type { LogRequest } from '../../src/kernel/ports.ts'
import { type Result, refuse } from '../../src/kernel/refusal.ts'

/** One group as it stands in the log, by the id of its proposal. */
export type Entry = { readonly id: string; readonly commands: LogRequest['commands'] }
/** What fits into one entry: how many commands of the group, and their bytes. */
export type Piece = { readonly count: number; readonly packed: readonly Buffer[] }

/** etcd takes 1.5 MiB in one request, with all that is around the entry. */
export const ENTRY_BYTES_MAX = 1_400_000

/** The group in as few pieces as fit into entries, in its order. Refused if one command alone is too large. */
export function piecesOf(commands: LogRequest['commands']): Result<Piece[]> {
  const pieces: { count: number; packed: Buffer[] }[] = []
  let room = 0
  for (const command of commands) {
    // Packing gives a view of a pool that is used again.
    const bytes = Buffer.from(packr.pack(command))
    const size = bytes.byteLength + COMMAND_OVERHEAD_BYTES
    if (size > ENTRY_BYTES_MAX) {
      return refuse(
        'invalid',
        `the change has ${bytes.byteLength} bytes, the log takes ${ENTRY_BYTES_MAX - COMMAND_OVERHEAD_BYTES} at most`,
      )
    }
    if (size > room) {
      pieces.push({ count: 0, packed: [] })
      room = ENTRY_BYTES_MAX
    }
    const last = pieces.at(-1)!
    last.count++
    last.packed.push(bytes)
    room -= size
  }
  return pieces
}

export function packEntry(id: string, { packed }: Piece): Buffer {
  return Buffer.from(packr.pack([id, ...packed]))
}

/** Throws if the bytes are no entry. */
export function readEntry(bytes: Uint8Array): Entry {
  const items: unknown = unpackr.unpack(bytes)
  if (!Array.isArray(items) || typeof items[0] !== 'string') throw new Error('an entry of the log is malformed')
  const [id, ...packed] = items as [string, ...Uint8Array[]]
  return { id, commands: packed.map((command) => unpackr.unpack(command) as object) }
}

const packr = new Packr({ useRecords: false, moreTypes: false })
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true })
const COMMAND_OVERHEAD_BYTES = 8
