import type { Turn } from '../../src/kernel/actor.ts'
import type { MeshTraffic } from '../../src/kernel/ports.ts'
import { pairOf } from './pairs.ts'
import type { ProxyOwn, ProxyState } from './state.ts'
import { labelOf } from './targets.ts'

/** Open connections are looked at in these intervals; what has ended is counted at once. */
const MEASURE_EVERY_MS = 10_000

export type ProxySide = 'inbound' | 'upstream'

/**
 * The key of a metric about what goes between this service and another one: `proxy.web-1.upstream.rx_bytes;src=web;dst=db`. Names and
 * labels as in Consul's own proxy (connect §8), where inbound ones have no `src`.
 */
export function proxyMetric(
  key: string,
  service: string,
  side: ProxySide,
  what: string,
  other: string,
  more: Record<string, string> = {},
): string {
  const [src, dst] = side === 'inbound' ? [other, service] : [service, other]
  const labels = Object.entries({ src, dst, ...more }).map(([label, value]) => `;${label}=${plain(value)}`)
  return `proxy.${plain(key)}.${side}.${what}${labels.join('')}`
}

export function metricOf(
  { args }: Pick<ProxyState, 'args'>,
  key: string,
  side: ProxySide,
  what: string,
  other: string,
  more?: Record<string, string>,
): string {
  return proxyMetric(key, args.service, side, what, other, more)
}

/** Looks at open connections after a while, as long as there are any. */
export function measureLater(state: ProxyState, turn: Turn<ProxyOwn>): void {
  if (state.measuring || isIdle(state)) return
  state.measuring = true
  turn.timer('measure', MEASURE_EVERY_MS, { name: 'measure', request: null })
}

export function measure(state: ProxyState, turn: Turn<ProxyOwn>): void {
  state.measuring = !state.ending && !isIdle(state)
  if (!state.measuring) return
  turn.act('mesh', { do: 'traffic', owner: turn.self.key }, { then: (outcome) => ({ name: 'measured', request: outcome }) })
}

function isIdle({ inbound, outbound }: ProxyState): boolean {
  return inbound.size === 0 && outbound.size === 0
}

/** Counts what a connection has carried since the last time. */
export function countTraffic(state: ProxyState, { connection, receivedBytes, sentBytes }: MeshTraffic, turn: Turn<ProxyOwn>): void {
  const inbound = state.inbound.get(connection)
  const entry = inbound ?? state.outbound.get(connection)
  if (!entry) return
  const received = receivedBytes - entry.receivedBytes
  const sent = sentBytes - entry.sentBytes
  if (received <= 0 && sent <= 0) return
  Object.assign(entry, { receivedBytes, sentBytes })
  const side = inbound ? 'inbound' : 'upstream'
  const pair = inbound ? pairOf(state, 'from', inbound.source) : pairOf(state, 'to', labelOf(state.outbound.get(connection)!.to.args))
  pair.receivedBytes += received
  pair.sentBytes += sent
  turn.count('proxy.bytes', received + sent)
  if (received > 0) turn.count(metricOf(state, turn.self.key, side, 'rx_bytes', pair.service), received)
  if (sent > 0) turn.count(metricOf(state, turn.self.key, side, 'tx_bytes', pair.service), sent)
}

/** Without what tells the parts of a metric from each other. */
function plain(text: string): string {
  return text.replace(/[;=]/g, '_')
}
