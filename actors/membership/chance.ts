import type { Random } from '../../src/kernel/ports.ts'
import { randomOf } from '../../src/kernel/random.ts'

/** Where a stream of chance is: plain data, so that it can be a part of a state. */
export type Chance = { at: number }

/** Equal seeds give equal sequences: splitmix32, 32 bits at a time. */
export function chanceFrom(chance: Chance): Random {
  return randomOf(() => {
    chance.at = (chance.at + 0x9e3779b9) >>> 0
    let mixed = chance.at
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  })
}
