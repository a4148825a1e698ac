import { Streams } from './streams.ts'
import { Trace } from './trace.ts'

/** More than this cannot happen at one moment unless it never ends. */
const EVENTS_AT_ONCE_MAX = 5_000_000

type Event = { atMs: number; order: number; work: () => void; cancelled: boolean }

/** Virtual time and everything that waits for it: one heap of events ordered by time and then by when they were asked for. */
export class World {
  readonly streams: Streams
  readonly trace: Trace
  nowMs = 0
  events = 0
  readonly #heap: Event[] = []
  #order = 0

  constructor(seed: string, keepTrace = false) {
    this.streams = new Streams(seed)
    this.trace = new Trace(keepTrace)
  }

  /** When something happens next; infinity: never. */
  get nextAtMs(): number {
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY
  }

  /** Calls `work` once, `ms` from now. The answer cancels it. */
  after(ms: number, work: () => void): () => void {
    const event: Event = { atMs: this.nowMs + Math.max(0, ms), order: this.#order++, work, cancelled: false }
    this.#push(event)
    return () => {
      event.cancelled = true
    }
  }

  /** Lets time pass until then. */
  runUntil(untilMs: number): void {
    let sinceEvents = this.events
    for (let first = this.#heap[0]; first && first.atMs <= untilMs; first = this.#heap[0]) {
      this.#pop()
      if (first.cancelled) continue
      if (first.atMs > this.nowMs) sinceEvents = this.events
      else if (this.events - sinceEvents > EVENTS_AT_ONCE_MAX)
        throw new Error(`time stands still at ${this.nowMs} ms: something happens without end`)
      this.nowMs = first.atMs
      this.events++
      first.work()
    }
    this.nowMs = untilMs
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] as Event
      if (!isBefore(event, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop() as Event
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++
      if (!isBefore(heap[child] as Event, last)) break
      heap[at] = heap[child] as Event
      at = child
    }
    heap[at] = last
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
