import type { Host } from '../kernel/host.ts'
import type { AnswerOf, CallsOf, FeedsOf, Ref, RequestOf, ValueOf } from '../kernel/protocol.ts'
import type { Result } from '../kernel/refusal.ts'
import { withJitter } from './blocking.ts'
import type { EdgeSettings } from './route.ts'

/** What longer endpoints may use: the actors, and the configuration. */
export type EdgeContext = {
  readonly settings: EdgeSettings
  readonly host: Host
  asked<P, N extends CallsOf<P>>(to: Ref<P>, name: N, request: RequestOf<P[N]>, withinMs?: number): Promise<Result<AnswerOf<P[N]>>>
  /** The first value of a feed for which `wanted` holds, or the newest one when the time (with its jitter) is over; undefined if
   * none came. Ends early, with undefined, when the client goes away. */
  awaited<P, F extends FeedsOf<P>>(...feed: Awaited<P, F>): Promise<Found<P, F>>
  /** The same for whoever has no promises: `done` is called once. */
  untilFound<P, F extends FeedsOf<P>>(...feed: [...Awaited<P, F>, done: (found: Found<P, F>) => void]): void
  /** Called once when the client went away before the answer. */
  onGone(work: () => void): void
}

type Awaited<P, F extends FeedsOf<P>> = [
  to: Ref<P>,
  feed: F,
  request: RequestOf<P[F]>,
  wanted: (value: ValueOf<P[F]>, index: number) => boolean,
  withinMs: number,
]
type Found<P, F extends FeedsOf<P>> = { value: ValueOf<P[F]>; index: number } | undefined

export function createContext(host: Host, settings: EdgeSettings): EdgeContext & { gone(): void } {
  const onGone: (() => void)[] = []
  const context: EdgeContext & { gone(): void } = {
    settings,
    host,
    asked: (to, name, request, withinMs = 15_000) => host.asked(to, name, request, withinMs),
    awaited: (...feed) => new Promise((resolve) => context.untilFound(...feed, resolve)),
    untilFound(to, feed, request, wanted, withinMs, done) {
      let newest: { value: never; index: number } | undefined
      let isOver = false
      const finish = (result: { value: never; index: number } | undefined) => {
        if (isOver) return
        isOver = true
        cancel()
        unfollow()
        done(result)
      }
      const stream = host.ports.random(`edge/${host.thread}/jitter`)
      const waitMs = withJitter(withinMs, () => stream.next())
      const cancel = host.ports.clock.after(waitMs, () => finish(newest))
      const unfollow = host.follow(to, feed, request, (value, index) => {
        newest = { value: value as never, index }
        if (wanted(value as never, index)) finish(newest)
      })
      onGone.push(() => finish(undefined))
    },
    onGone: (work) => onGone.push(work),
    gone() {
      for (const work of onGone.splice(0)) work()
    },
  }
  return context
}
