import type { TelemetryConfig } from '../config/config.ts'
import { type Measured, together } from '../kernel/sample.ts'
import { clientCounters, isKept, type Metric, metricKey, parseMetricKey } from './names.ts'

/** What one thread counted: counters since it began, and samples since the last time. */
export type ThreadMeasures = { counters: [key: string, total: number][]; samples: [key: string, measured: Measured][] }

/** All metrics of a span of time, by `metricKey` with the whole name. */
export type Interval = { startMs: number; counters: Map<string, number>; samples: Map<string, Measured> }

/** What was measured since the agent began. */
export type Totals = { counters: Map<string, number>; samples: Map<string, { count: number; sum: number }> }

export type Gauge = Metric & { value: number }

export const INTERVAL_MS = 10_000

export type CollectorOptions = {
  /** Name of this machine; it becomes a part of the names of gauges. */
  hostname: string
  /** Name of the agent. */
  node: string
  wallMs(): number
  settings(): TelemetryConfig
}

/** Puts together what the threads count, in intervals of ten seconds. */
export class Collector {
  readonly #options: CollectorOptions
  readonly #last = new Map<number, Map<string, number>>()
  readonly #totals: Totals = { counters: new Map(), samples: new Map() }
  /** When each of the totals grew last, by `wallMs`. */
  readonly #grownMs = { counters: new Map<string, number>(), samples: new Map<string, number>() }
  #current: Interval
  #finished: Interval | undefined

  constructor(options: CollectorOptions) {
    this.#options = options
    this.#current = this.#newInterval()
  }

  /** The newest interval that is over; the present one as long as there is no other. */
  get shown(): Interval {
    return this.#finished ?? this.#current
  }

  /** Without what has not been measured for as long as Prometheus is to be told of it. */
  get totals(): Totals {
    const oldestMs = this.#options.wallMs() - this.#options.settings().prometheusRetentionMs
    for (const kind of ['counters', 'samples'] as const) {
      for (const [key, grownMs] of this.#grownMs[kind]) {
        if (grownMs >= oldestMs) continue
        this.#grownMs[kind].delete(key)
        this.#totals[kind].delete(key)
      }
    }
    return this.#totals
  }

  /** What was measured lately: between ten and twenty seconds. */
  get recent(): Interval {
    if (!this.#finished) return this.#current
    const samples = new Map(this.#finished.samples)
    for (const [key, measured] of this.#current.samples) samples.set(key, joinedWith(samples.get(key), measured))
    return { ...this.#finished, samples }
  }

  /** Takes what a thread has counted. A thread that was started again begins from zero. */
  add(thread: number, { counters, samples }: ThreadMeasures): void {
    const before = this.#last.get(thread) ?? new Map<string, number>()
    this.#last.set(thread, new Map(counters))
    for (const [key, total] of counters) {
      const known = before.get(key) ?? 0
      this.#count(key, total < known ? total : total - known)
    }
    for (const [key, measured] of samples) this.#measure(key, measured)
  }

  /** Ends the present interval and begins the next. */
  turn(): Interval {
    this.#finished = this.#current
    this.#current = this.#newInterval()
    return this.#finished
  }

  /** Gauges under their whole names, without those that are filtered out; with the name of this machine unless that is switched off. */
  gauges(gauges: readonly Gauge[], { withHostname = true } = {}): Gauge[] {
    const { metricsPrefix, disableHostname } = this.#options.settings()
    const wholeName = (parts: string[]) => parts.filter((part) => part !== '').join('.')
    const hostname = disableHostname ? '' : this.#options.hostname
    return gauges
      .filter(({ name }) => isKept(this.#options.settings(), wholeName([metricsPrefix, hostname, name])))
      .map((gauge) => ({ ...gauge, name: wholeName([metricsPrefix, withHostname ? hostname : '', gauge.name]) }))
  }

  #count(key: string, by: number): void {
    if (by === 0) return
    const named = this.#named(key)
    if (named === undefined) return
    const { counters } = this.#current
    counters.set(named, (counters.get(named) ?? 0) + by)
    this.#totals.counters.set(named, (this.#totals.counters.get(named) ?? 0) + by)
    this.#grownMs.counters.set(named, this.#options.wallMs())
  }

  #measure(key: string, measured: Measured): void {
    for (const one of [key, ...this.#olderKeys(key)]) {
      const named = this.#named(one)
      if (named === undefined) continue
      this.#current.samples.set(named, joinedWith(this.#current.samples.get(named), measured))
      const { count, sum } = this.#totals.samples.get(named) ?? { count: 0, sum: 0 }
      this.#totals.samples.set(named, { count: count + measured.count, sum: sum + measured.sum })
      this.#grownMs.samples.set(named, this.#options.wallMs())
    }
    for (const counter of clientCounters(parseMetricKey(key), this.#options.node)) this.#count(counter, measured.count)
  }

  /** The names that requests had before they got labels. */
  #olderKeys(key: string): string[] {
    if (this.#options.settings().disableCompat19) return []
    const { name, labels } = parseMetricKey(key)
    return name === 'api.http' ? [`http.${labels['method']}.${labels['path']}`] : []
  }

  #named(key: string): string | undefined {
    const { metricsPrefix } = this.#options.settings()
    const { name, labels } = parseMetricKey(key)
    const whole = metricsPrefix === '' ? name : `${metricsPrefix}.${name}`
    return isKept(this.#options.settings(), whole) ? metricKey(whole, labels) : undefined
  }

  #newInterval(): Interval {
    const nowMs = this.#options.wallMs()
    return { startMs: nowMs - (nowMs % INTERVAL_MS), counters: new Map(), samples: new Map() }
  }
}

function joinedWith(before: Measured | undefined, measured: Measured): Measured {
  return before ? together(before, measured) : measured
}
