import os from 'node:os'
import { type Member, membershipRef } from '../../actors/membership/protocol.ts'
import { proxiesRef } from '../../actors/proxies/protocol.ts'
import { threadRef } from '../../actors/thread.ts'
import { reportOf } from '../cluster-report.ts'
import type { Config } from '../config/config.ts'
import type { Host } from '../kernel/host.ts'
import { isRefused, type Refusal, type Result, refuse } from '../kernel/refusal.ts'
import type { Layout } from '../placement.ts'
import type { World } from '../world.ts'
import { Collector, type Gauge, INTERVAL_MS, type Interval } from './collector.ts'
import { metricsJson, metricsPrometheus } from './formats.ts'
import { type Autopilot, type Counts, countState, gaugesOf, type MemberCounts, type Usage } from './gauges.ts'
import { proxyGauges } from './proxy-gauges.ts'
import { metricsDogstatsd, metricsStatsd, metricsStatsite } from './sinks.ts'

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
  world: Pick<World, 'memoryBytes' | 'openMetricsSink' | 'every'>
}

type Lines = (interval: Interval, gauges: readonly Gauge[], plain: readonly Gauge[]) => string[]
type Sink = { send: (...measured: Parameters<Lines>) => void; close(): void }

const ASK_WITHIN_MS = 2_000
/** What the tables hold is counted again at most this often, and less often the longer it takes. */
const COUNT_AGAIN_MS_MIN = 1_000
const COUNT_AGAIN_PARTS = 20

/** Puts together what all threads measure, and tells whoever asks or was configured. */
export function startTelemetry({ host, layout, config, world }: TelemetryOptions): Telemetry {
  const { clock, tables } = host.ports
  const collector = new Collector({
    hostname: os.hostname(),
    node: config().node.name,
    wallMs: () => clock.wallMs(),
    settings: () => config().telemetry,
  })
  let usage: Usage = { ...NO_USAGE, levels: new Map() }
  let members = countMembers([], config().server)
  const unfollow = host.follow(membershipRef, 'members', null, (told) => {
    members = countMembers(told as Member[], config().server)
  })
  let counts: { counts: Counts; dueMs: number } | undefined
  const { statsdAddress, statsiteAddress, dogstatsdAddress, dogstatsdTags } = config().telemetry
  const sinks = [
    sink('statsd', 'udp', statsdAddress, metricsStatsd),
    sink('statsite', 'tcp', statsiteAddress, metricsStatsite),
    sink('dogstatsd', 'udp', dogstatsdAddress, (interval, _gauges, plain) => metricsDogstatsd(interval, plain, dogstatsdTags)),
  ].flatMap((one) => one ?? [])
  const stop = world.every(INTERVAL_MS, () => void tick())

  async function collect(): Promise<void> {
    const answers = await Promise.all(layout.map((_roles, thread) => host.asked(threadRef(thread), 'measures', null, ASK_WITHIN_MS)))
    const sum = { ...NO_USAGE }
    const levels = new Map<string, number>()
    for (const [thread, answer] of answers.entries()) {
      if (isRefused(answer)) continue
      collector.add(thread, answer)
      sum.heapBytes += answer.heapBytes
      sum.actors += answer.actors
      sum.collections += answer.collections
      sum.collectedMs += answer.collectedMs
      for (const [name, level] of answer.levels) levels.set(name, (levels.get(name) ?? 0) + level)
    }
    usage = { ...sum, levels }
  }

  /** The gauges of now, without the agent's part of their names. */
  async function countedGauges(): Promise<Gauge[]> {
    const beganMs = clock.monotonicMs()
    if (counts === undefined || beganMs >= counts.dueMs) {
      const found = await countState(() => tables.view(), pause, clock.wallMs())
      const tookMs = clock.monotonicMs() - beganMs
      counts = { counts: found, dueMs: clock.monotonicMs() + Math.max(COUNT_AGAIN_MS_MIN, tookMs * COUNT_AGAIN_PARTS) }
    }
    const process = { ...usage, memoryBytes: world.memoryBytes() }
    const open = await host.asked(proxiesRef, 'open', null, ASK_WITHIN_MS)
    return [
      ...gaugesOf(tables.view(), counts.counts, process, members, await autopilot(), config().datacenter, clock.wallMs()),
      ...(isRefused(open) ? [] : open.flatMap(proxyGauges)),
    ]
  }

  /** Without a leader nothing is well. */
  async function autopilot(): Promise<Autopilot> {
    if (!config().server) return undefined
    const report = await reportOf(
      { host, asked: (to, name, request, withinMs = ASK_WITHIN_MS) => host.asked(to, name, request, withinMs) },
      '',
    )
    return isRefused(report) ? { isHealthy: false, tolerance: 0 } : report
  }

  async function tick(): Promise<void> {
    await collect()
    const interval = collector.turn()
    if (sinks.length === 0) return
    const found = await countedGauges()
    const named = collector.gauges(found)
    const plain = collector.gauges(found, { withHostname: false })
    for (const { send } of sinks) send(interval, named, plain)
  }

  /** `lines` gets gauges with and without the name of this machine. */
  function sink(name: string, transport: 'udp' | 'tcp', address: string, lines: Lines): Sink | undefined {
    if (address === '') return undefined
    const warned = new Set<string>()
    // Each reason is told once.
    const notSent = (why: string) => {
      if (warned.has(why)) return
      warned.add(why)
      host.ports.print('warn', 'telemetry', `metrics could not be sent to ${name}`, { address, error: why })
    }
    const opened = world.openMetricsSink(transport, address, notSent)
    return { send: (...measured) => opened.send(lines(...measured)), close: () => opened.close() }
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
      const shown = collector.gauges(await countedGauges())
      if (format === 'json') return { json: metricsJson(collector.shown, shown) }
      return { text: metricsPrometheus(collector.totals, collector.recent, shown) }
    },
    close() {
      stop()
      unfollow()
      for (const { close } of sinks) close()
    },
  }
}

function prometheusFault({ telemetry }: Config): Refusal | undefined {
  if (telemetry.prometheusRetentionMs > 0) return undefined
  return refuse('conflict', 'Prometheus is not enabled since its retention time is not positive')
}

const NO_USAGE = { heapBytes: 0, actors: 0, collections: 0, collectedMs: 0 }

/** Those that are there; this agent too while nobody has told of it. */
function countMembers(members: readonly Member[], isServer: boolean): MemberCounts {
  const alive = members.filter(({ status }) => status === 'alive' || status === 'suspect')
  if (alive.length === 0) return { servers: isServer ? 1 : 0, clients: isServer ? 0 : 1 }
  const servers = alive.filter(({ tags }) => tags['role'] === 'consul').length
  return { servers, clients: alive.length - servers }
}
