import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { Clock, Devices, Ports, SnapshotOutcome, SnapshotRequest } from '../../src/kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { Etcd } from './client.ts'
import type { Place } from './follower.ts'
import type { EtcdKeys } from './keys.ts'

export type TransferOptions = {
  etcd: Etcd
  keys: EtcdKeys
  snapshots: Devices['snapshots']
  clock: Pick<Clock, 'monotonicMs'>
  /** A name for a file that does not exist yet. */
  newPath(): string
  ended: AbortSignal
}

/** Tables on their way from one server to another, in pieces that are gone from etcd as soon as they have arrived. */
export type Received = Place & { snapshotId: string }

const PIECE_BYTES = 512 * 1024
const LEASE_S = 30
const KEEP_EVERY_MS = 5_000
const LOOK_EVERY_MS = 250
/** Whoever promised a snapshot and does not give it after this long is not waited for any more. */
const GIVE_WITHIN_MS = 120_000

/** Asks the other servers for their tables, and loads them beside these. */
export async function receiveTables({ etcd, keys, snapshots, clock, newPath, ended }: TransferOptions): Promise<Result<Received>> {
  const lease = await etcd.grant(LEASE_S)
  if (isRefused(lease)) return lease
  const id = randomUUID()
  const over = new AbortController()
  const kept = keepLease(etcd, lease.id, AbortSignal.any([ended, over.signal]))
  try {
    const asked = await etcd.txn({ when: [], then: [{ do: 'put', key: keys.wanted.key + id, value: String(lease.id), lease: lease.id }] })
    if (isRefused(asked)) return asked
    const given = await untilGiven(etcd, keys.given(id), clock, ended)
    if (isRefused(given)) return given
    const path = newPath()
    const written = await download(etcd, keys, id, given.pieces, path)
    if (written) return written
    const loaded = await performed(snapshots, { do: 'load', path })
    return isRefused(loaded) ? loaded : { position: given.position, revision: given.revision, snapshotId: loaded.id }
  } finally {
    over.abort()
    await kept
    await etcd.revoke(lease.id)
  }
}

/** Gives this server's tables to those who want some, unless another one sees to it. Refused with why somebody did not get them. */
export async function giveTables({ etcd, keys, snapshots }: Omit<TransferOptions, 'ended'>, server: string): Promise<Refusal | undefined> {
  const wanted = await etcd.range(keys.wanted)
  if (isRefused(wanted)) return wanted
  for (const { key, value } of wanted.found) {
    const id = key.slice(keys.wanted.key.length)
    const lease = BigInt(value.toString())
    const claim = keys.claim(id)
    const claimed = await etcd.txn({ when: [{ key: claim, absent: true }], then: [{ do: 'put', key: claim, value: server, lease }] })
    if (isRefused(claimed)) return claimed
    if (!claimed.succeeded) continue
    const saved = await performed(snapshots, { do: 'save' })
    if (isRefused(saved)) return saved
    const refusal = await upload(etcd, keys, id, lease, saved)
    await performed(snapshots, { do: 'remove', path: saved.path })
    if (refusal) return refusal
  }
  return undefined
}

type Given = Place & { pieces: number }

async function untilGiven(etcd: Etcd, key: string, clock: TransferOptions['clock'], ended: AbortSignal): Promise<Result<Given>> {
  const giveUpAtMs = clock.monotonicMs() + GIVE_WITHIN_MS
  while (clock.monotonicMs() < giveUpAtMs && !ended.aborted) {
    const answer = await etcd.range({ key })
    const given = isRefused(answer) ? undefined : answer.found[0]
    if (given) return JSON.parse(given.value.toString()) as Given
    await pause(LOOK_EVERY_MS, undefined, { signal: ended }).catch(() => undefined)
  }
  return refuse('busy', 'no other server gives its tables to this one, which lacks entries of the log that are not in etcd any more')
}

/** Writes what was put under an id into a new file. */
export async function download(etcd: Etcd, keys: EtcdKeys, id: string, pieces: number, path: string): Promise<Refusal | undefined> {
  const file = await open(path, 'wx', 0o600)
  try {
    for (let number = 0; number < pieces; number++) {
      const answer = await again(() => etcd.range({ key: keys.piece(id, number) }))
      if (isRefused(answer)) return answer
      const [piece] = answer.found
      if (!piece) return refuse('busy', 'a piece of the tables is gone')
      await file.write(piece.value)
    }
  } finally {
    await file.close()
  }
  return undefined
}

/** Puts a file under an id, for as long as the lease. */
export async function upload(etcd: Etcd, keys: EtcdKeys, id: string, lease: bigint, saved: SnapshotOutcome): Promise<Refusal | undefined> {
  let pieces = 0
  for await (const value of createReadStream(saved.path, { highWaterMark: PIECE_BYTES })) {
    const key = keys.piece(id, pieces++)
    const put = await again(() => etcd.txn({ when: [], then: [{ do: 'put', key, value: value as Buffer, lease }] }))
    if (isRefused(put)) return put
  }
  const given: Given = { position: saved.position ?? 0, revision: saved.mark ?? 0, pieces }
  const told = await etcd.txn({ when: [], then: [{ do: 'put', key: keys.given(id), value: JSON.stringify(given), lease }] })
  return isRefused(told) ? told : undefined
}

/** One bad moment of a member of etcd is no reason to begin anew. What is asked may happen twice. */
async function again<Answer>(ask: () => Promise<Result<Answer>>): Promise<Result<Answer>> {
  const answer = await ask()
  return isRefused(answer) && (answer.refused === 'busy' || answer.refused === 'late') ? ask() : answer
}

async function keepLease(etcd: Etcd, lease: bigint, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await pause(KEEP_EVERY_MS, undefined, { signal: over }).catch(() => undefined)
    if (!over.aborted) await etcd.keepAlive(lease)
  }
}

/** Gives back the room of tables whose place others have taken. */
export async function clearReplaced(snapshots: Devices['snapshots'], print: Ports['print']): Promise<void> {
  const cleared = await performed(snapshots, { do: 'clear' })
  if (isRefused(cleared)) print('warn', 'log', 'what was replaced still takes room on the disk', { error: cleared.why })
}

export function performed(snapshots: Devices['snapshots'], request: SnapshotRequest): Promise<Result<SnapshotOutcome>> {
  return new Promise((resolve) => snapshots.perform(request, resolve, () => undefined))
}
