import type { Random } from '../../src/kernel/ports.ts'

/** Where a stream of chance is: plain data, so that it can be a part of a state. */
export type Chance = { at: number }

/** Equal seeds give equal sequences: splitmix32, 32 bits at a time. */
export function chanceFrom(chance: Chance): Random {
  const next32 = () => {
    chance.at = (chance.at + 0x9e3779b9) >>> 0
    let mixed = chance.at
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }
  const next = () => next32() / 2 ** 32
  return {
    next,
    int: (from, to) => from + Math.floor(next() * (to - from + 1)),
    uuid() {
      const hex = Array.from({ length: 4 }, () => next32().toString(16).padStart(8, '0')).join('')
      const variant = '89ab'.charAt(Number.parseInt(hex.charAt(16), 16) & 3)
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`
    },
  }
}
