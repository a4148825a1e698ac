import type { AnyActor, AnyHandler } from '../src/kernel/instance.ts'

/** Crashes that actors have ahead of them, by name: each happens to the next message that one of that name handles. */
export class Crashes {
  readonly #ahead = new Map<string, number>()
  readonly #struck: (actor: string) => void

  constructor(struck: (actor: string) => void) {
    this.#struck = struck
  }

  /** The definition, with the crashes that it has ahead. */
  into(definition: AnyActor): AnyActor {
    const { name } = definition
    const handlers = Object.entries(definition.on as Record<string, AnyHandler>).map(([message, handler]): [string, AnyHandler] => [
      message,
      (state, request, turn, from) => {
        const answer = handler(state, request, turn, from)
        if (this.#ahead.size > 0) this.#strike(name, message)
        return answer
      },
    ])
    return { ...definition, on: Object.fromEntries(handlers) as AnyActor['on'] }
  }

  doom(name: string, times: number): void {
    this.#ahead.set(name, (this.#ahead.get(name) ?? 0) + times)
  }

  clear(): void {
    this.#ahead.clear()
  }

  #strike(name: string, message: string): void {
    const left = this.#ahead.get(name)
    if (left === undefined) return
    if (left > 1) this.#ahead.set(name, left - 1)
    else this.#ahead.delete(name)
    this.#struck(name)
    throw new Error(`simulated bug in "${message}" of ${name}`)
  }
}
