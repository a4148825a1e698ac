import type { GossipFigures } from '../../src/kernel/ports.ts'
import type { Rumour } from './messages.ts'
import type { MembershipHealth } from './protocol.ts'

/** What passes through this agent, to be looked at. */
export type Figures = {
  /** What the device had counted when it was asked, the oldest first. Times in ms of the actor's own time. */
  samples: { atMs: number; counted: GossipFigures }[]
  /** Of the newest rumours that were new here and say when they were said: how long they took, over how many members. */
  spread: { tookMs: number; steps: number }[]
  nextMs: number
}

/** The device is asked this often; rates are those of the last SAMPLES_MAX times as long. */
export const SAMPLE_MS = 10_000
const SAMPLES_MAX = 6
const SPREAD_MAX = 128

export function newFigures(): Figures {
  return { samples: [], spread: [], nextMs: 0 }
}

export function sampled({ samples }: Figures, nowMs: number, counted: GossipFigures): void {
  samples.push({ atMs: nowMs, counted })
  if (samples.length > SAMPLES_MAX) samples.shift()
}

/** A rumour is new here. Clocks that differ make it look faster or slower; never faster than at once. */
export function noteSpread({ spread }: Figures, { saidMs, via }: Rumour, wallMs: number): void {
  if (saidMs === undefined) return
  spread.push({ tookMs: Math.max(0, wallMs - saidMs), steps: via.length })
  if (spread.length > SPREAD_MAX) spread.shift()
}

/** Since the oldest sample, which is at most a minute old. */
export function ratesOf({ samples }: Figures, nowMs: number, counted: GossipFigures): MembershipHealth['rates'] {
  const [oldest] = samples
  const seconds = oldest === undefined ? 0 : (nowMs - oldest.atMs) / 1_000
  if (oldest === undefined || seconds < 1) return undefined
  const rate = (name: keyof GossipFigures) => Math.max(0, counted[name] - oldest.counted[name]) / seconds
  return { messagesOut: rate('messagesOut'), bytesOut: rate('bytesOut'), messagesIn: rate('messagesIn'), bytesIn: rate('bytesIn') }
}

export function spreadOf({ spread }: Figures): MembershipHealth['spread'] {
  if (spread.length === 0) return undefined
  const sorted = spread.map(({ tookMs }) => tookMs).sort((a, b) => a - b)
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] as number
  return { rumours: spread.length, medianMs: at(0.5), mostMs: at(0.99), stepsMax: Math.max(...spread.map(({ steps }) => steps)) }
}
