import { type ManagedProxy, proxiesRef } from '../../../actors/proxies/protocol.ts'
import type { ProxyPair, ProxyStatus } from '../../../actors/proxy/protocol.ts'
import { goTime } from '../go-time.ts'
import { question, type Route } from '../route.ts'

/** GET /v1/tribune/proxies: the sidecars that this agent runs, with what they let through and refused. */
export const proxiesRoute: Route = {
  method: 'GET',
  path: '/v1/tribune/proxies',
  ask: ({ token }) => question(proxiesRef, 'list', { token }),
  reply: (list: ManagedProxy[]) => ({ json: list.map(shown) }),
}

function shown({ serviceId, service, phase, why, status }: ManagedProxy): object {
  return { ServiceID: serviceId, Service: service, State: phase, Reason: why, ...(status && shownStatus(status)) }
}

function shownStatus(status: ProxyStatus): object {
  return {
    Address: status.address,
    Port: status.port,
    ConnectionsOpen: status.inboundOpen,
    ConnectionsAccepted: status.accepted,
    ConnectionsRefused: status.refusedConnections,
    RefusedByReason: status.refusals.map(({ side, kind, count }) => ({ Direction: side, Kind: kind, Count: count })),
    ClosedByIntentions: status.closedByIntentions,
    IntentionIndex: status.intentionIndex,
    EnforcedMs: status.enforcedMs,
    RootsIndex: status.rootsIndex,
    TrustedRoots: status.bundle,
    LeafSerialNumber: status.leafSerial,
    LeafSigningKeyID: status.leafKeyId,
    LeafRenewAt: timeOrNull(status.leafRenewAtMs),
    LeafRenewalProblem: status.leafWhy,
    LeafValidBefore: timeOrNull(status.leafValidUntilMs),
    Upstreams: status.upstreams.map((upstream) => ({
      Service: upstream.service,
      Type: upstream.query ? 'prepared_query' : 'service',
      Address: upstream.address,
      Port: upstream.port,
      SocketPath: upstream.socketPath,
      State: upstream.phase,
      Reason: upstream.why,
      HealthyInstances: upstream.instances,
      LeftOut: upstream.ejected,
      ConnectionsOpen: upstream.open,
    })),
    Pairs: status.pairs.map(shownPair),
  }
}

function timeOrNull(ms: number): string | null {
  return ms === 0 ? null : goTime(ms)
}

function shownPair({ side, service, accepted, refused, open, receivedBytes, sentBytes }: ProxyPair): object {
  return {
    Direction: side === 'from' ? 'inbound' : 'outbound',
    Service: service,
    Accepted: accepted,
    Refused: refused,
    Open: open,
    ReceivedBytes: receivedBytes,
    SentBytes: sentBytes,
  }
}
