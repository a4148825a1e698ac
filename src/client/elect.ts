import { isPassing } from './errors.ts'
import { type Lock, type LockOptions, takeLock } from './lock.ts'
import { aborted, pause, retryMs } from './pace.ts'
import type { KvPair } from './shapes.ts'
import type { Transport } from './transport.ts'
import { textOf } from './values.ts'

export type ElectOptions = Omit<LockOptions, 'withinMs' | 'onWaiting'> & {
  /** Told of failures after which it stands again. */
  onError?: (error: unknown) => void
}

/** What a candidate is at the moment. */
export type Candidacy =
  /** Somebody else leads, or nobody: then `leader` is undefined. `value` is what the leader has put into the key. */
  | { readonly is: 'following'; readonly leader: string | undefined; readonly value: string | undefined }
  /** `token` and `lost` are those of the lock: whoever leads stops as soon as `lost` is aborted. */
  | { readonly is: 'leading'; readonly token: number; readonly lost: AbortSignal }

/**
 * Stands for election at a key, again and again, and tells what it is whenever that changes. It steps down and ends when the signal
 * comes or nobody takes its states any more.
 */
export async function* elect(transport: Transport, key: string, options: ElectOptions = {}): AsyncGenerator<Candidacy, void, undefined> {
  const ending = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, ending.signal]) : ending.signal
  const states = new Newest<Candidacy>(signal)
  const standing = stand(transport, key, { ...options, signal }, (state) => states.put(state)).then(
    () => states.end(),
    (error: unknown) => states.end(error),
  )
  try {
    yield* states.all()
  } finally {
    ending.abort()
    await standing
  }
}

async function stand(
  transport: Transport,
  key: string,
  { onError, ...options }: ElectOptions & { signal: AbortSignal },
  tell: (state: Candidacy) => void,
): Promise<void> {
  const { signal } = options
  const waiting = (pair: KvPair | undefined) =>
    tell({ is: 'following', leader: pair?.Session, value: pair?.Session === undefined ? undefined : textOf(pair) })
  for (let failures = 0; !signal.aborted; ) {
    let lock: Lock
    try {
      lock = await takeLock(transport, key, { ...options, onWaiting: waiting })
    } catch (error) {
      if (signal.aborted) return
      if (!isPassing(error)) throw error
      failures += 1
      onError?.(error)
      await pause(retryMs(failures), signal)
      continue
    }
    failures = 0
    tell({ is: 'leading', token: lock.token, lost: lock.lost })
    await aborted(AbortSignal.any([lock.lost, signal]))
    await release(lock, onError)
    if (!signal.aborted) waiting(undefined)
  }
}

/** What cannot be told now ends by itself when its time is over. */
async function release(lock: Lock, onError?: (error: unknown) => void): Promise<void> {
  try {
    await lock.release()
  } catch (error) {
    onError?.(error)
  }
}

/** Hands out the newest of what was put in; what nobody took in time is not seen. */
class Newest<Value> {
  readonly #signal: AbortSignal
  #value: { is: Value } | undefined
  #shown = ''
  #end: { error?: unknown } | undefined
  #wake: () => void = () => undefined

  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', () => this.#wake(), { once: true })
  }

  put(value: Value): void {
    this.#value = { is: value }
    this.#wake()
  }

  end(error?: unknown): void {
    this.#end = error === undefined ? {} : { error }
    this.#wake()
  }

  async *all(): AsyncGenerator<Value, void, undefined> {
    while (!this.#signal.aborted) {
      const value = this.#value
      this.#value = undefined
      if (value && JSON.stringify(value.is) !== this.#shown) {
        this.#shown = JSON.stringify(value.is)
        yield value.is
      } else if (!value && this.#end) {
        if ('error' in this.#end) throw this.#end.error
        return
      } else if (!value) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }
}
