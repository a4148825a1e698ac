import type { View } from '../../src/kernel/tables.ts'
import { indexOf } from '../command.ts'
import { bundleProgress } from '../reports/queries.ts'
import { nameOf } from './plan.ts'
import { caRoots } from './queries.ts'
import { CA_ROTATION, type CaRoot, type CaRotationRecord, caRotationTable, ROTATION_KEY } from './tables.ts'

/** How long a root that nothing leads to is only trusted, at least, where members of the mesh do not tell what they have. */
export const SPREAD_MS_MIN = 60_000
/** So long after a step began it is worth telling for whom it waits. */
export const SPREAD_MS_USUAL = 60_000

export type RotationPhase = 'spreading' | 'active' | 'retiring'
export type RotationProgress = {
  index: number
  rotation: CaRotationRecord
  /** `spreading`: who trusts the new root. `active`: who presents a leaf of it. `retiring`: all do; leaves of the old root end. */
  phase: RotationPhase
  /** Of `proxies` that tell, so many are through this phase; who is not, as `node/service`, with ` (native)` for applications. */
  proxies: number
  done: number
  waitingFor: string[]
  silent: number
  /** When the phase can end at the earliest, in ms since 1970; 0 if only proxies are waited for. */
  notBeforeMs: number
}

/** How far the rotation under way is; undefined if there is none. */
export function rotationProgress(view: View): RotationProgress | undefined {
  const rotation = view.get(caRotationTable, ROTATION_KEY)
  if (!rotation) return undefined
  const { proxies, silent, index: reportIndex } = bundleProgress(view, rotation.toRootId)
  const index = Math.max(reportIndex, indexOf(view, CA_ROTATION))
  const spreads = rotation.phase === 'spreading'
  const behind = proxies.filter(({ has, presents }) => !(spreads ? has : has && presents)).map(nameOf)
  const phase = spreads ? 'spreading' : behind.length > 0 ? 'active' : 'retiring'
  const old = caRoots(view)?.roots.find(({ id }) => id === rotation.fromRootId)
  const spreadUntilMs = silent.length > 0 ? rotation.startedMs + SPREAD_MS_MIN : 0
  return {
    index,
    rotation,
    phase,
    proxies: proxies.length,
    done: proxies.length - behind.length,
    waitingFor: behind,
    silent: silent.length,
    notBeforeMs: spreads ? spreadUntilMs : (old?.leavesUntilMs ?? 0),
  }
}

/** Roots that do not sign, with whom their retirement waits for. Of the one that is spreading there is nothing to retire. */
export function leavingRoots(view: View): { root: CaRoot; notBeforeMs: number }[] {
  const rotation = view.get(caRotationTable, ROTATION_KEY)
  const spreading = rotation?.phase === 'spreading' ? rotation.toRootId : undefined
  return (caRoots(view)?.roots ?? [])
    .filter(({ id, active }) => !active && id !== spreading)
    .map((root) => ({ root, notBeforeMs: root.leavesUntilMs ?? 0 }))
}

/** Sidecars that do not trust the active root yet, or still present a leaf of another one, as `node/service`. */
export function behindActive(view: View): string[] {
  return bundleProgress(view, caRoots(view)?.activeRootId ?? '')
    .proxies.filter(({ has, presents }) => !has || !presents)
    .map(nameOf)
}
