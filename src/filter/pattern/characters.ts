import type { CharacterTest } from './syntax.ts'

/** Pairs of first and last code points, or the source of a property escape such as `\p{Lu}`. */
export type CharacterSet = { ranges: readonly (readonly [from: number, to: number])[]; properties: readonly string[] }

const CODE_POINT_MAX = 0x10ffff
const ASCII_SIZE = 128

/** A test for the set. Answers about ASCII are remembered. */
export function characterTest({ ranges, properties }: CharacterSet, negated: boolean, foldsCase: boolean): CharacterTest {
  const [first, ...more] = ranges
  if (first && more.length + properties.length === 0 && first[0] === first[1] && !foldsCase) {
    return (codePoint) => (codePoint === first[0]) !== negated
  }
  const source = ranges.map(([from, to]) => `${escaped(from)}-${escaped(to)}`).join('') + properties.join('')
  const one = new RegExp(`^${source === '' ? '[]' : `[${source}]`}$`, foldsCase ? 'iu' : 'u')
  const test = (codePoint: number) => one.test(String.fromCodePoint(codePoint)) !== negated
  const ascii: boolean[] = []
  return (codePoint) => {
    if (codePoint >= ASCII_SIZE) return test(codePoint)
    ascii[codePoint] ??= test(codePoint)
    return ascii[codePoint]
  }
}

export function characterSet(...ranges: [from: number, to: number][]): CharacterSet {
  return { ranges, properties: [] }
}

export function together(sets: readonly CharacterSet[]): CharacterSet {
  return { ranges: sets.flatMap(({ ranges }) => ranges), properties: sets.flatMap(({ properties }) => properties) }
}

/** What is not in the ranges. The set has no properties. */
export function complement({ ranges }: CharacterSet): CharacterSet {
  const gaps: [number, number][] = []
  let next = 0
  for (const [from, to] of ranges.toSorted(([one], [other]) => one - other)) {
    if (from > next) gaps.push([next, from - 1])
    next = Math.max(next, to + 1)
  }
  if (next <= CODE_POINT_MAX) gaps.push([next, CODE_POINT_MAX])
  return { ranges: gaps, properties: [] }
}

/** `\d`, `\s`, `\w` and their opposites: ASCII only. */
export const PERL_SETS: Readonly<Record<string, CharacterSet>> = withOpposites({
  d: spans('09'),
  s: spans('\t\n', '\f\r', '  '),
  w: spans('09', 'AZ', 'az', '__'),
})

/** `[:alpha:]` and the like, by name. */
export const POSIX_SETS: Readonly<Record<string, CharacterSet>> = {
  alnum: spans('09', 'AZ', 'az'),
  alpha: spans('AZ', 'az'),
  ascii: spans('\x00\x7f'),
  blank: spans('\t\t', '  '),
  cntrl: spans('\x00\x1f', '\x7f\x7f'),
  digit: spans('09'),
  graph: spans('!~'),
  lower: spans('az'),
  print: spans(' ~'),
  punct: spans('!/', ':@', '[`', '{~'),
  space: spans('\t\r', '  '),
  upper: spans('AZ'),
  word: spans('09', 'AZ', 'az', '__'),
  xdigit: spans('09', 'AF', 'af'),
}

/** Every character, and every one but a line's end. */
export const ANY = characterSet([0, CODE_POINT_MAX])
export const ANY_IN_LINE = complement(spans('\n\n'))

/** A general category or a script of Unicode by its name; undefined if there is none. */
export function unicodeSet(name: string, negated: boolean): CharacterSet | undefined {
  if (name === 'Any') return negated ? characterSet() : ANY
  const written = `\\${negated ? 'P' : 'p'}{${name.length <= 2 ? 'gc' : 'sc'}=${name}}`
  return isKnown(written) ? { ranges: [], properties: [written] } : undefined
}

function isKnown(written: string): boolean {
  try {
    return new RegExp(written, 'u') !== undefined
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

function spans(...pairs: string[]): CharacterSet {
  return characterSet(...pairs.map((pair): [number, number] => [pair.charCodeAt(0), pair.charCodeAt(1)]))
}

function withOpposites(sets: Record<string, CharacterSet>): Record<string, CharacterSet> {
  const opposites = Object.entries(sets).map(([name, set]): [string, CharacterSet] => [name.toUpperCase(), complement(set)])
  return { ...sets, ...Object.fromEntries(opposites) }
}

function escaped(codePoint: number): string {
  return `\\u{${codePoint.toString(16)}}`
}
