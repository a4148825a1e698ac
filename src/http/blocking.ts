import { parseDuration } from '../config/durations.ts'
import type { Host } from '../kernel/host.ts'
import { isRefused } from '../kernel/refusal.ts'
import { type ChangeNotice, isReplaced } from '../kernel/tables.ts'
import type { Answer, Answers } from './answers.ts'
import type { EdgeSettings, HttpReply, HttpRequest, ReadRoute } from './route.ts'

/** The wait of a blocking query grows by up to this part of it, so that clients do not come back all at once. */
const JITTER_PART = 16

/** What a client asked to wait for: `index` 0 is not to wait. */
export type Wait = { index: number; waitMs: number }

export function waitOf(query: URLSearchParams, settings: Pick<EdgeSettings, 'defaultWaitMs' | 'maxWaitMs'>): Wait | HttpReply {
  const waitText = query.get('wait')
  const waitMs = waitText === null || waitText === '' ? settings.defaultWaitMs : parseDuration(waitText)
  if (isRefused(waitMs)) return { status: 400, text: 'Invalid wait time' }
  const indexText = query.get('index')
  if (indexText !== null && indexText !== '' && !isUnsigned(indexText)) return { status: 400, text: 'Invalid index' }
  const wanted = waitMs <= 0 ? settings.defaultWaitMs : waitMs
  return { index: Number(indexText ?? 0), waitMs: Math.min(wanted, settings.maxWaitMs) }
}

function isUnsigned(text: string): boolean {
  return /^\d{1,20}$/.test(text) && BigInt(text) <= 0xffff_ffff_ffff_ffffn
}

export function withJitter(waitMs: number, random: () => number): number {
  return waitMs + (random() * waitMs) / JITTER_PART
}

/** Readers of one thread that wait for a change of their answer. */
export class Parked {
  readonly #host: Host
  readonly #answers: Answers
  readonly #random: () => number
  #size = 0

  constructor(host: Host, answers: Answers) {
    this.#host = host
    this.#answers = answers
    const stream = host.ports.random(`edge/${host.thread}/jitter`)
    this.#random = () => stream.next()
  }

  get size(): number {
    return this.#size
  }

  /**
   * The answer if it is newer than `index`. Else what gives up waiting, and `reply` is called once: when the answer is newer and
   * not the same as now, or with what holds when the time is over or all tables were replaced. `failed` is called instead if looking again throws.
   */
  read(
    key: string,
    route: ReadRoute,
    request: HttpRequest,
    { index, waitMs }: Wait,
    reply: (answer: Answer) => void,
    failed: (error: unknown) => void,
  ): Answer | (() => void) {
    const first = this.#answers.find(key, route, request)
    if (index === 0 || first.index === undefined || first.index > index) return first
    this.#changeSize(1)
    const look = (isOver: boolean) => {
      let answer: Answer
      try {
        answer = this.#answers.find(key, route, request)
      } catch (error) {
        stop()
        return failed(error)
      }
      const same = answer.status === first.status && answer.bytes.equals(first.bytes)
      if (isOver || answer.index === undefined || (answer.index > index && !same)) {
        stop()
        reply(answer)
      } else forget = this.#host.waiters.add(answer.reads, woken)
    }
    const woken = (notice: ChangeNotice) => look(isReplaced(notice))
    let forget = this.#host.waiters.add(first.reads, woken)
    const cancel = this.#host.ports.clock.after(withJitter(waitMs, this.#random), () => look(true))
    const stop = once(() => {
      this.#changeSize(-1)
      cancel()
      forget()
    })
    return stop
  }

  #changeSize(by: number): void {
    this.#size += by
    this.#host.levels.set('rpc.queries_blocking', this.#size)
  }
}

function once(work: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    work()
  }
}
