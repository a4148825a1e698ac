import { isRefused, type Refusal, type Result, refuse } from '../kernel/refusal.ts'
import { type HttpClient, parseJson } from './http.ts'
import { changeKey, type LockEntry, lockEntries } from './lock-session.ts'

/** What is asked of a lock by one session. Source: Consul's clients, which share these keys with this program. */
export type LockKind = {
  /** The key that holds the lock, or what all its keys begin with. */
  readonly key: string
  readonly recurse: boolean
  /** Makes the session known as one that wants the lock. */
  contend(): Promise<Result<null>>
  /**
   * Takes the lock if these entries say that it can be taken. `held` has the number that grows with every holder; `busy`: wait for
   * a change; `delayed`: nobody has it and yet nobody may, so only time helps.
   */
  take(entries: readonly LockEntry[]): Promise<Result<Taking>>
  holds(entries: readonly LockEntry[]): boolean
  release(): Promise<Result<null>>
  /** Deletes what nobody uses any more. */
  cleanUp(): Promise<Result<null>>
}
export type Taking = { held: number } | 'busy' | 'delayed'

/** Marks of the keys, so that nobody takes another's key for a lock. */
export const LOCK_FLAGS = 0x2ddccbc058a50c18n
export const SEMAPHORE_FLAGS = 0xe0f69a2baa414de0n

const LOST_RACE_TRIES = 10

/** One holder at a time: the session that has the lock of the key. */
export function exclusiveLock(http: HttpClient, prefix: string, session: string): LockKind {
  const key = `${prefix}/.lock`
  const find = (entries: readonly LockEntry[]) => entries.find((entry) => entry.Key === key)
  return {
    key,
    recurse: false,
    contend: async () => null,
    async take(entries) {
      const before = find(entries)
      if (before && !isMarked(before, LOCK_FLAGS)) return refuse('conflict', 'Existing key does not match lock use')
      if (before?.Session && before.Session !== session) return 'busy'
      const locked = await changeKey(http, 'PUT', key, { acquire: session, flags: String(LOCK_FLAGS) })
      if (isRefused(locked)) return locked
      const now = await lockEntries(http, key, {})
      if (isRefused(now)) return now
      const after = find(now.entries)
      if (after?.Session === session) return { held: after.ModifyIndex }
      return after?.Session ? 'busy' : 'delayed'
    },
    holds: (entries) => find(entries)?.Session === session,
    async release() {
      const released = await changeKey(http, 'PUT', key, { release: session, flags: String(LOCK_FLAGS) })
      return isRefused(released) || released.done ? nullOf(released) : refuse('conflict', 'the lock was not held any more')
    },
    async cleanUp() {
      const now = await lockEntries(http, key, {})
      if (isRefused(now)) return now
      const left = find(now.entries)
      if (!left || left.Session || !isMarked(left, LOCK_FLAGS)) return null
      return nullOf(await changeKey(http, 'DELETE', key, { cas: String(left.ModifyIndex) }))
    },
  }
}

type Holders = { Limit: number; Holders: Record<string, boolean> }

/** Up to `limit` holders: sessions that a record names, each with a key of its own that shows whether it still lives. */
export function semaphore(http: HttpClient, prefix: string, session: string, limit: number): LockKind {
  const recordKey = `${prefix}/.lock`
  const ownKey = `${prefix}/${session}`
  const flags = String(SEMAPHORE_FLAGS)

  function recordOf(entries: readonly LockEntry[]): Result<{ record: Holders; index: number }> {
    const entry = entries.find(({ Key }) => Key === recordKey)
    if (!entry) return { record: { Limit: limit, Holders: {} }, index: 0 }
    if (!isMarked(entry, SEMAPHORE_FLAGS)) return refuse('conflict', 'Existing key does not match semaphore use')
    const read = parseJson<Holders>(Buffer.from(entry.Value ?? '', 'base64').toString('utf8'), recordKey)
    if (isRefused(read)) return read
    const alive = new Set(entries.flatMap(({ Session }) => (Session ? [Session] : [])))
    const holders = Object.entries(read.value.Holders ?? {}).filter(([id]) => alive.has(id))
    return { record: { Limit: read.value.Limit, Holders: Object.fromEntries(holders) }, index: entry.ModifyIndex }
  }
  function writeRecord(record: Holders, index: number): Promise<Result<{ done: boolean }>> {
    return changeKey(http, 'PUT', recordKey, { cas: String(index), flags }, JSON.stringify(record))
  }

  return {
    key: `${prefix}/`,
    recurse: true,
    async contend() {
      const locked = await changeKey(http, 'PUT', ownKey, { acquire: session, flags })
      if (isRefused(locked)) return locked
      return locked.done ? null : refuse('conflict', 'failed to make contender entry')
    },
    async take(entries) {
      const found = recordOf(entries)
      if (isRefused(found)) return found
      const { record, index } = found
      if (record.Limit !== limit) {
        return refuse('conflict', `semaphore limit conflict (lock: ${record.Limit}, local: ${limit})`)
      }
      if (Object.keys(record.Holders).length >= limit) return 'busy'
      const written = await writeRecord({ Limit: limit, Holders: { ...record.Holders, [session]: true } }, index)
      if (isRefused(written)) return written
      const now = await lockEntries(http, `${prefix}/`, { recurse: true })
      if (isRefused(now)) return now
      const after = now.entries.find(({ Key }) => Key === recordKey)
      return written.done && after && this.holds(now.entries) ? { held: after.ModifyIndex } : 'busy'
    },
    holds(entries) {
      const found = recordOf(entries)
      return !isRefused(found) && found.record.Holders[session] === true
    },
    async release() {
      for (let tries = 0; tries < LOST_RACE_TRIES; tries++) {
        const now = await lockEntries(http, `${prefix}/`, { recurse: true })
        const found = isRefused(now) ? now : recordOf(now.entries)
        if (isRefused(found)) return found
        if (!found.record.Holders[session]) break
        const { [session]: _own, ...others } = found.record.Holders
        const written = await writeRecord({ Limit: found.record.Limit, Holders: others }, found.index)
        if (isRefused(written)) return written
        if (written.done) break
      }
      return nullOf(await changeKey(http, 'DELETE', ownKey, {}))
    },
    async cleanUp() {
      const now = await lockEntries(http, `${prefix}/`, { recurse: true })
      const found = isRefused(now) ? now : recordOf(now.entries)
      if (isRefused(found)) return found
      if (found.index === 0 || Object.keys(found.record.Holders).length > 0) return null
      return nullOf(await changeKey(http, 'DELETE', recordKey, { cas: String(found.index) }))
    },
  }
}

/** The numbers are larger than JSON's are exact, and equal once both are rounded. */
function isMarked({ Flags }: LockEntry, flags: bigint): boolean {
  return Flags === Number(flags)
}

function nullOf(result: Result<unknown>): null | Refusal {
  return isRefused(result) ? result : null
}
