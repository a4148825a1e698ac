import type { LimitsConfig } from '../config/config.ts'
import type { Host } from '../kernel/host.ts'
import { type Refusal, refuse } from '../kernel/refusal.ts'

/** Requests a second that an agent that is no server may send to one, and how many at once after a pause; a negative rate: any number. */
export type Rate = { perSecond: number; burst: number }

type Bucket = { rate: Rate; left: number; atMs: number }

/** What each of `shares` threads may send of it. Each begins with all that it may send at once. */
export function rateOf({ rpcRate, rpcMaxBurst }: Pick<LimitsConfig, 'rpcRate' | 'rpcMaxBurst'>, shares: number): Rate {
  return { perSecond: rpcRate / shares, burst: Math.ceil(rpcMaxBurst / shares) }
}

/** From now on requests of this thread count, HTTP and DNS together. */
export function limitRate(host: Host, rate: Rate): void {
  if (rate.perSecond < 0) buckets.delete(host)
  else buckets.set(host, { rate, left: rate.burst, atMs: host.ports.clock.monotonicMs() })
}

/** Counts one more request; refused with `busy` if there were too many. */
export function overRate(host: Host): Refusal | undefined {
  const bucket = buckets.get(host)
  if (bucket === undefined) return undefined
  const nowMs = host.ports.clock.monotonicMs()
  const { perSecond, burst } = bucket.rate
  bucket.left = Math.min(burst, bucket.left + ((nowMs - bucket.atMs) / 1_000) * perSecond)
  bucket.atMs = nowMs
  if (bucket.left < 1) return EXCEEDED
  bucket.left--
  return undefined
}

const EXCEEDED = refuse('busy', 'RPC rate limit exceeded')
const buckets = new WeakMap<Host, Bucket>()
