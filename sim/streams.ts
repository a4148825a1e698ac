import type { Random } from '../src/kernel/ports.ts'
import { randomOf } from '../src/kernel/random.ts'

/**
 * Named streams of chance from one seed. A stream's sequence depends on the seed and its own name only, so that leaving one
 * event out of a plan does not reshuffle the rest.
 */
export class Streams {
  readonly #seed: string
  readonly #streams = new Map<string, Random>()

  constructor(seed: string) {
    this.#seed = seed
  }

  stream(name: string): Random {
    let stream = this.#streams.get(name)
    if (!stream) this.#streams.set(name, (stream = createRandom(`${this.#seed}/${name}`)))
    return stream
  }
}

/** sfc32 by Chris Doty-Humphrey (PractRand), seeded by hashing the text. */
export function createRandom(text: string): Random {
  let [a, b, c, d] = [hash32(text, 1), hash32(text, 2), hash32(text, 3), 1]
  const next32 = () => {
    const sum = (a + b + d++) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return sum >>> 0
  }
  for (let warm = 0; warm < 12; warm++) next32()
  return randomOf(next32)
}

export function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.int(0, items.length - 1)] as T
}

/** FNV-1a over UTF-16 units with a final mix, 32 bits. */
export function hash32(text: string, salt: number): number {
  let value = 0x811c9dc5 ^ salt
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}
