import type { Turn } from '../../src/kernel/actor.ts'
import type { LogLevel } from '../../src/kernel/ports.ts'
import { decisionsRef, type RefusedKind, type RefusedSide } from '../decisions/protocol.ts'
import type { Decision } from '../intentions/decide.ts'
import { metricOf } from './metrics.ts'
import { pairName } from './pairs.ts'
import type { ProxyOwn, ProxyState } from './state.ts'

type Told = {
  side: RefusedSide
  kind: RefusedKind
  cause: string
  /** A service's name; '' if it is not known. */
  source?: string
  /** The proxy's own service if not given. */
  destination?: string
  uri?: string
  serial?: string
  from?: string
}

/** Counts a refused connection, and leaves a record of it where there is somebody who keeps them. */
export function tellRefused(state: ProxyState, turn: Turn<ProxyOwn>, told: Told): void {
  const { args, refusals } = state
  const { side, kind, source = '', destination = args.service } = told
  const known = refusals.find((one) => one.side === side && one.kind === kind)
  if (known) known.count++
  else refusals.push({ side, kind, count: 1 })
  const [metricSide, other] =
    side === 'inbound' ? (['inbound', pairName(state, 'from', source)] as const) : (['upstream', destination] as const)
  turn.count(metricOf(state, turn.self.key, metricSide, 'refused', other, { reason: kind }))
  if (!args.recorded) return
  const unknown = { source, destination, uri: '', serial: '', from: '' }
  turn.cast(decisionsRef, 'refused', { ...unknown, ...told, atMs: turn.nowMs })
}

/** How loudly something is told that may come in floods: once in a while as it is meant, else for those who look closely. */
export function loudness({ warnedMs }: ProxyState, what: string, level: 'warn' | 'error', nowMs: number): LogLevel {
  const lastMs = warnedMs.get(what)
  if (lastMs !== undefined && Math.abs(nowMs - lastMs) < WARN_AGAIN_MS) return 'debug'
  warnedMs.set(what, nowMs)
  return level
}

const WARN_AGAIN_MS = 10_000

/** What kind of refusal a decision is. */
export function kindOf({ bundle, intentions }: ProxyState, trustDomain: string, { rule }: Decision): RefusedKind {
  if (rule) return 'intention'
  if (!bundle || !intentions) return 'not-ready'
  return trustDomain.toLowerCase() === bundle.trustDomain ? 'default' : 'identity'
}
