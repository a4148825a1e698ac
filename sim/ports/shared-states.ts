import type { Transaction } from '../../src/kernel/tables.ts'

/** Lets a transaction take over what another one has come to from the same beginning. Known to the tables alone. */
export type Adoptable<State> = { readonly base: State; adopt(state: State): void }

/**
 * What applying a group of commands to a state came to, so that a thousand copies of the same tables cost little more than one.
 * Copies share their states: applying the same group to the very same state again gives the very same state. It takes for
 * granted that applying is deterministic, which smaller clusters prove by doing it on each server.
 */
export class SharedStates<State extends object> {
  readonly #results = new WeakMap<State, WeakMap<object, { state: State; outcome: unknown }>>()
  readonly #running = new WeakMap<Transaction, Adoptable<State> & { group: object | undefined; outcome: unknown }>()

  /** A transaction begins. */
  begin(transaction: Transaction, adoptable: Adoptable<State>): void {
    this.#running.set(transaction, { ...adoptable, group: undefined, outcome: undefined })
  }

  /** It has come to a state. */
  end(transaction: Transaction, state: State): void {
    const running = this.#running.get(transaction)
    if (running?.group === undefined) return
    let results = this.#results.get(running.base)
    if (!results) this.#results.set(running.base, (results = new WeakMap()))
    results.set(running.group, { state, outcome: running.outcome })
  }

  /** Applies a group unless that was done before. */
  apply<Group extends object, Outcome>(apply: (tx: Transaction, group: Group) => Outcome): (tx: Transaction, group: Group) => Outcome {
    return (tx, group) => {
      const running = this.#running.get(tx)
      const known = running && this.#results.get(running.base)?.get(group)
      if (running && known) {
        running.adopt(known.state)
        return known.outcome as Outcome
      }
      const outcome = apply(tx, group)
      if (running) {
        running.group = group
        running.outcome = outcome
      }
      return outcome
    }
  }
}
