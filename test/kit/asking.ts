import type { Device } from '../../src/kernel/ports.ts'
import { isRefused, type Refusal, type Result } from '../../src/kernel/refusal.ts'

/** Asks a device and waits for its outcome. */
export function asking<Request, Outcome, Event>(device: Device<Request, Outcome, Event>): (request: Request) => Promise<Result<Outcome>> {
  return (request) =>
    new Promise((resolve) =>
      device.perform(
        request,
        (outcome) => resolve(outcome),
        () => undefined,
      ),
    )
}

/** The answer; a refusal fails the test with its reason. */
export function granted<Answer>(result: Result<Answer>): Answer {
  if (isRefused(result)) throw new Error(`refused (${result.refused}): ${result.why}`)
  return result
}

/** The refusal; an answer fails the test. */
export function refused(result: unknown): Refusal {
  if (isRefused(result)) return result
  throw new Error(`was to be refused, but the answer is ${JSON.stringify(result)}`)
}
