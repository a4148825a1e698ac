/**
 * The one way in which anything here says no. A refusal is data: it is answered, sent between threads and shown to people.
 * Exceptions mean a bug.
 */
export type RefusalCode = 'invalid' | 'missing' | 'conflict' | 'forbidden' | 'busy' | 'late' | 'gone'

export type Refusal = { readonly refused: RefusalCode; readonly why: string }

/** An answer or a refusal. No answer type may have a field named `refused`. */
export type Result<Answer> = Answer | Refusal

export function refuse(refused: RefusalCode, why: string): Refusal {
  return { refused, why }
}

export function isRefused(result: unknown): result is Refusal {
  return typeof result === 'object' && result !== null && 'refused' in result
}

/** A broken promise inside the program. `promise` states the invariant positively. */
export function assert(condition: unknown, promise: string): asserts condition {
  if (!condition) throw new Error(`broken promise: ${promise}`)
}

/** Whether something would have to be waited for. */
export function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
