import { ask, type Seen } from './ask.ts'
import { isPassing, LockConflictError, LockTimeoutError, ResponseError, SessionLostError } from './errors.ts'
import { pause, retryMs } from './pace.ts'
import { encodePath, json, reads } from './reads.ts'
import type { KvPair, SessionRequest } from './shapes.ts'
import type { Transport } from './transport.ts'
import { bytesOf } from './values.ts'
import { seenAfter } from './watch.ts'

export type LockOptions = {
  /** Kept in the key while the lock is held, for others to read. */
  value?: string | Uint8Array
  /** Who does not renew for this long has lost the lock. At least 10 s. Default: 15 s. */
  ttlMs?: number
  /** After a holder was lost nobody gets the lock before this is over. Default: 15 s. */
  lockDelayMs?: number
  /** Shown in lists of sessions. Default: `Lock <key>`. */
  name?: string
  /** `delete`: the key goes when its holder is lost. Then the token begins again. Default: `release`. */
  behavior?: 'release' | 'delete'
  /** Gives up with a LockTimeoutError. Default: never. 0: unless it is free now. */
  withinMs?: number
  /** Gives up with the signal's reason. A lock that is held already stays. */
  signal?: AbortSignal
  /** What the key has, whenever it changes before the lock is held. */
  onWaiting?: (pair: KvPair | undefined) => void
}

/** A lock that is held, until `lost` says otherwise. */
export type Lock = {
  readonly key: string
  /**
   * Larger for each next holder, as long as nobody deletes the key. Send it along with what the lock protects, and let that refuse
   * whoever comes with a smaller one: then a holder that does not know yet that it has lost the lock does no harm.
   */
  readonly token: number
  /** The id of the session that holds it. */
  readonly session: string
  /** Aborted as soon as the lock is not held any more, or may not be, with an Error as its reason; on `release` too. */
  readonly lost: AbortSignal
  /** Gives the lock back; nobody has to wait then. */
  release(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** The mark of keys that are locks, by which Consul's own clients know them as well. */
const LOCK_FLAGS = 0x2ddccbc058a50c18n
const TTL_MS = 15_000
const WAIT_MS = 60_000
/** How often a lock that is free and yet cannot be had is asked for: its last holder was lost. */
const DELAYED_MS = 1_000
const RENEW_PART = 3

/** Waits for the lock of a key, takes it and renews it. */
export async function takeLock(transport: Transport, key: string, options: LockOptions = {}): Promise<Lock> {
  const { ttlMs = TTL_MS, lockDelayMs, name = `Lock ${key}`, behavior = 'release', withinMs, signal } = options
  const request: SessionRequest = { Name: name, TTL: `${ttlMs}ms`, Behavior: behavior }
  if (lockDelayMs !== undefined) request.LockDelay = `${lockDelayMs}ms`
  const session = await keepSession(transport, request, ttlMs, signal)
  const stops = [session.lost, ...(signal ? [signal] : [])]
  try {
    const deadlineMs = withinMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + withinMs
    const pair = await acquire(transport, key, session.id, AbortSignal.any(stops), deadlineMs, options)
    return held(transport, key, session, pair)
  } catch (error) {
    await session.end()
    throw signal?.aborted ? signal.reason : error
  }
}

/** Tries, and waits for a change of the key, until it works. */
async function acquire(
  transport: Transport,
  key: string,
  session: string,
  signal: AbortSignal,
  deadlineMs: number,
  { value = '', onWaiting }: LockOptions,
): Promise<KvPair> {
  const path = `/v1/kv/${encodePath(key)}`
  for (;;) {
    signal.throwIfAborted()
    const before = await ask(transport, reads.key(key), { consistency: 'consistent', signal })
    if (before.value && BigInt(before.value.Flags) !== LOCK_FLAGS) {
      throw new LockConflictError(`${key} is there and is not a lock: it has other flags`)
    }
    const isFree = before.value?.Session === undefined || before.value.Session === session
    if (isFree) {
      await transport.request('PUT', path, { query: { acquire: session, flags: LOCK_FLAGS }, body: value, signal })
      const { value: now } = await ask(transport, reads.key(key), { consistency: 'consistent', signal })
      if (now?.Session === session) return now
    }
    onWaiting?.(before.value)
    const leftMs = deadlineMs - performance.now()
    if (leftMs <= 0) throw new LockTimeoutError(`${key} is held by somebody else`)
    if (isFree) await pause(Math.min(DELAYED_MS, leftMs), signal)
    else await ask(transport, reads.key(key), { signal }, { seen: before.seen, waitMs: Math.min(WAIT_MS, leftMs) })
  }
}

/** Looks after a lock that is held: whoever takes the key away from its session ends it. */
function held(transport: Transport, key: string, session: KeptSession, pair: KvPair): Lock {
  const ending = new AbortController()
  const lost = AbortSignal.any([session.lost, ending.signal])
  const watching = (async () => {
    for (let failures = 0, seen: Seen = {}; !lost.aborted; ) {
      try {
        const now = await ask(transport, reads.key(key), { signal: lost }, { seen, waitMs: WAIT_MS })
        if (now.value?.Session !== session.id) ending.abort(new Error(`the lock of ${key} was taken away`))
        seen = seenAfter(seen, now.seen)
        failures = 0
      } catch (error) {
        // While nobody can be asked, the session says how long the lock is held for sure.
        if (!isPassing(error) && !lost.aborted) ending.abort(error)
        failures += 1
        seen = {}
        await pause(retryMs(failures), lost)
      }
    }
  })()
  let releasing: Promise<void> | undefined
  const release = async () => {
    ending.abort(new Error(`the lock of ${key} was released`))
    await watching
    try {
      const { value: now } = await ask(transport, reads.key(key), { consistency: 'consistent' })
      if (now?.Session !== session.id) return
      const query = { release: session.id, flags: LOCK_FLAGS }
      await transport.request('PUT', `/v1/kv/${encodePath(key)}`, { query, body: bytesOf(now) })
    } finally {
      await session.end()
    }
  }
  const once = () => (releasing ??= release())
  return { key, token: pair.LockIndex, session: session.id, lost, release: once, [Symbol.asyncDispose]: once }
}

type KeptSession = { id: string; lost: AbortSignal; end(): Promise<void> }

/** A session that is renewed until it ends. It counts as lost once its time may be over on the servers. */
async function keepSession(transport: Transport, request: SessionRequest, ttlMs: number, signal?: AbortSignal): Promise<KeptSession> {
  let sureUntilMs = performance.now() + ttlMs
  const created = await transport.request('PUT', '/v1/session/create', { body: request, signal })
  const { ID: id } = json<{ ID: string }>(created)
  const losing = new AbortController()
  const ending = new AbortController()
  const either = AbortSignal.any([losing.signal, ending.signal])
  let deadline = setTimeout(expired, sureUntilMs - performance.now())
  function expired(): void {
    losing.abort(new SessionLostError(`session ${id} could not be renewed in time`))
  }
  const renewing = (async () => {
    for (let failures = 0; !either.aborted; ) {
      await pause(failures === 0 ? ttlMs / RENEW_PART : Math.min(retryMs(failures), ttlMs / RENEW_PART), either)
      if (either.aborted) break
      const askedMs = performance.now()
      try {
        await transport.request('PUT', `/v1/session/renew/${id}`, { signal: either, timeoutMs: ttlMs / RENEW_PART })
        failures = 0
        sureUntilMs = askedMs + ttlMs
        clearTimeout(deadline)
        deadline = setTimeout(expired, sureUntilMs - performance.now())
      } catch (error) {
        failures += 1
        if (error instanceof ResponseError && error.status === 404) losing.abort(new SessionLostError(`session ${id} has ended`))
      }
    }
    clearTimeout(deadline)
  })()
  return {
    id,
    lost: losing.signal,
    async end() {
      ending.abort()
      await renewing
      // What cannot be reached now ends the session by itself when its time is over.
      await transport.request('PUT', `/v1/session/destroy/${id}`).catch((error: unknown) => {
        if (!isPassing(error)) throw error
      })
    },
  }
}
