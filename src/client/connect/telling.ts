import type { Told } from '../../../actors/decisions/protocol.ts'
import { pause } from '../pace.ts'

export type TellingOptions = {
  /** Gives the agent a list for `PUT /v1/tribune/decisions`; answers why it could not be given, if so: it is tried again then. */
  put(decisions: readonly object[], signal: AbortSignal): Promise<string | undefined>
  signal: AbortSignal
  /** Of several times in a row that it could not be given, the first. */
  failed(why: string): void
}

const TELL_AFTER_MS = 100
const AGAIN_MS = 1_000
const END_WITHIN_MS = 1_000
const TOLD_AT_ONCE_MAX = 100
const COUNT_MAX = 1_000_000
/** What waits, one for each pair and cause: what comes beyond is not told. */
const WAITING_MAX = 256

type Waiting = Told & { count: number }

/** Tells the agent of refusals, together with others of the same pair and cause, however many there are. */
export class Telling {
  readonly #options: TellingOptions
  readonly #waiting = new Map<string, Waiting>()
  #running: Promise<void> | undefined

  constructor(options: TellingOptions) {
    this.#options = options
  }

  tell(told: Told): void {
    const { side, source, destination, kind, cause } = told
    const key = JSON.stringify([side, source, destination, kind, cause])
    const known = this.#waiting.get(key)
    if (!known && this.#waiting.size >= WAITING_MAX) return
    this.#waiting.set(key, { ...told, count: (known?.count ?? 0) + (told.count ?? 1) })
    this.#running ??= this.#run()
  }

  /** Tells what waits, after the signal came, if the agent takes it at once. */
  async end(): Promise<void> {
    await this.#running
    const batch = [...this.#waiting.values()].slice(0, TOLD_AT_ONCE_MAX)
    this.#waiting.clear()
    if (batch.length === 0) return
    const why = await this.#options.put(batch.map(bodyOf), AbortSignal.timeout(END_WITHIN_MS))
    if (why !== undefined) this.#options.failed(why)
  }

  async #run(): Promise<void> {
    const { put, signal, failed } = this.#options
    let failures = 0
    await pause(TELL_AFTER_MS, signal)
    while (this.#waiting.size > 0 && !signal.aborted) {
      const batch = [...this.#waiting].slice(0, TOLD_AT_ONCE_MAX)
      for (const [key] of batch) this.#waiting.delete(key)
      const why = await put(
        batch.map(([, told]) => bodyOf(told)),
        signal,
      )
      if (why === undefined) {
        failures = 0
        continue
      }
      if (!signal.aborted && failures++ === 0) failed(why)
      for (const [key, told] of batch) this.#putBack(key, told)
      await pause(AGAIN_MS, signal)
    }
    this.#running = undefined
  }

  #putBack(key: string, told: Waiting): void {
    const newer = this.#waiting.get(key)
    this.#waiting.set(key, { ...(newer ?? told), count: told.count + (newer?.count ?? 0) })
  }
}

function bodyOf({ side, source, destination, kind, cause, count, uri, serial, from }: Waiting): object {
  const what = { Side: side, Source: source, Destination: destination, Kind: kind, Cause: cause }
  return { ...what, Count: Math.min(COUNT_MAX, count), URI: uri, SerialNumber: serial, From: from }
}
