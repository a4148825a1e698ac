import os from 'node:os'
import { threadRef } from '../../actors/thread.ts'
import type { Config } from '../config/config.ts'
import type { Host } from '../kernel/host.ts'
import { isRefused, type Refusal, type Result, refuse } from '../kernel/refusal.ts'
import type { Layout } from '../placement.ts'
import type { World } from '../world.ts'
import { Collector, type Gauge, INTERVAL_MS } from './collector.ts'
import { metricsJson, metricsPrometheus, metricsStatsd } from './formats.ts'
import { type Counts, countState, gaugesOf } from './gauges.ts'

export type Telemetry = {
  /** What was measured, for people or for Prometheus. */
  show(format: 'json' | 'prometheus'): Promise<Result<{ json?: Record<string, unknown>; text?: string }>>
  close(): void
}

export type TelemetryOptions = {
  /** The main thread's. */
  host: Host
  layout: Layout
  /** The configuration as it is now. */
  config(): Config
  world: Pick<World, 'memoryBytes' | 'openStatsd' | 'every'>
}

const ASK_WITHIN_MS = 2_000
/** What the tables hold is counted again at most this often, and less often the longer it takes. */
const COUNT_AGAIN_MS_MIN = 1_000
const COUNT_AGAIN_PARTS = 20

/** Puts together what all threads measure, and tells whoever asks or was configured. */
export function startTelemetry({ host, layout, config, world }: TelemetryOptions): Telemetry {
  const { clock, tables } = host.ports
  const collector = new Collector({ hostname: os.hostname(), wallMs: () => clock.wallMs(), settings: () => config().telemetry })
  let usage = { heapBytes: 0, actors: 0 }
  let counts: { counts: Counts; dueMs: number } | undefined
  const warned = new Set<string>()
  const { statsdAddress } = config().telemetry
  const statsd = statsdAddress === '' ? undefined : world.openStatsd(statsdAddress, notSent)
  const stop = world.every(INTERVAL_MS, () => void tick())

  async function collect(): Promise<void> {
    const answers = await Promise.all(layout.map((_roles, thread) => host.asked(threadRef(thread), 'measures', null, ASK_WITHIN_MS)))
    const sum = { heapBytes: 0, actors: 0 }
    for (const [thread, answer] of answers.entries()) {
      if (isRefused(answer)) continue
      collector.add(thread, answer)
      sum.heapBytes += answer.heapBytes
      sum.actors += answer.actors
    }
    usage = sum
  }

  async function gauges(): Promise<Gauge[]> {
    const beganMs = clock.monotonicMs()
    if (counts === undefined || beganMs >= counts.dueMs) {
      const found = await countState(() => tables.view(), pause)
      const tookMs = clock.monotonicMs() - beganMs
      counts = { counts: found, dueMs: clock.monotonicMs() + Math.max(COUNT_AGAIN_MS_MIN, tookMs * COUNT_AGAIN_PARTS) }
    }
    return collector.gauges(gaugesOf(tables.view(), counts.counts, { ...usage, memoryBytes: world.memoryBytes() }, config().datacenter))
  }

  async function tick(): Promise<void> {
    await collect()
    const interval = collector.turn()
    if (statsd) statsd.send(metricsStatsd(interval, await gauges()))
  }

  /** Each reason is told once. */
  function notSent(why: string): void {
    if (warned.has(why)) return
    warned.add(why)
    host.ports.print('warn', 'telemetry', 'metrics could not be sent to statsd', { address: statsdAddress, error: why })
  }

  /** Lets other work of this thread go on. */
  function pause(): Promise<void> {
    return new Promise((resolve) => clock.after(0, resolve))
  }

  return {
    async show(format) {
      const wrong = format === 'prometheus' ? prometheusFault(config()) : undefined
      if (wrong) return wrong
      await collect()
      const shown = await gauges()
      if (format === 'json') return { json: metricsJson(collector.shown, shown) }
      return { text: metricsPrometheus(collector.totals, collector.recent, shown) }
    },
    close() {
      stop()
      statsd?.close()
    },
  }
}

function prometheusFault({ telemetry }: Config): Refusal | undefined {
  if (telemetry.prometheusRetentionMs > 0) return undefined
  return refuse('conflict', 'Prometheus is not enabled since its retention time is not positive')
}
