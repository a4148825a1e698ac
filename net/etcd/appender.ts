import type { Clock, LogOutcome } from '../../src/kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { type Fence, FRESH_MS, type Known } from './fence.ts'
import type { Follower } from './follower.ts'
import type { EtcdKeys } from './keys.ts'

export type AppenderOptions = { keys: EtcdKeys; fence: Fence; follower: Follower; clock: Pick<Clock, 'monotonicMs' | 'after'> }

/** What certainly did not get into the log is refused after this long: until then etcd may have a leader again. */
export const GIVE_UP_MS = 4_500
/** Nothing is sent any more after this long. */
const SEND_MS_MAX = 5_000
/** After this long nobody knows what became of it, and it cannot happen any more once something newer has. */
export const LATE_MS = SEND_MS_MAX + 2 * FRESH_MS

export const NO_LEADER = refuse('busy', 'No cluster leader')
const NO_ANSWER = refuse('late', 'nobody answered in time: the change may have been carried out')

/**
 * Puts one entry behind the newest one and waits until it is visible here. Every server appends by itself: etcd gives each entry its
 * position, so none has to wait for another one. Of an attempt that nobody answered the fate is found out before the next one: the
 * fence is closed behind it, and what was in the log until then is awaited.
 */
export function append(options: AppenderOptions, id: string, bytes: Buffer): Promise<Result<LogOutcome>> {
  const { promise, resolve, reject } = Promise.withResolvers<Result<LogOutcome>>()
  const attempts = new Attempts(options, bytes)
  const end = () => {
    attempts.isOver = true
    notLater()
    forget()
  }
  const settle = (result: Result<LogOutcome>) => {
    end()
    resolve(result)
  }
  const notLater = options.clock.after(LATE_MS, () => settle(NO_ANSWER))
  const forget = options.follower.expect(id, (outcome) => {
    attempts.isVisible = true
    settle(outcome)
  })
  attempts.run().then(
    (refusal) => refusal && settle(refusal),
    (error: unknown) => {
      end()
      reject(error)
    },
  )
  return promise
}

class Attempts {
  isVisible = false
  /** Nobody waits any more. */
  isOver = false
  readonly #options: AppenderOptions
  readonly #bytes: Buffer
  readonly #beganMs: number

  constructor(options: AppenderOptions, bytes: Buffer) {
    this.#options = options
    this.#bytes = bytes
    this.#beganMs = options.clock.monotonicMs()
  }

  /** Tries until the entry is in the log: nothing then. Refused with `busy` once it is certain that it will not be. */
  async run(): Promise<Refusal | undefined> {
    const { fence, keys } = this.#options
    let why = NO_LEADER
    do {
      const { known } = fence
      const answer = await fence.guarded([{ do: 'put', key: keys.log, value: this.#bytes }])
      if (isRefused(answer)) {
        if (answer.refused === 'late') {
          if (await this.#hasHappened(known)) return undefined
        } else if (answer.refused !== 'busy') return answer
        if (answer.why.includes('space exceeded')) why = refuse('busy', answer.why)
        if (this.#ms >= GIVE_UP_MS) return why
        await this.#pause()
      } else if (answer.succeeded) return undefined
    } while (!this.isOver && this.#ms < SEND_MS_MAX)
    return why
  }

  /** Whether an attempt whose fate was unknown is in the log. Tries until it knows. */
  async #hasHappened(guardedWith: Known): Promise<boolean> {
    const { fence, follower } = this.#options
    while (!this.isVisible) {
      const closed = await fence.close(guardedWith)
      if (this.isOver) return true
      if (isRefused(closed)) {
        await this.#pause()
        continue
      }
      const head = closed.found[0]?.[0]?.version ?? 0
      await new Promise<void>((resolve) => follower.whenVisible(head, resolve))
      return this.isVisible
    }
    return true
  }

  get #ms(): number {
    return this.#options.clock.monotonicMs() - this.#beganMs
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(RETRY_MS, resolve)
    })
  }
}

const RETRY_MS = 100
