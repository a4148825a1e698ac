import { type Refusal, type Result, refuse } from '../../kernel/refusal.ts'
import {
  ANY,
  ANY_IN_LINE,
  type CharacterSet,
  characterSet,
  characterTest,
  complement,
  PERL_SETS,
  POSIX_SETS,
  together,
  unicodeSet,
} from './characters.ts'
import type { Assertion, Pattern } from './syntax.ts'

const REPEAT_MAX = 1_000
const NESTING_MAX = 250
/** Characters, sets and assertions. */
const PARTS_MAX = 10_000
const CODE_POINT_MAX = 0x10ffff

/** Reads a regular expression; refused with the text of Go's `regexp`. Source: RE2's syntax. */
export function parsePattern(text: string): Result<Pattern> {
  try {
    return new Parser(text).whole()
  } catch (error) {
    if (error instanceof PatternError) return error.refusal
    throw error
  }
}

class PatternError extends Error {
  readonly refusal: Refusal

  constructor(what: string, where?: string) {
    super(what)
    this.refusal = refuse('invalid', `error parsing regexp: ${what}${where === undefined ? '' : `: \`${where}\``}`)
  }
}

/** Switches of `(?ims)`. */
type Flags = { foldsCase: boolean; multiline: boolean; dotTakesAll: boolean }

class Parser {
  readonly #text: string
  #at = 0
  #nesting = 0
  #parts = 0
  #flags: Flags = { foldsCase: false, multiline: false, dotTakesAll: false }

  constructor(text: string) {
    this.#text = text
  }

  whole(): Pattern {
    const pattern = this.#either()
    if (this.#at < this.#text.length) throw new PatternError('unexpected )', this.#text)
    return pattern
  }

  #either(): Pattern {
    const flags = this.#flags
    const parts = [this.#all()]
    while (this.#takes('|')) parts.push(this.#all())
    this.#flags = flags
    return parts.length === 1 && parts[0] ? parts[0] : { kind: 'either', of: parts }
  }

  #all(): Pattern {
    const parts: Pattern[] = []
    /** Where the repetition before this place began; -1 if there is none. */
    let repeatedFrom = -1
    while (this.#at < this.#text.length && !'|)'.includes(this.#next())) {
      const from = this.#at
      const times = this.#repetition()
      if (!times) {
        const part = this.#one()
        if (part) parts.push(part)
        if (part || this.#text[from] !== '(') repeatedFrom = -1
        continue
      }
      const written = this.#text.slice(from, this.#at)
      const last = parts.pop()
      if (!last) throw new PatternError('missing argument to repetition operator', written)
      if (repeatedFrom >= 0) throw new PatternError('invalid nested repetition operator', this.#text.slice(repeatedFrom, this.#at))
      const repeat: Pattern = { kind: 'repeat', of: last, ...times }
      if (repeatsOf(repeat) > REPEAT_MAX) throw new PatternError('invalid repeat count', written)
      repeatedFrom = from
      parts.push(repeat)
    }
    return { kind: 'all', of: parts }
  }

  /** `*`, `+`, `?` or `{2,3}`; a `?` behind it only says which match is preferred. Braces that say no numbers stand for themselves. */
  #repetition(): { min: number; max: number } | undefined {
    const [written, one, min, comma, max] = this.#matches(/([*+?])|\{(\d+)(?:(,)(\d*))?\}/y) ?? []
    if (written === undefined) return undefined
    this.#at += written.length
    if (one !== undefined) {
      this.#takes('?')
      return { min: one === '+' ? 1 : 0, max: one === '?' ? 1 : Number.POSITIVE_INFINITY }
    }
    const least = Number(min)
    const most = comma === undefined ? least : max === '' ? Number.POSITIVE_INFINITY : Number(max)
    const isTooMuch = least > REPEAT_MAX || (most > REPEAT_MAX && most !== Number.POSITIVE_INFINITY)
    if (isTooMuch || least > most) throw new PatternError('invalid repeat count', written)
    this.#takes('?')
    return { min: least, max: most }
  }

  /** undefined for what is only a switch or an empty quotation. */
  #one(): Pattern | undefined {
    if (++this.#parts > PARTS_MAX) throw new PatternError('expression too large')
    const { foldsCase, multiline, dotTakesAll } = this.#flags
    if (this.#takes('(')) return this.#group()
    if (this.#next() === '[') return this.#class()
    if (this.#takes('.')) return this.#character(dotTakesAll ? ANY : ANY_IN_LINE)
    if (this.#takes('^')) return { kind: 'assertion', holds: multiline ? 'line-start' : 'text-start' }
    if (this.#takes('$')) return { kind: 'assertion', holds: multiline ? 'line-end' : 'text-end' }
    if (this.#next() === '\\') return this.#escaped()
    const codePoint = this.#codePoint()
    return { kind: 'character', test: characterTest(characterSet([codePoint, codePoint]), false, foldsCase) }
  }

  #group(): Pattern | undefined {
    const opened = this.#at - 1
    const flags = this.#flags
    if (this.#takes('?')) {
      const isGroup = this.#groupOptions(opened)
      if (!isGroup) return undefined
    }
    if (++this.#nesting > NESTING_MAX) throw new PatternError('expression nests too deeply', this.#text)
    const inner = this.#either()
    this.#nesting--
    if (!this.#takes(')')) throw new PatternError('missing closing )', this.#text)
    this.#flags = flags
    return inner
  }

  /** What stands behind `(?`: a name, or switches that end in `:` (a group) or `)` (the rest of the group around it). */
  #groupOptions(opened: number): boolean {
    if (this.#text.startsWith('P<', this.#at)) {
      const [written] = this.#matches(/P<[0-9A-Za-z_]+>/y) ?? []
      if (written === undefined) {
        const end = this.#text.indexOf('>', this.#at)
        throw new PatternError('invalid named capture', this.#text.slice(opened, end < 0 ? undefined : end + 1))
      }
      this.#at += written.length
      return true
    }
    const [written, on = '', off, end] = this.#matches(/([imsU]*)(?:-([imsU]+))?([:)])/y) ?? []
    if (written === undefined) {
      const [, good = ''] = this.#matches(/([imsU-]*)/y) ?? []
      const bad = this.#text.slice(this.#at + good.length, this.#at + good.length + 1)
      throw new PatternError('invalid or unsupported Perl syntax', `(?${good}${bad}`)
    }
    this.#at += written.length
    const isOn = (letter: string, before: boolean) => (on.includes(letter) || before) && !off?.includes(letter)
    const { foldsCase, multiline, dotTakesAll } = this.#flags
    this.#flags = { foldsCase: isOn('i', foldsCase), multiline: isOn('m', multiline), dotTakesAll: isOn('s', dotTakesAll) }
    return end === ':'
  }

  #escaped(): Pattern | undefined {
    const [quotation, inner = ''] = this.#matches(/\\Q(.*?)(?:\\E|$)/sy) ?? []
    if (quotation !== undefined) return this.#quotation(quotation, inner)
    const letter = this.#text[this.#at + 1] ?? ''
    const holds = ASSERTIONS[letter]
    if (holds) {
      this.#at += 2
      return { kind: 'assertion', holds }
    }
    const set = this.#namedSet()
    if (set) return this.#character(set)
    const codePoint = this.#escapedCodePoint()
    return this.#character(characterSet([codePoint, codePoint]))
  }

  /** A repetition behind a quotation is of its last character: the rest is read first, and that character then. */
  #quotation(written: string, inner: string): Pattern | undefined {
    this.#at += written.length
    this.#parts += inner.length
    const characters = [...inner].slice(0, PARTS_MAX + 1).map((character) => {
      const codePoint = character.codePointAt(0) ?? 0
      return this.#character(characterSet([codePoint, codePoint]))
    })
    const last = characters.pop()
    const times = last && this.#repetition()
    if (last) characters.push(times ? { kind: 'repeat', of: last, ...times } : last)
    return last && { kind: 'all', of: characters }
  }

  #class(): Pattern {
    const opened = this.#at++
    const negated = this.#takes('^')
    const sets: CharacterSet[] = []
    for (let first = true; first || this.#next() !== ']'; first = false) {
      if (this.#at >= this.#text.length) throw new PatternError('missing closing ]', this.#text.slice(opened))
      sets.push(this.#posixSet() ?? this.#namedSet() ?? this.#range(opened))
    }
    this.#at++
    return { kind: 'character', test: characterTest(together(sets), negated, this.#flags.foldsCase) }
  }

  #range(opened: number): CharacterSet {
    const start = this.#at
    const from = this.#classCodePoint(opened)
    const isRange = this.#next() === '-' && this.#at + 1 < this.#text.length && this.#text[this.#at + 1] !== ']'
    if (!isRange) return characterSet([from, from])
    this.#at++
    const to = this.#classCodePoint(opened)
    if (to < from) throw new PatternError('invalid character class range', this.#text.slice(start, this.#at))
    return characterSet([from, to])
  }

  #classCodePoint(opened: number): number {
    if (this.#at >= this.#text.length) throw new PatternError('missing closing ]', this.#text.slice(opened))
    return this.#next() === '\\' ? this.#escapedCodePoint() : this.#codePoint()
  }

  /** `[:alpha:]` within a class. */
  #posixSet(): CharacterSet | undefined {
    const [written, not, name = ''] = this.#matches(/\[:(\^?)([a-z]*):\]/y) ?? []
    if (written === undefined) return undefined
    const set = POSIX_SETS[name]
    if (!set) throw new PatternError('invalid character class range', written)
    this.#at += written.length
    return not === '^' ? complement(set) : set
  }

  /** `\d` and the like, `\pL`, `\p{Greek}`. */
  #namedSet(): CharacterSet | undefined {
    const [written, perl, kind, short, not, long] = this.#matches(/\\(?:([dswDSW])|([pP])(?:([^{])|\{(\^?)([^}]*)\}))/y) ?? []
    if (written === undefined) return undefined
    const set = perl === undefined ? unicodeSet(short ?? long ?? '', (kind === 'P') !== (not === '^')) : PERL_SETS[perl]
    if (!set) throw new PatternError('invalid character class range', written)
    this.#at += written.length
    return set
  }

  #escapedCodePoint(): number {
    const [written, octal, hex, braced, named, punctuation] =
      this.#matches(/\\(?:(0[0-7]{0,2}|[1-7][0-7]{1,2})|x(?:([\da-fA-F]{2})|\{([\da-fA-F]+)\})|([afnrtv])|([!-/:-@[-`{-~]))/y) ?? []
    if (written === undefined) {
      const [wrong = '\\'] = this.#matches(/\\(?:x(?:\{[^}]*\}?|.{0,2})|.)?/suy) ?? []
      throw wrong === '\\'
        ? new PatternError('trailing backslash at end of expression', '')
        : new PatternError('invalid escape sequence', wrong)
    }
    const codePoint =
      octal !== undefined
        ? Number.parseInt(octal, 8)
        : punctuation !== undefined
          ? (punctuation.codePointAt(0) ?? 0)
          : named !== undefined
            ? (NAMED[named] ?? 0)
            : Number.parseInt(hex ?? braced ?? '', 16)
    if (codePoint > CODE_POINT_MAX) throw new PatternError('invalid escape sequence', written.slice(0, 3 + tooLargeFrom(braced)))
    this.#at += written.length
    return codePoint
  }

  #character(set: CharacterSet): Pattern {
    return { kind: 'character', test: characterTest(set, false, this.#flags.foldsCase) }
  }

  #codePoint(): number {
    const codePoint = this.#text.codePointAt(this.#at) ?? 0
    this.#at += codePoint > 0xffff ? 2 : 1
    return codePoint
  }

  #next(): string {
    return this.#text[this.#at] ?? ''
  }

  #takes(character: string): boolean {
    if (this.#next() !== character) return false
    this.#at++
    return true
  }

  /** Matches a sticky pattern here; moves nothing. */
  #matches(sticky: RegExp): RegExpExecArray | undefined {
    sticky.lastIndex = this.#at
    return sticky.exec(this.#text) ?? undefined
  }
}

const ASSERTIONS: Readonly<Record<string, Assertion>> = { A: 'text-start', z: 'text-end', b: 'word-edge', B: 'no-word-edge' }
const NAMED: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 }

/** How many of the digits make a number that is no character any more. */
function tooLargeFrom(digits = ''): number {
  for (let count = 1; count < digits.length; count++) if (Number.parseInt(digits.slice(0, count), 16) > CODE_POINT_MAX) return count
  return digits.length
}

/** How often the innermost part is repeated by counts within counts. */
function repeatsOf(pattern: Pattern): number {
  if (pattern.kind === 'character' || pattern.kind === 'assertion') return 1
  if (pattern.kind !== 'repeat') return Math.max(1, ...pattern.of.map(repeatsOf))
  const times = pattern.max === Number.POSITIVE_INFINITY ? pattern.min : pattern.max
  return Math.max(1, times) * repeatsOf(pattern.of)
}
