import { lastIndex } from '../../actors/command.ts'
import { intentionsTo } from '../../actors/intentions/queries.ts'
import { type Enforcement, enforcement } from '../../actors/reports/queries.ts'
import { parseDuration } from '../config/durations.ts'
import type { Host } from '../kernel/host.ts'
import { recordReads } from '../kernel/recording-view.ts'
import { isRefused } from '../kernel/refusal.ts'
import type { EdgeSettings, HttpReply } from './route.ts'

/** What a write of intentions waits for, and for how long. */
export type EnforcementWait = {
  destination: string
  withinMs: number
  /** The last index before the write, and when it began by the monotonic clock. */
  since: number
  beganMs: number
}

const PARAMETER = 'wait-enforced'
const WITHIN_MS = 5_000

/** What `?wait-enforced` (5 s) or `?wait-enforced=10s` asks for; undefined if it is not there. */
export function enforcementWait(
  query: URLSearchParams,
  destination: string,
  host: Host,
  { maxWaitMs }: Pick<EdgeSettings, 'maxWaitMs'>,
): EnforcementWait | HttpReply | undefined {
  const written = query.get(PARAMETER)
  if (written === null) return undefined
  const withinMs = written === '' ? WITHIN_MS : parseDuration(written)
  if (isRefused(withinMs)) return { status: 400, text: `Invalid ${PARAMETER}: ${withinMs.why}` }
  if (withinMs <= 0) return { status: 400, text: `Invalid ${PARAMETER}: ${JSON.stringify(written)} is not above 0` }
  const { tables, clock } = host.ports
  return { destination, withinMs: Math.min(withinMs, maxWaitMs), since: lastIndex(tables.view()), beganMs: clock.monotonicMs() }
}

/**
 * Calls `done` once with the headers that prove it: when every sidecar that takes connections for the destination has the newest
 * intentions in force, or with what holds when the time is over. The answer gives up waiting.
 */
export function whenEnforced(
  host: Host,
  { destination, withinMs, since, beganMs }: EnforcementWait,
  done: (headers: Record<string, string>) => void,
): () => void {
  const { tables, clock } = host.ports
  const index = intentionsTo(tables.view(), destination).index
  let forget = nothing
  let cancel = nothing
  const look = (isOver: boolean) => {
    const { view, reads } = recordReads(tables.view())
    const found = enforcement(view, { destination, index, since })
    if (found.done || isOver) {
      stop()
      done(proof(found, clock.monotonicMs() - beganMs))
    } else forget = host.waiters.add(reads, () => look(false))
  }
  const stop = () => {
    cancel()
    forget()
  }
  cancel = clock.after(withinMs, () => look(true))
  look(false)
  return stop
}

/** How long it took is measured from the beginning of the request until the proof had come. */
function proof({ intentionIndex, proxies, silent, done }: Enforcement, tookMs: number): Record<string, string> {
  const enforced = proxies.filter((proxy) => proxy.done)
  return {
    'X-Tribune-Enforced': String(done),
    'X-Tribune-Intention-Index': String(intentionIndex),
    'X-Tribune-Enforced-Proxies': `${enforced.length}/${proxies.length}`,
    'X-Tribune-Enforced-Ms': String(Math.ceil(tookMs)),
    'X-Tribune-Closed-Connections': String(enforced.reduce((sum, { closed }) => sum + closed, 0)),
    'X-Tribune-Silent-Proxies': String(silent.length),
  }
}

function nothing(): void {
  // Nobody waits yet.
}
