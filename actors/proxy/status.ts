import type { ProxyStatus } from './protocol.ts'
import type { Identity, ProxyState } from './state.ts'

export function statusOf(state: ProxyState): ProxyStatus {
  const { args, door, leaf, upstreams, instances, identity } = state
  return {
    phase: door.phase,
    why: door.phase === 'waiting' ? waitsFor(state) : door.why,
    refused: door.refused,
    address: args.inbound?.address ?? '',
    port: door.port,
    upstreams: upstreams.map((upstream) => ({
      service: upstream.service,
      address: upstream.address,
      port: upstream.door.port,
      phase: upstream.door.phase,
      why: upstream.door.phase === 'waiting' ? '' : upstream.door.why,
      instances: instances.get(upstream.service)?.length ?? 0,
      open: upstream.open,
    })),
    inboundOpen: state.inbound.size,
    accepted: state.accepted,
    refusedConnections: state.refused,
    closedByIntentions: state.closedByIntentions,
    pairs: [...state.pairs.values()],
    ...(identity ?? NO_IDENTITY),
    ...(leaf && leaf.serial === identity?.leafSerial
      ? { leafRenewAtMs: leaf.renewAtMs, leafWhy: leaf.renewalWhy }
      : { leafRenewAtMs: 0, leafWhy: '' }),
    ...state.enforced,
  }
}

const NO_IDENTITY: Identity = { rootsIndex: 0, bundle: [], leafSerial: '', leafKeyId: '', leafIssuedMs: 0, leafValidUntilMs: 0 }

function waitsFor({ args, leaf, bundle, intentions, identityWhy }: ProxyState): string {
  if (!args.inbound) return ''
  if (!bundle) return 'waits for the roots'
  if (!leaf) return 'waits for its certificate'
  if (!intentions) return 'waits for the intentions'
  return identityWhy
}
