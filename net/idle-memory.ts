import { performance } from 'node:perf_hooks'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const LOOK_MS = 4_000
/** A thread is at rest while its event loop is busy for less than this part of the time. */
const BUSY_MAX = 0.05
/** What a thread may hold for nothing. */
const SPARE_BYTES_MAX = 6 * 1024 * 1024
/** Collecting a larger heap at once would stop its thread for too long: some 30 ms for 20 MB. */
const LIVE_BYTES_MAX = 64 * 1024 * 1024

type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void
export type IdleMemoryOptions = {
  /** Bytes that the heap holds and uses. */
  heap?: () => { heldBytes: number; usedBytes: number }
  /** The part of the time since it was asked last in which the event loop was busy. */
  busy?: () => number
  /** Gives back what can be given back. */
  collect?: () => void
}

/**
 * Answers a function that is called every `LOOK_MS`: a thread at rest gives the system back what it needed to start, or under load that
 * is over. V8 keeps that for more of the same, 50 MB for a start, because it collects only while memory is being asked for. What could
 * not be given back once is not tried again before it has grown.
 */
export function idleMemory({ heap = heapOf, busy = busyPart(), collect = collectAll }: IdleMemoryOptions = {}): () => void {
  let kept = 0
  return () => {
    const { heldBytes, usedBytes } = heap()
    const isAtRest = busy() < BUSY_MAX
    if (!isAtRest || usedBytes > LIVE_BYTES_MAX || heldBytes - Math.max(usedBytes, kept) < SPARE_BYTES_MAX) return
    collect()
    kept = heap().heldBytes
  }
}

/** Keeps this thread small while it is at rest. The answer ends it. */
export function keepSmallAtRest(): () => void {
  const timer = setInterval(idleMemory(), LOOK_MS)
  timer.unref()
  return () => clearInterval(timer)
}

function heapOf(): { heldBytes: number; usedBytes: number } {
  const { total_physical_size: heldBytes, used_heap_size: usedBytes } = getHeapStatistics()
  return { heldBytes, usedBytes }
}

function busyPart(): () => number {
  let last = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, last)
    last = now
    return utilization
  }
}

/** Twice, because what the first round finds dead is only free for the second. */
function collectAll(): void {
  setFlagsFromString('--expose-gc')
  const collect: Collect = runInNewContext('gc')
  for (let round = 0; round < 2; round++) collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
