import { expiry, type LeafLife, type RootLife } from '../../../actors/reports/expiry.ts'
import { type EnforcedProxy, enforcement, type MeshProxy, type SilentMember } from '../../../actors/reports/queries.ts'
import { isRefused } from '../../kernel/refusal.ts'
import { goTime } from '../go-time.ts'
import type { Route } from '../route.ts'
import { badNamespace, nameOf } from './intention-bodies.ts'

/** GET /v1/tribune/enforcement?destination=db&intention-index=812: which sidecars have the intentions on a destination in force, those
 * up to an index or the newest. `*` is for every destination. */
export const enforcementRoute: Route = {
  method: 'GET',
  path: '/v1/tribune/enforcement',
  read({ query }, view) {
    const written = query.get('destination') ?? ''
    if (written === '') return { status: 400, text: `required query parameter 'destination' not set` }
    const destination = nameOf(written)
    if (isRefused(destination)) return badNamespace('destination', destination.why)
    const asked = query.get('intention-index') ?? ''
    if (asked !== '' && !/^\d{1,15}$/.test(asked)) return { status: 400, text: 'Invalid intention-index' }
    const found = enforcement(view, { destination, ...(asked !== '' && { index: Number(asked) }) })
    return {
      index: found.index,
      json: {
        Destination: found.destination,
        IntentionIndex: found.intentionIndex,
        Enforced: found.done,
        Proxies: found.proxies.map(shownProxy),
        Silent: found.silent.map(shownSilent),
      },
    }
  },
}

/** GET /v1/tribune/connect/expiry: when certificates end, and which of them nobody renews. */
export const expiryRoute: Route = {
  method: 'GET',
  path: '/v1/tribune/connect/expiry',
  begin(_request, { host }, done) {
    const nowMs = host.ports.clock.wallMs()
    const found = expiry(host.ports.tables.view(), nowMs)
    done({
      json: {
        Now: goTime(nowMs),
        Oldest: found.oldest ? shownLeaf(found.oldest) : null,
        NextRenewal: found.nextRenewal ? shownLeaf(found.nextRenewal) : null,
        AtRisk: found.atRisk.map(shownLeaf),
        Leaves: found.leaves.map(shownLeaf),
        WithoutLeaf: found.without.map(shownTeller),
        Silent: found.silent.map(shownSilent),
        Roots: found.roots.map(shownRoot),
      },
    })
  },
}

function shownProxy({ done, intentionIndex, closed, ms, fellSilent, ...who }: EnforcedProxy): object {
  const inForce = { Enforced: done, IntentionIndex: intentionIndex, ClosedConnections: closed, EnforcedMs: ms }
  return { ...shownTeller(who), ...inForce, FellSilent: fellSilent === true }
}

/** Somebody who tells: a sidecar or an application. */
function shownTeller({ native, ...who }: Omit<MeshProxy, 'report'>): object {
  return { ...shownMember(who), Kind: native ? 'native' : 'proxy' }
}

function shownMember({ node, serviceId, service }: Omit<MeshProxy, 'report' | 'native'>): object {
  return { Node: node, ServiceID: serviceId, Service: service }
}

function shownSilent({ kind, ...who }: SilentMember): object {
  return { ...shownMember(who), Kind: kind }
}

function shownLeaf(leaf: LeafLife): object {
  return {
    ...shownTeller(leaf),
    SerialNumber: leaf.leafSerial,
    SigningKeyID: leaf.leafKeyId,
    Issued: goTime(leaf.leafIssuedMs),
    RenewAt: goTime(leaf.leafRenewAtMs),
    ValidBefore: goTime(leaf.leafValidUntilMs),
    LifeSpent: Math.round(leaf.lived * 1_000) / 1_000,
    Risk: leaf.why,
  }
}

function shownRoot({ id, name, active, notAfterMs }: RootLife): object {
  return { ID: id, Name: name, Active: active, NotAfter: goTime(notAfterMs) }
}
