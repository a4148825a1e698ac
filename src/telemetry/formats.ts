import { type Measured, quantile } from '../kernel/sample.ts'
import { type Gauge, INTERVAL_MS, type Interval, type Totals } from './collector.ts'
import { parseMetricKey } from './names.ts'

/** `GET /v1/agent/metrics`. Source: http-api §2.1. */
export function metricsJson({ startMs, counters, samples }: Interval, gauges: readonly Gauge[]): Record<string, unknown> {
  return {
    Timestamp: `${new Date(startMs).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`,
    Gauges: gauges.map(({ name, value, labels }) => ({ Name: name, Value: value, Labels: labels })).sort(byName),
    Points: [],
    Counters: [...counters].map(([key, count]) => shownAggregate(key, counted(count))).sort(byName),
    Samples: [...samples].map(([key, measured]) => shownAggregate(key, measured)).sort(byName),
  }
}

/** The text that Prometheus reads: counters and sums since the agent began, quantiles of what was measured lately. */
export function metricsPrometheus(totals: Totals, { samples }: Interval, gauges: readonly Gauge[]): string {
  const families = new Map<string, { type: string; lines: string[] }>()
  const put = (name: string, type: string, lines: readonly string[]) => {
    const family = families.get(name) ?? { type, lines: [] }
    family.lines.push(...lines)
    families.set(name, family)
  }
  for (const { name, labels, value } of gauges) put(flat(name), 'gauge', [`${flat(name)}${labelText(labels)} ${numberText(value)}`])
  for (const [key, total] of totals.counters) {
    const { name, labels } = parseMetricKey(key)
    put(flat(name), 'counter', [`${flat(name)}${labelText(labels)} ${numberText(total)}`])
  }
  for (const [key, { count, sum }] of totals.samples) {
    const { name, labels } = parseMetricKey(key)
    const recent = samples.get(key)
    const quantiles = QUANTILES.map((part) => {
      const value = recent ? numberText(quantile(recent, part)) : 'NaN'
      return `${flat(name)}${labelText({ ...labels, quantile: String(part) })} ${value}`
    })
    const ends = [`${flat(name)}_sum${labelText(labels)} ${numberText(sum)}`, `${flat(name)}_count${labelText(labels)} ${count}`]
    put(flat(name), 'summary', [...quantiles, ...ends])
  }
  const sorted = [...families].sort(([a], [b]) => (a < b ? -1 : 1))
  return sorted.map(([name, { type, lines }]) => `# HELP ${name} ${name}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`).join('')
}

const QUANTILES = [0.5, 0.9, 0.99]

/** Each thing that was counted counted for one. */
function counted(count: number): Measured {
  return { count, sum: count, sumOfSquares: count, min: 1, max: 1, buckets: [] }
}

function shownAggregate(key: string, { count, sum, sumOfSquares, min, max }: Measured): { Name: string } & Record<string, unknown> {
  const { name, labels } = parseMetricKey(key)
  const variance = count < 2 ? 0 : (count * sumOfSquares - sum * sum) / (count * (count - 1))
  return {
    Name: name,
    Count: count,
    Rate: sum / (INTERVAL_MS / 1_000),
    Sum: sum,
    Min: min,
    Max: max,
    Mean: sum / count,
    Stddev: Math.sqrt(Math.max(0, variance)),
    Labels: labels,
  }
}

function byName(a: { Name: string }, b: { Name: string }): number {
  return a.Name < b.Name ? -1 : a.Name > b.Name ? 1 : 0
}

function flat(name: string): string {
  return name.replace(/[^A-Za-z0-9_:]/g, '_').replace(/^(?=\d)/, '_')
}

function labelText(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([label, value]) => {
    const escaped = value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
    return `${flat(label)}="${escaped}"`
  })
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

export function numberText(value: number): string {
  return Number.isFinite(value) ? String(value) : Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}
