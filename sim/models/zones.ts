import type { Operation } from '../history.ts'

/**
 * An operation that contradicts the time during which a value must have been there, or undefined. A value that was written once
 * is there from the first answer of those who wrote or saw it to the last invocation of these (Gibbons and Korach, Testing
 * shared memories, 1997). Two such times may not overlap, and nothing else may have been there meanwhile. Values that were
 * written more than once, and nothing, are not judged.
 */
export function contradiction(operations: readonly Operation[]): Operation | undefined {
  const zones: Zone[] = []
  const moments: Moment[] = []
  for (const cluster of clustersOf(operations)) {
    const early = seenBeforeWritten(cluster)
    if (early) return early
    const { fromMs, untilMs, last } = cluster
    if (fromMs < untilMs) zones.push({ fromMs, untilMs, last })
    else moments.push({ fromMs: untilMs, untilMs: fromMs, operation: last })
  }
  for (const operation of operations) {
    const isElsewhere = operation.do === 'delete' ? operation.outcome === true : operation.do === 'get' && operation.outcome === null
    if (isElsewhere && isAnswered(operation)) {
      moments.push({ fromMs: operation.invokedMs, untilMs: operation.answeredMs, operation })
    }
  }
  return overlapping(zones) ?? inside(moments, zones)
}

/** The write of one value and everything that saw it. */
type Cluster = { write: Operation; observers: Operation[]; fromMs: number; untilMs: number; last: Operation }
type Zone = { fromMs: number; untilMs: number; last: Operation }
type Moment = { fromMs: number; untilMs: number; operation: Operation }

function clustersOf(operations: readonly Operation[]): Cluster[] {
  const clusters = new Map<string, Cluster | undefined>()
  for (const write of operations) {
    const { do: what, value, outcome, invokedMs, answeredMs } = write
    if (what !== 'put' || value === null || (isAnswered(write) && outcome !== true)) continue
    const cluster: Cluster = { write, observers: [], fromMs: answeredMs, untilMs: invokedMs, last: write }
    clusters.set(value, clusters.has(value) ? undefined : cluster)
  }
  for (const operation of operations) {
    const value = seenBy(operation)
    const cluster = typeof value === 'string' ? clusters.get(value) : undefined
    if (!cluster) continue
    cluster.observers.push(operation)
    cluster.fromMs = Math.min(cluster.fromMs, operation.answeredMs)
    if (operation.invokedMs > cluster.untilMs) Object.assign(cluster, { untilMs: operation.invokedMs, last: operation })
  }
  // What nobody saw and nobody acknowledged may never have been there.
  return [...clusters.values()].filter((cluster) => cluster !== undefined).filter(({ fromMs }) => fromMs !== Number.POSITIVE_INFINITY)
}

function seenBeforeWritten({ write, observers }: Cluster): Operation | undefined {
  return observers.find(({ answeredMs }) => answeredMs < write.invokedMs)
}

function overlapping(zones: Zone[]): Operation | undefined {
  zones.sort((a, b) => a.fromMs - b.fromMs)
  for (let at = 1; at < zones.length; at++) {
    const [one, next] = [zones[at - 1] as Zone, zones[at] as Zone]
    if (next.fromMs < one.untilMs) return one.untilMs > next.untilMs ? one.last : next.last
  }
  return undefined
}

/** Both lists are walked by time; zones do not overlap. */
function inside(moments: Moment[], zones: readonly Zone[]): Operation | undefined {
  moments.sort((a, b) => a.fromMs - b.fromMs)
  let at = 0
  for (const { fromMs, untilMs, operation } of moments) {
    while (at < zones.length && (zones[at] as Zone).untilMs <= fromMs) at++
    const zone = zones[at]
    if (zone && zone.fromMs < fromMs && untilMs < zone.untilMs) return operation
  }
  return undefined
}

/** The value that an answered operation found. */
function seenBy(operation: Operation): string | null | undefined {
  if (!isAnswered(operation)) return undefined
  if (operation.do === 'get') return operation.outcome as string | null
  return operation.do === 'put' && operation.outcome === true ? operation.expected : undefined
}

function isAnswered({ answeredMs }: Operation): boolean {
  return answeredMs !== Number.POSITIVE_INFINITY
}
