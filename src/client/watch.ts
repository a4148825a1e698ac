import { type AskOptions, ask, type Seen } from './ask.ts'
import { isPassing } from './errors.ts'
import { pause, retryMs } from './pace.ts'
import { type HealthQuery, type ListQuery, type Read, reads } from './reads.ts'
import type { Transport } from './transport.ts'

export type WatchOptions = AskOptions & {
  /** How long one question may wait. Default: five minutes. */
  waitMs?: number
  /** Told of failures after which it is asked again. */
  onError?: (error: unknown) => void
}
/** Where values say where they stand, an answer with the same text may stand further on. */
type FollowOptions<Value> = WatchOptions & { onSame?: ((value: Value) => void) | undefined }

const WAIT_MS = 300_000
/** What says neither index nor hash is asked for at this interval. */
const INTERVAL_MS = 5_000

/**
 * The present answer and then each other one, as long as anybody takes them. While a value is looked at nothing is asked, so that the
 * next one is the newest. It ends when the signal comes. Failures that pass (nobody answers, 500 and above, 429) are waited out, later
 * and later; others are thrown.
 */
export async function* follow<Value>(
  transport: Transport,
  read: Read<Value>,
  { waitMs = WAIT_MS, onError, onSame, ...options }: FollowOptions<Value> = {},
): AsyncGenerator<Value, void, undefined> {
  const { signal } = options
  let seen: Seen = {}
  let shown: string | undefined
  for (let failures = 0; !signal?.aborted; ) {
    try {
      const answer = await ask(transport, read, options, isNothing(seen) ? undefined : { seen, waitMs })
      failures = 0
      if (isNothing(answer.seen) && shown !== undefined) await pause(INTERVAL_MS, signal)
      seen = seenAfter(seen, answer.seen)
      if (signal?.aborted) return
      if (answer.text === shown) {
        onSame?.(answer.value)
        continue
      }
      shown = answer.text
      yield answer.value
    } catch (error) {
      if (signal?.aborted) return
      if (!isPassing(error)) throw error
      failures += 1
      seen = {}
      onError?.(error)
      await pause(retryMs(failures), signal)
    }
  }
}

/** Indexes that went back count from the start, and none is 0. */
export function seenAfter(before: Seen, { index, hash }: Seen): Seen {
  if (hash !== undefined) return { hash }
  if (index === undefined) return {}
  if (before.index !== undefined && BigInt(index) < BigInt(before.index)) return {}
  return { index: index === '0' ? '1' : index }
}

function isNothing({ index, hash }: Seen): boolean {
  return index === undefined && hash === undefined
}

/** What can be watched, each as an async iterator. */
export function watchesOf(transport: Transport) {
  const of = <Value>(read: Read<Value>, options?: WatchOptions) => follow(transport, read, options)
  return {
    /** The entry; undefined while there is none. */
    key: (key: string, options?: WatchOptions) => of(reads.key(key), options),
    /** All entries whose keys begin with it. */
    prefix: (prefix: string, options?: WatchOptions) => of(reads.prefix(prefix), options),
    keys: (prefix: string, options?: WatchOptions & { separator?: string }) => of(reads.keys(prefix, options?.separator), options),
    nodes: (options?: WatchOptions & ListQuery) => of(reads.nodes(options), options),
    /** Tags by name. */
    services: (options?: WatchOptions & ListQuery) => of(reads.services(options), options),
    /** Instances of a service with their checks. */
    service: (name: string, options?: WatchOptions & HealthQuery) => of(reads.healthService(name, options), options),
    /** Where a service can be reached over Connect. */
    connect: (name: string, options?: WatchOptions & HealthQuery) => of(reads.healthConnect(name, options), options),
    /** Checks of a service. */
    checks: (service: string, options?: WatchOptions & ListQuery) => of(reads.healthChecks(service, options), options),
    /** Checks in a state. */
    state: (state: Parameters<typeof reads.healthState>[0], options?: WatchOptions & ListQuery) =>
      of(reads.healthState(state, options), options),
    session: (id: string, options?: WatchOptions) => of(reads.session(id), options),
    intentions: (options?: WatchOptions) => of(reads.intentions(), options),
    /** The newest events of that name, or of all; the oldest is first. */
    events: (name?: string, options?: WatchOptions) => of(reads.events(name), options),
    /** A service of this agent; undefined while it has none of that id. */
    agentService: (id: string, options?: WatchOptions) => of(reads.agentService(id), options),
  }
}
