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
  awaited<P, F extends FeedsOf<P>>(
    to: Ref<P>,
    feed: F,
    request: RequestOf<P[F]>,
    wanted: (value: ValueOf<P[F]>, index: number) => boolean,
    withinMs: number,
  ): Promise<{ value: ValueOf<P[F]>; index: number } | undefined>
  /** Called once when the client went away before the answer. */
  onGone(work: () => void): void
}

export function createContext(host: Host, settings: EdgeSettings): EdgeContext & { gone(): void } {
  const onGone: (() => void)[] = []
  return {
    settings,
    host,
    asked: (to, name, request, withinMs = 15_000) => host.asked(to, name, request, withinMs),
    awaited: (to, feed, request, wanted, withinMs) =>
      new Promise((resolve) => {
        let newest: { value: never; index: number } | undefined
        const finish = (result: { value: never; index: number } | undefined) => {
          cancel()
          unfollow()
          resolve(result)
        }
        const stream = host.ports.random(`edge/${host.thread}/jitter`)
        const waitMs = withJitter(withinMs, () => stream.next())
        const cancel = host.ports.clock.after(waitMs, () => finish(newest))
        const unfollow = host.follow(to, feed, request, (value, index) => {
          newest = { value: value as never, index }
          if (wanted(value as never, index)) finish(newest)
        })
        onGone.push(() => finish(undefined))
      }),
    onGone: (work) => onGone.push(work),
    gone() {
      for (const work of onGone.splice(0)) work()
    },
  }
}
