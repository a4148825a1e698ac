import type { OpenConnections } from '../../actors/proxies/protocol.ts'
import { proxyMetric } from '../../actors/proxy/metrics.ts'
import type { Gauge } from './collector.ts'
import { parseMetricKey } from './names.ts'

/** The open connections of a sidecar, by pair. Source: connect §8. */
export function proxyGauges({ serviceId, service, pairs }: OpenConnections): Gauge[] {
  return pairs.map(({ side, service: other, open }) => ({
    ...parseMetricKey(proxyMetric(serviceId, service, side === 'from' ? 'inbound' : 'upstream', 'conns', other)),
    value: open,
  }))
}
