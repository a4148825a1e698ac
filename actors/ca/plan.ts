import type { PreparedAuthority } from '../../src/kernel/ports.ts'
import type { View } from '../../src/kernel/tables.ts'
import { bundleProgress } from '../reports/queries.ts'
import type { CaPlan } from './protocol.ts'
import { caRoots } from './queries.ts'
import { type CaSettings, CONFIG_KEY, caConfigTable } from './tables.ts'

/** Agents make their leaves anew at a random point within this after a change of the root. */
export const REISSUE_SPREAD_MS = 30_000

export type PlanOptions = {
  does: CaPlan['does']
  nowMs: number
  prepared?: PreparedAuthority
  crossSigned?: boolean
  refusedWhy?: string
  /** Of the changed configuration. */
  settings?: CaSettings
}

/** What a change does to the mesh as it is now. */
export function planOf(view: View, options: PlanOptions): CaPlan {
  const { does, nowMs, prepared, crossSigned = false, refusedWhy = '' } = options
  const config = view.get(caConfigTable, CONFIG_KEY)
  const found = caRoots(view)
  const active = found?.roots.find(({ id }) => id === found.activeRootId)
  const progress = bundleProgress(view, found?.activeRootId ?? '')
  const behind = progress.proxies.filter(({ has }) => !has).map(nameOf)
  const rotates = does === 'rotation'
  const leaves = rotates ? progress.proxies.length + progress.silent.length : 0
  const perSecond = (options.settings ?? config)?.csrMaxPerSecond ?? 0
  const paceMs = perSecond > 0 ? Math.ceil((leaves * 1_000) / perSecond) : 0
  const leavesUntilMs = Math.max(active?.leavesUntilMs ?? 0, nowMs + (config?.leafCertTtlMs ?? 0))
  return {
    does,
    refusedWhy,
    rootId: prepared?.rootId ?? active?.id ?? '',
    keyType: prepared?.keyType ?? active?.keyType ?? '',
    keyBits: prepared?.keyBits ?? active?.keyBits ?? 0,
    crossSigned,
    proxies: progress.proxies.length,
    trusting: progress.having,
    behind,
    silent: progress.silent.length,
    leaves,
    leavesMs: leaves > 0 ? Math.max(REISSUE_SPREAD_MS, paceMs) : 0,
    retireAtMs: rotates ? leavesUntilMs : 0,
  }
}

/** How people read of a member of the mesh. */
export function nameOf({ node, serviceId, native }: { node: string; serviceId: string; native?: true }): string {
  return `${node}/${serviceId}${native ? ' (native)' : ''}`
}
