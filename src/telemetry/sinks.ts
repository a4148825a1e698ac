import type { Measured } from '../kernel/sample.ts'
import type { Gauge, Interval } from './collector.ts'
import { numberText } from './formats.ts'
import { parseMetricKey } from './names.ts'

/** What statsd reads, one metric a line. A sample is its mean, with a rate that says how many values it stands for. */
export function metricsStatsd({ counters, samples }: Interval, gauges: readonly Gauge[]): string[] {
  return [
    ...gauges.map(({ name, labels, value }) => `${flatKey(name, labels)}:${numberText(value)}|g`),
    ...[...counters].map(([key, count]) => `${flatKeyOf(key)}:${numberText(count)}|c`),
    ...[...samples].map(([key, measured]) => `${flatKeyOf(key)}:${meanText(measured)}|ms${rateText(measured)}`),
  ]
}

/** What statsite reads: as statsd, but it knows no rates, so a sample is a mean only. */
export function metricsStatsite({ counters, samples }: Interval, gauges: readonly Gauge[]): string[] {
  return metricsStatsd({ startMs: 0, counters, samples: new Map() }, gauges).concat(
    [...samples].map(([key, measured]) => `${flatKeyOf(key)}:${meanText(measured)}|ms`),
  )
}

/** What DogStatsD reads: as statsd, with labels as tags behind those of the configuration. */
export function metricsDogstatsd({ counters, samples }: Interval, gauges: readonly Gauge[], tags: readonly string[]): string[] {
  const line = (name: string, labels: Record<string, string>, value: string) => {
    const all = [...tags, ...Object.entries(labels).map(([label, text]) => `${label}:${text}`)].map((tag) => tag.replace(/[,|\n]/g, '_'))
    return `${flatKey(name, {})}:${value}${all.length === 0 ? '' : `|#${all.join(',')}`}`
  }
  return [
    ...gauges.map(({ name, labels, value }) => line(name, labels, `${numberText(value)}|g`)),
    ...[...counters].map(([key, count]) => {
      const { name, labels } = parseMetricKey(key)
      return line(name, labels, `${numberText(count)}|c`)
    }),
    ...[...samples].map(([key, measured]) => {
      const { name, labels } = parseMetricKey(key)
      return line(name, labels, `${meanText(measured)}|ms${rateText(measured)}`)
    }),
  ]
}

function meanText({ sum, count }: Measured): string {
  return numberText(Number((sum / count).toFixed(6)))
}

function rateText({ count }: Measured): string {
  return count === 1 ? '' : `|@${Number((1 / count).toPrecision(6))}`
}

function flatKeyOf(key: string): string {
  const { name, labels } = parseMetricKey(key)
  return flatKey(name, labels)
}

/** Without labels their values become parts of the name. */
function flatKey(name: string, labels: Record<string, string>): string {
  return [name, ...Object.values(labels)].join('.').replace(/[:|@\s]/g, '_')
}
