import type { ProxyPair } from './protocol.ts'
import type { ProxyState } from './state.ts'

/** Services that are counted one by one; the rest is one row together. */
const PAIRS_MAX = 1_000
const OTHERS = '(others)'

/** The counters of what goes between this service and another one. */
export function pairOf({ pairs }: Pick<ProxyState, 'pairs'>, side: ProxyPair['side'], other: string): ProxyPair {
  const service = pairName({ pairs }, side, other)
  const known = pairs.get(`${side} ${service}`)
  if (known) return known
  const pair: ProxyPair = { side, service, accepted: 0, refused: 0, open: 0, receivedBytes: 0, sentBytes: 0 }
  pairs.set(`${side} ${service}`, pair)
  return pair
}

/** Under which a service is counted. */
export function pairName({ pairs }: Pick<ProxyState, 'pairs'>, side: ProxyPair['side'], service: string): string {
  return pairs.has(`${side} ${service}`) || pairs.size < PAIRS_MAX ? service : OTHERS
}
