import type { View } from '../../src/kernel/tables.ts'
import { caRoots } from '../ca/queries.ts'
import { fellSilent, type MeshProxy, meshMembers, type SilentMember } from './queries.ts'
import type { ProxyReport } from './tables.ts'

/** From this part of its life on, a leaf should have been renewed. */
export const RISK_FROM = 0.9

export type LeafLife = Pick<
  ProxyReport,
  'node' | 'serviceId' | 'service' | 'leafSerial' | 'leafKeyId' | 'leafIssuedMs' | 'leafRenewAtMs' | 'leafValidUntilMs'
> & {
  native?: true
  /** How much of its life is over, from 0 on; 1 is its end. */
  lived: number
  /** Why it is at risk; '' if it is not. */
  why: string
}
export type RootLife = { id: string; name: string; active: boolean; notAfterMs: number }

export type Expiry = {
  index: number
  /** Of sidecars and applications that report, those that end first standing first. */
  leaves: LeafLife[]
  /** The one made first. */
  oldest: LeafLife | undefined
  /** The one that will be renewed next. */
  nextRenewal: LeafLife | undefined
  atRisk: LeafLife[]
  /** Sidecars without a leaf, or of which nothing was told yet. */
  without: Omit<MeshProxy, 'report'>[]
  silent: SilentMember[]
  roots: RootLife[]
}

/** When certificates end, and which of them nobody seems to renew. `nowMs` is the reader's clock, in ms since 1970. */
export function expiry(view: View, nowMs: number): Expiry {
  const { index, proxies, silent } = meshMembers(view)
  const leaves = proxies
    .flatMap(({ report }) => (report && report.leafSerial !== '' ? [lifeOf(report, nowMs)] : []))
    .sort((a, b) => a.leafValidUntilMs - b.leafValidUntilMs)
  const found = caRoots(view)
  return {
    index: Math.max(index, found?.index ?? 0),
    leaves,
    oldest: leaves.toSorted((a, b) => a.leafIssuedMs - b.leafIssuedMs)[0],
    nextRenewal: leaves.toSorted((a, b) => a.leafRenewAtMs - b.leafRenewAtMs)[0],
    atRisk: leaves.filter(({ why }) => why !== ''),
    without: proxies.filter(({ report }) => !report || report.leafSerial === '').map(({ report: _report, ...who }) => who),
    silent,
    roots: (found?.roots ?? []).map(({ id, name, active, notAfterMs }) => ({ id, name, active, notAfterMs })),
  }
}

/** How far the leaf of a sidecar or an application is, by the reader's clock. */
export function lifeOf(report: ProxyReport, nowMs: number): LeafLife {
  const { node, serviceId, service, leafSerial, leafKeyId, leafIssuedMs, leafRenewAtMs, leafValidUntilMs, leafWhy } = report
  const lived = Math.max(0, (nowMs - leafIssuedMs) / Math.max(1, leafValidUntilMs - leafIssuedMs))
  const age =
    lived >= 1 ? 'it has ended' : lived > RISK_FROM ? `it is past ${Math.floor(RISK_FROM * 100)} % of its life and was not renewed` : ''
  const failing = leafWhy === '' ? '' : `renewing fails: ${leafWhy}`
  const silence = fellSilent(report) && age !== '' ? 'it does not tell any more what it has' : ''
  const why = [age, failing, silence].filter((part) => part !== '').join('; ')
  const who = { node, serviceId, service, ...(report.lease?.kind === 'native' && { native: true as const }) }
  return { ...who, leafSerial, leafKeyId, leafIssuedMs, leafRenewAtMs, leafValidUntilMs, lived, why }
}
