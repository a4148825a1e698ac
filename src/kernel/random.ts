import type { Random } from './ports.ts'

/** What a stream of 32 random bits at a time gives. */
export function randomOf(next32: () => number): Random {
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
