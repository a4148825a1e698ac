import { isPassing } from '../errors.ts'
import { pause, retryMs } from '../pace.ts'
import type { Read } from '../reads.ts'
import type { Transport } from '../transport.ts'
import { follow } from '../watch.ts'

/** How long one question may wait. It bounds for how long a dead connection to the agent goes unnoticed. */
const WAIT_MS = 60_000

export type Keeping<Value> = {
  signal: AbortSignal
  /** Each answer that differs from the one before. What it throws counts as a failure. */
  took: (value: Value) => void
  /** Each answer that says the same as the one before, but may stand at another index. */
  same?: (value: Value) => void
  failed: (error: unknown) => void
}

/**
 * Follows an answer until the signal comes, whatever goes wrong; resolves then. `first` resolves with the first answer that was
 * taken, and rejects if one is refused for a reason that does not pass.
 */
export function keepFollowing<Value>(
  transport: Transport,
  read: Read<Value>,
  { signal, took, same, failed }: Keeping<Value>,
): { first: Promise<void>; ended: Promise<void> } {
  let begun: () => void = () => undefined
  let refused: (error: unknown) => void = () => undefined
  const first = new Promise<void>((resolve, reject) => {
    begun = resolve
    refused = reject
  })
  const keep = async () => {
    for (let failures = 0; !signal.aborted; ) {
      try {
        for await (const value of follow(transport, read, { signal, waitMs: WAIT_MS, onError: failed, onSame: same })) {
          took(value)
          failures = 0
          begun()
        }
      } catch (error) {
        if (signal.aborted) break
        failed(error)
        if (!isPassing(error)) refused(error)
        failures += 1
        await pause(retryMs(failures), signal)
      }
    }
    refused(signal.reason)
  }
  return { first, ended: keep() }
}
