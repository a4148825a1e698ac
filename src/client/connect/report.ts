import { randomUUID } from 'node:crypto'
import { isPassing, ResponseError } from '../errors.ts'
import { pause, retryMs } from '../pace.ts'
import { encodePath } from '../reads.ts'
import type { Transport } from '../transport.ts'
import type { Log } from './events.ts'
import type { Identity } from './identity.ts'
import type { Rules } from './rules.ts'

/** Tells the agent what a service has in force in this process, instance by instance, as long as somebody serves as that. */
export type Reporter = {
  /** Somebody serves as the instance `id` from now on, with so many connections open. Resolves once the agent was asked to take it,
   * whatever it said. */
  begin(id: string, open: () => number): Promise<Reported>
}
export type Reported = {
  /** It serves no more. With the last one of its instance the agent is told so. */
  end(): Promise<void>
}
export type ReporterParts = { identity: Identity; rules: Rules; signal: AbortSignal; log: Log }

type Instance = {
  readonly id: string
  /** How many connections each of those who serve has open. */
  readonly open: Set<() => number>
  readonly ending: AbortController
  readonly first: Promise<void>
  readonly ended: Promise<void>
}

/** What was told holds for so long, so it is told again before. */
const TTL_MS = 30_000
const AGAIN_MS = 10_000
const TELL_MS = 5_000
const NO_SUCH_SERVICE = 404

export function createReporter(transport: Transport, { identity, rules, signal, log }: ReporterParts): Reporter {
  const process = randomUUID()
  const instances = new Map<string, Instance>()
  const tell = async ({ id, open }: Pick<Instance, 'id' | 'open'>, ending: AbortSignal): Promise<void> => {
    const { rootIds, rootsIndex, serial, validFrom, validUntil } = identity.material()
    const { index, tookMs, closed } = rules.inForce()
    const body = {
      Process: process,
      TTL: `${TTL_MS}ms`,
      TrustedRoots: rootIds,
      RootsIndex: rootsIndex,
      LeafSerialNumber: serial,
      LeafValidAfter: validFrom,
      LeafValidBefore: validUntil,
      IntentionIndex: index,
      EnforcedMs: tookMs,
      ClosedConnections: closed.get(id) ?? 0,
      ConnectionsOpen: [...open].reduce((sum, count) => sum + count(), 0),
    }
    await transport.request('PUT', pathOf(id), { body, signal: ending, timeoutMs: TELL_MS })
  }
  const tellEnd = async (id: string): Promise<void> => {
    try {
      await transport.request('DELETE', pathOf(id), { query: { process }, timeoutMs: TELL_MS })
    } catch (error) {
      // An agent that is away finds out by itself, and one that never knew of reports has none.
      if (!(error instanceof ResponseError) && !isPassing(error)) log({ did: 'failed', what: 'report', error })
    }
  }
  const begun = (id: string): Instance => {
    const open = new Set<() => number>()
    const ending = new AbortController()
    const over = AbortSignal.any([signal, ending.signal])
    const { first, ended } = keepTelling(over, () => tell({ id, open }, over), {
      changes: [identity.onRenewed, rules.onEnforced],
      // An agent without the service, or of a kind that knows no reports, is asked again and not complained about.
      failed: (error) => {
        if (!(error instanceof ResponseError && error.status === NO_SUCH_SERVICE)) log({ did: 'failed', what: 'report', error })
      },
    })
    return { id, open, ending, first, ended }
  }
  return {
    async begin(id, open) {
      const instance = instances.get(id) ?? begun(id)
      instances.set(id, instance)
      instance.open.add(open)
      await instance.first
      return {
        async end() {
          instance.open.delete(open)
          if (instance.open.size > 0 || instance.ending.signal.aborted) return
          instances.delete(id)
          instance.ending.abort()
          await instance.ended
          await tellEnd(id)
        },
      }
    },
  }
}

export type KeepTelling = {
  /** What makes it tell anew at once; each answers what ends that. */
  changes: readonly ((changed: () => void) => () => void)[]
  /** Of several failures in a row, the first. */
  failed: (error: unknown) => void
}

/** Tells, at each change and every 10 s, until the signal comes, one request at a time. `first` resolves after the first one. */
export function keepTelling(
  signal: AbortSignal,
  tell: () => Promise<void>,
  { changes, failed }: KeepTelling,
): Record<'first' | 'ended', Promise<void>> {
  let isDue = false
  let nap = new AbortController()
  const due = () => {
    isDue = true
    nap.abort()
  }
  const stops = changes.map((on) => on(due))
  let told: () => void = () => undefined
  const first = new Promise<void>((resolve) => {
    told = resolve
  })
  const keep = async () => {
    signal.addEventListener('abort', due)
    for (let failures = 0; !signal.aborted; ) {
      isDue = false
      nap = new AbortController()
      try {
        await tell()
        failures = 0
      } catch (error) {
        if (!signal.aborted && failures++ === 0) failed(error)
      }
      told()
      if (!isDue) await pause(failures > 0 ? Math.min(AGAIN_MS, retryMs(failures)) : AGAIN_MS, nap.signal)
    }
    signal.removeEventListener('abort', due)
    for (const stop of stops) stop()
  }
  return { first, ended: keep() }
}

function pathOf(id: string): string {
  return `/v1/tribune/report/${encodePath(id)}`
}
