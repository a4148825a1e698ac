import { assert } from '../../src/kernel/refusal.ts'
import type { Machine } from './machine.ts'
import { areApart, SimWay, type Way, type WaySurroundings, wayFault } from './way.ts'

/** All directions between machines. One that was never used nor disturbed costs nothing. */
export class SimWays {
  readonly #surroundings: WaySurroundings
  readonly #ways = new Map<Machine, Map<Machine, SimWay>>()

  constructor(surroundings: WaySurroundings) {
    this.#surroundings = surroundings
  }

  between(from: Machine, to: Machine): SimWay {
    let ways = this.#ways.get(from)
    if (ways === undefined) this.#ways.set(from, (ways = new Map()))
    let way = ways.get(to)
    if (way === undefined) ways.set(to, (way = new SimWay(this.#surroundings, from, to)))
    return way
  }

  disturb(from: Machine, to: Machine, way: Partial<Way>): void {
    const fault = wayFault(way)
    assert(fault === undefined, `a way is disturbed as can be; ${fault}`)
    this.between(from, to).disturb(way)
  }

  setCut(from: Machine, to: Machine, isCut: boolean): void {
    const way = this.between(from, to)
    way.isCut = isCut
    way.refresh()
  }

  isCut(from: Machine, to: Machine): boolean {
    return from !== to && (areApart(from, to) || this.#ways.get(from)?.get(to)?.isCut === true)
  }

  /** Looks anew at all ways, or at those to one machine, after something changed about machines. */
  refresh(to?: Machine): void {
    for (const ways of this.#ways.values()) {
      if (to !== undefined) ways.get(to)?.refresh()
      else for (const way of ways.values()) way.refresh()
    }
  }

  /** Ends every cut and disturbance. */
  healAll(): void {
    for (const ways of this.#ways.values()) {
      for (const way of ways.values()) {
        way.restore()
        way.isCut = false
        way.refresh()
      }
    }
  }
}
