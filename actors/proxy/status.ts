import { ejected } from './outliers.ts'
import type { ProxyStatus, UpstreamStatus } from './protocol.ts'
import type { Identity, ProxyState, Upstream } from './state.ts'
import { targetOf } from './targets.ts'

export function statusOf(state: ProxyState, nowMs: number): ProxyStatus {
  const { args, door, leaf, upstreams, identity } = state
  return {
    phase: door.phase,
    why: door.phase === 'waiting' ? waitsFor(state) : door.why,
    refused: door.refused,
    address: args.inbound?.address ?? '',
    port: door.port,
    upstreams: upstreams.map((upstream) => upstreamStatus(state, upstream, nowMs)),
    inboundOpen: state.inbound.size,
    accepted: state.accepted,
    refusedConnections: state.refused,
    closedByIntentions: state.closedByIntentions,
    refusals: state.refusals,
    pairs: [...state.pairs.values()],
    ...(identity ?? NO_IDENTITY),
    ...(leaf && leaf.serial === identity?.leafSerial
      ? { leafRenewAtMs: leaf.renewAtMs, leafWhy: leaf.renewalWhy }
      : { leafRenewAtMs: 0, leafWhy: '' }),
    ...state.enforced,
  }
}

function upstreamStatus({ found }: ProxyState, { args, door, open, outliers }: Upstream, nowMs: number): UpstreamStatus {
  const { instances, why } = found.get(targetOf(args)) ?? { instances: [], why: '' }
  return {
    service: args.service,
    query: args.query === true,
    address: args.address,
    port: door.port,
    socketPath: args.socketPath ?? '',
    phase: door.phase,
    why: door.phase === 'waiting' ? '' : door.why || why,
    instances: instances.length,
    ejected: ejected(outliers, nowMs),
    open,
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
