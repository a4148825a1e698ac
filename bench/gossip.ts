import { atRest, detection, halfSplit, joinAtOnce, spread, underTrouble } from '../sim/members/measure.ts'
import type { Benchmark, Row } from './benchmark.ts'
import { realAtRest } from './kit/real-at-rest.ts'
import type { Stage } from './kit/stage.ts'

/** Members with real sockets, all in one process. */
const REAL_SIZES = [10, 50] as const
const SIZES = [10, 100, 1_000] as const
/** One after the other, as long as half of the members are left. */
const CRASHES = 10
/** How many seeds are tried with so many members. */
const DETECTIONS = [
  { count: 10, seeds: 20 },
  { count: 100, seeds: 10 },
  { count: 1_000, seeds: 4 },
  { count: 5_000, seeds: 1 },
] as const
const TROUBLES = [
  { count: 10, seeds: 100 },
  { count: 100, seeds: 100 },
  { count: 1_000, seeds: 1 },
] as const
const REST_SECONDS = 60
const TROUBLE = { stalled: 0.2, lost: 0.3, seconds: 60, crashes: 3 }
const SPLIT_MS = 60_000
/** What memberlist waits at least between the first doubt and the verdict, by its defaults: 4 · log10 n seconds; 1 probe before that. */
const memberlistMs = (count: number) => Math.max(1, Math.log10(count)) * 4_000 + 1_000

export const gossip: Benchmark = {
  name: 'gossip',
  about: 'members that watch each other: real ones at rest, then in the simulator, in virtual time; takes many minutes',
  needs: [],
  async run(stage) {
    const real: Row[] = []
    for (const count of REAL_SIZES) real.push(...(await realRows(stage, count)))
    return [
      ...real,
      ...SIZES.map(restRow),
      ...DETECTIONS.map(detectionRow),
      ...TROUBLES.map(troubleRow),
      ...SIZES.slice(1).map(spreadRow),
      ...SIZES.slice(1).map(joinRow),
      ...SIZES.slice(1).map(splitRow),
    ]
  },
}

async function realRows(stage: Stage, count: number): Promise<Row[]> {
  const { messages, bytes, wireBytes, connections, cpuMs, rssBytes } = await realAtRest(stage, count)
  const on =
    wireBytes === undefined ? 'bytes on the wire unknown: no network namespaces here' : `${Math.round(wireBytes)} bytes/s on the wire`
  const note = `${on}, ${Math.round(bytes)} of messages; ${connections.toFixed(1)} connections; ${(rssBytes / 1e6).toFixed(0)} MB for all`
  return [
    { name: `gossip: messages of each real member at rest, ${members(count)}`, ours: messages, unit: '/s', note },
    { name: `gossip: CPU of each real member in a second, ${members(count)}`, ours: cpuMs, unit: 'ms' },
  ]
}

function restRow(count: number): Row {
  const { messages, bytes, connections, connectionsMax } = atRest(count, REST_SECONDS)
  const note = `${Math.round(bytes)} bytes/s; ${connections.toFixed(1)} connections, at most ${connectionsMax}`
  return { name: `gossip: messages of each member at rest, ${members(count)}`, ours: messages, unit: '/s', note }
}

function detectionRow({ count, seeds }: { count: number; seeds: number }): Row {
  const mostMs = upTo(seeds).flatMap((seed) => detection(count, Math.min(CRASHES, count / 2), 'silently', seed).mostMs)
  const note = `longest of ${mostMs.length} ${Math.max(...mostMs)} ms; beside it what memberlist waits at least`
  return { name: `gossip: crash known to 99 %, ${members(count)}`, ours: median(mostMs), unit: 'ms', consul: memberlistMs(count), note }
}

function troubleRow({ count, seeds }: { count: number; seeds: number }): Row {
  const troubles = upTo(seeds).map((seed) => underTrouble(count, TROUBLE, seed))
  const mostMs = troubles.flatMap((trouble) => trouble.mostMs)
  const late = mostMs.filter((ms) => ms > 5_000).length
  const failed = troubles.reduce((sum, { falselyFailed }) => sum + falselyFailed, 0)
  const accused = Math.max(...troubles.map(({ falseAccusations }) => falseAccusations))
  const known = `longest of ${mostMs.length} ${Math.max(...mostMs)} ms, ${late} above 5 s`
  const note = `20 % stalled, 30 % packet loss; ${known}; in ${seeds} min ${failed} healthy members counted as failed, at most ${accused} accused in one`
  return { name: `gossip: crash known to 99 % in trouble, ${members(count)}`, ours: median(mostMs), unit: 'ms', note }
}

function spreadRow(count: number): Row {
  const { mostMs, allMs } = spread(count, CRASHES)
  const note = `all of them: longest ${Math.max(...allMs)} ms`
  return { name: `gossip: a change known to 99 %, ${members(count)}`, ours: median(mostMs), unit: 'ms', note }
}

function joinRow(count: number): Row {
  const { allMs, messages, bytes } = joinAtOnce(count, count)
  const note = `${Math.round(messages)} messages and ${Math.round(bytes / 1_024)} KB of each member`
  return { name: `gossip: as many join ${members(count)} at once`, ours: allMs, unit: 'ms', note }
}

function splitRow(count: number): Row {
  const { splitMs, healedMs } = halfSplit(count, SPLIT_MS)
  const note = `after the halves had counted each other as failed, which took ${(splitMs / 1_000).toFixed(1)} s`
  return { name: `gossip: a split into halves healed, ${members(count)}`, ours: healedMs, unit: 'ms', note }
}

/** 1, 2, 3 … */
function upTo(seeds: number): number[] {
  return Array.from({ length: seeds }, (_, at) => at + 1)
}

function members(count: number): string {
  return `${count.toLocaleString('en')} members`
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
