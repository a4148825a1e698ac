import { apisOf } from './apis.ts'
import type { SimReply } from './clients.ts'
import { indexesOf } from './indexes.ts'
import { perRun } from './per-run.ts'
import type { Run } from './run.ts'
import { snapshotsOf } from './snapshots.ts'

const RETRY_MS = 500
/** Clocks of machines are not the world's: what comes this part of the wait before its end comes at its end. */
const EARLY_PART = 0.02
/** A change is told within this, unless something is in the way. */
const TOLD_WITHIN_MS = 1_000

/** A client that watches something over HTTP: it asks for what comes after what it saw last, again and again. */
export type Watch = {
  readonly node: string
  /** Path and query. */
  readonly url: string
  readonly waitMs: number
  /** What it saw last; index 0 is nothing. */
  index: number
  status: number
  body: string
  /** When it was told so. */
  toldMs: number
  /** Since when it waits for an answer; undefined while it does not. */
  waitsSinceMs: number | undefined
  giveUp: () => void
  isOver: boolean
}

/** Every watch of a run. */
export class Watches {
  readonly all: Watch[] = []
  /** What one of them saw first and should not have. */
  wrong: string | undefined
  readonly #run: Run

  constructor(run: Run) {
    this.#run = run
  }

  start(node: string, url: string, waitMs: number, forMs: number): void {
    const seen = { index: 0, status: 0, body: '', toldMs: 0, waitsSinceMs: undefined }
    const watch: Watch = { node, url, waitMs, ...seen, giveUp: () => undefined, isOver: false }
    this.all.push(watch)
    this.#ask(watch)
    this.#run.world.after(forMs, () => {
      watch.isOver = true
      watch.giveUp()
      this.all.splice(this.all.indexOf(watch), 1)
    })
  }

  #ask(watch: Watch): void {
    if (watch.isOver) return
    const { node, url, index, waitMs } = watch
    if (!this.#run.up(node)) return this.#askLater(watch)
    const [path = '', query = ''] = url.split('?')
    const asked = { ...Object.fromEntries(new URLSearchParams(query)), index: String(index), wait: `${waitMs}ms` }
    watch.waitsSinceMs = this.#run.world.nowMs
    watch.giveUp = apisOf(this.#run).request(node, 'GET', path, { query: asked }, (reply) => this.#answered(watch, reply))
  }

  #askLater(watch: Watch): void {
    watch.waitsSinceMs = undefined
    this.#run.world.after(RETRY_MS, () => this.#ask(watch))
  }

  #answered(watch: Watch, reply: SimReply | 'lost'): void {
    if (reply === 'lost' || (reply.status !== 200 && reply.status !== 404)) return this.#askLater(watch)
    this.wrong ??= this.#fault(watch, reply)
    // Whoever is answered without end would keep time from going on.
    if (this.wrong !== undefined) return
    const { index, status, text } = reply
    Object.assign(watch, { index, status, body: text, toldMs: this.#run.world.nowMs })
    this.#ask(watch)
  }

  #fault(
    { node, url, index: before, status: statusBefore, body, waitMs, toldMs, waitsSinceMs = 0 }: Watch,
    reply: SimReply,
  ): string | undefined {
    const { index, status, text } = reply
    const run = this.#run
    const { nowMs } = run.world
    const who = `whoever watches ${url} on ${node}`
    // What was restored may have a lower index.
    if (before > 0 && snapshotsOf(run).mayRestoreBetween(toldMs, nowMs)) return undefined
    // Without asking the log, a server that lost power shows what it has until that brought the rest.
    const { tables, powerCutAtMs } = run.cluster.stateFor(node)
    if (tables.checkpoint && powerCutAtMs >= toldMs) return undefined
    if (index < before) return `${who} was told index ${index} after ${before}`
    if (before === 0) return undefined
    const waitedMs = nowMs - waitsSinceMs
    const isEarly = waitedMs < waitMs * (1 - EARLY_PART)
    if (isEarly && index === before) return `${who} was answered after ${waitedMs.toFixed(0)} of ${waitMs} ms, still at index ${index}`
    run.reach(isEarly ? 'watch woken by a change' : 'watch answered at its end')
    // A change that leaves the answer as it was is not told.
    if (isEarly || (status === statusBefore && text === body)) return undefined
    const reachedAtMs = indexesOf(run).reachedAtMs(run.cluster.stateFor(node).name, index) ?? nowMs
    const calmSinceMs = Math.max(waitsSinceMs, reachedAtMs, run.cluster.disturbedUntil(node))
    if (nowMs - calmSinceMs <= TOLD_WITHIN_MS) return undefined
    return `${who} waited until its end for index ${index}, which was there ${(nowMs - reachedAtMs).toFixed(0)} ms before`
  }
}

export const watchesOf = perRun((run: Run) => new Watches(run))
