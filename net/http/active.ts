import type { ServerResponse } from 'node:http'

/** Requests that are being answered. */
export class Active {
  #count = 0
  #idle: (() => void) | undefined

  /** Calls `closed` once the response was sent or its connection is gone. */
  begin(response: ServerResponse, closed: () => void): void {
    this.#count++
    response.once('close', () => {
      closed()
      if (--this.#count === 0) this.#idle?.()
    })
  }

  /** Resolves when nothing is being answered any more, or after `withinMs`. */
  idle(withinMs: number): Promise<void> {
    if (this.#count === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs)
      this.#idle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
