import { type Result, refuse } from './refusal.ts'

/** Whether a code point is one of a set. */
export type CodeTest = (code: number) => boolean
export type Assertion = 'text-begin' | 'text-end' | 'line-begin' | 'line-end' | 'word-edge' | 'no-word-edge'

/** A regular expression as a tree. */
export type RegexpNode =
  | { kind: 'empty' }
  | { kind: 'take'; test: CodeTest }
  | { kind: 'assert'; what: Assertion }
  | { kind: 'group'; number: number; inner: RegexpNode }
  | { kind: 'sequence'; parts: RegexpNode[] }
  | { kind: 'choice'; options: RegexpNode[] }
  | { kind: 'repeat'; inner: RegexpNode; min: number; max: number; greedy: boolean }

/** Reads Go's syntax (https://pkg.go.dev/regexp/syntax). Refused with `invalid` and Go's text. */
export function parseRegexp(source: string): Result<{ node: RegexpNode; groupCount: number }> {
  const parser = new Parser(source)
  try {
    const node = parser.whole()
    if (stepsOf(node) > STEPS_MAX) throw new Wrong('expression too large', source.slice(0, SHOWN_MAX))
    return { node, groupCount: parser.groupCount }
  } catch (error) {
    if (!(error instanceof Wrong)) throw error
    return refuse('invalid', `error parsing regexp: ${error.message}`)
  }
}

const REPEAT_MAX = 1_000
/** Of the compiled expression, counted repetitions written out. */
const STEPS_MAX = 20_000
const DEPTH_MAX = 200
const SHOWN_MAX = 40
const CODE_MAX = 0x10_ffff

class Wrong extends Error {
  constructor(what: string, where: string) {
    super(`${what}: \`${where}\``)
  }
}

type Flags = { fold: boolean; multiline: boolean; dotAll: boolean; ungreedy: boolean }

class Parser {
  readonly #source: string
  #at = 0
  #depth = 0
  #flags: Flags = { fold: false, multiline: false, dotAll: false, ungreedy: false }
  readonly #names = new Set<string>()
  groupCount = 0

  constructor(source: string) {
    this.#source = source
  }

  whole(): RegexpNode {
    const node = this.#choice()
    if (this.#at < this.#source.length) throw new Wrong('unexpected )', this.#source)
    return node
  }

  #choice(): RegexpNode {
    if (++this.#depth > DEPTH_MAX) throw new Wrong('expression nests too deeply', this.#source.slice(0, SHOWN_MAX))
    const options = [this.#sequence()]
    while (this.#skip('|')) options.push(this.#sequence())
    this.#depth--
    return options.length === 1 ? options[0]! : { kind: 'choice', options }
  }

  #sequence(): RegexpNode {
    const parts: RegexpNode[] = []
    while (this.#at < this.#source.length && !this.#is('|') && !this.#is(')')) {
      const start = this.#at
      const quoted = this.#skip('\\Q') ? this.#quoted() : undefined
      parts.push(...(quoted ?? []).slice(0, -1))
      const atom = quoted ? quoted.at(-1) : this.#atom()
      if (atom) parts.push(this.#repeated(atom, start))
    }
    return parts.length === 1 ? parts[0]! : parts.length === 0 ? { kind: 'empty' } : { kind: 'sequence', parts }
  }

  /** Undefined for what only changes flags. */
  #atom(): RegexpNode | undefined {
    const start = this.#at
    const character = this.#next()
    switch (character) {
      case '(':
        return this.#group(start)
      case '[':
        return this.#take(this.#set(start))
      case '.':
        return { kind: 'take', test: this.#flags.dotAll ? () => true : (code) => code !== NEWLINE }
      case '^':
        return { kind: 'assert', what: this.#flags.multiline ? 'line-begin' : 'text-begin' }
      case '$':
        return { kind: 'assert', what: this.#flags.multiline ? 'line-end' : 'text-end' }
      case '*':
      case '+':
      case '?':
        throw new Wrong('missing argument to repetition operator', character)
      case '\\':
        return this.#escaped(start)
      default:
        return this.#literal(character.codePointAt(0) ?? 0)
    }
  }

  #quoted(): RegexpNode[] {
    const end = this.#source.indexOf('\\E', this.#at)
    const text = this.#source.slice(this.#at, end < 0 ? undefined : end)
    this.#at = end < 0 ? this.#source.length : end + 2
    return Array.from(text, (character) => this.#literal(character.codePointAt(0) ?? 0))
  }

  #repeated(atom: RegexpNode, start: number): RegexpNode {
    let node = atom
    let last = ''
    for (;;) {
      const from = this.#at
      const counts = this.#counts()
      if (!counts) return node
      if (last !== '') throw new Wrong('invalid nested repetition operator', last + this.#source.slice(from, this.#at))
      const isLazy = this.#skip('?')
      last = this.#source.slice(from, this.#at)
      node = { kind: 'repeat', inner: node, ...counts, greedy: isLazy === this.#flags.ungreedy }
      if (stepsOf(node) > STEPS_MAX) throw new Wrong('invalid repeat count', this.#source.slice(start, this.#at).slice(0, SHOWN_MAX))
    }
  }

  #counts(): { min: number; max: number } | undefined {
    if (this.#skip('*')) return { min: 0, max: Number.POSITIVE_INFINITY }
    if (this.#skip('+')) return { min: 1, max: Number.POSITIVE_INFINITY }
    if (this.#skip('?')) return { min: 0, max: 1 }
    const counted = /^\{(\d+)(,(\d*))?\}/.exec(this.#source.slice(this.#at, this.#at + SHOWN_MAX))
    if (!counted) return undefined
    const [text, least = '', comma, most = ''] = counted
    this.#at += text.length
    const min = Number(least)
    const max = comma === undefined ? min : most === '' ? Number.POSITIVE_INFINITY : Number(most)
    if (min > REPEAT_MAX || max < min || (max > REPEAT_MAX && most !== '')) throw new Wrong('invalid repeat count', text)
    return { min, max }
  }

  #group(start: number): RegexpNode | undefined {
    const outer = { ...this.#flags }
    let number: number | undefined
    if (this.#skip('?P<')) {
      const name = /^\w+(?=>)/.exec(this.#source.slice(this.#at))?.[0]
      if (name === undefined || this.#names.has(name)) {
        throw new Wrong(
          name === undefined ? 'invalid named capture' : 'duplicate capture group name',
          this.#source.slice(start, this.#at + 8),
        )
      }
      this.#names.add(name)
      this.#at += name.length + 1
      number = ++this.groupCount
    } else if (this.#skip('?')) {
      const flags = /^([imsU]*)(?:-([imsU]+))?([:)])/.exec(this.#source.slice(this.#at, this.#at + SHOWN_MAX))
      if (!flags) throw new Wrong('invalid or unsupported Perl syntax', this.#source.slice(start, this.#at + 1))
      this.#at += flags[0].length
      for (const letter of flags[1] ?? '') this.#flags = { ...this.#flags, [FLAG_OF[letter] ?? '']: true }
      for (const letter of flags[2] ?? '') this.#flags = { ...this.#flags, [FLAG_OF[letter] ?? '']: false }
      if (flags[3] === ')') return undefined
    } else number = ++this.groupCount
    const inner = this.#choice()
    if (!this.#skip(')')) throw new Wrong('missing closing )', this.#source)
    this.#flags = outer
    return number === undefined ? inner : { kind: 'group', number, inner }
  }

  #escaped(start: number): RegexpNode {
    const assertion = ASSERTIONS[this.#source[this.#at] ?? '']
    if (assertion !== undefined) {
      this.#at++
      return { kind: 'assert', what: assertion }
    }
    const set = this.#classEscape(start)
    if (set) return this.#take(set)
    return this.#literal(this.#codeEscape(start))
  }

  /** `\d`, `\pL`, `\p{Greek}` and the like; undefined if something else follows the backslash. */
  #classEscape(start: number): CodeTest | undefined {
    const letter = this.#source[this.#at] ?? ''
    const perl = PERL_CLASSES[letter.toLowerCase()]
    if (perl) {
      this.#at++
      return letter === letter.toLowerCase() ? perl : (code) => !perl(code)
    }
    if (letter !== 'p' && letter !== 'P') return undefined
    const named = /^[pP](?:\{(\^?)(\w+)\}|([A-Z]))/.exec(this.#source.slice(this.#at, this.#at + SHOWN_MAX))
    const test = named && propertyTest(named[2] ?? named[3] ?? '')
    if (!named || !test) throw new Wrong('invalid character class range', this.#source.slice(start, this.#at + (named?.[0].length ?? 1)))
    this.#at += named[0].length
    return (letter === 'P') !== (named[1] === '^') ? (code) => !test(code) : test
  }

  /** The one character that an escape stands for. */
  #codeEscape(start: number): number {
    if (this.#at >= this.#source.length) throw new Wrong('trailing backslash at end of expression', '')
    const rest = this.#source.slice(this.#at, this.#at + SHOWN_MAX)
    const hex = /^x(?:\{([0-9A-Fa-f]{1,8})\}|([0-9A-Fa-f]{2}))/.exec(rest)
    const octal = /^(?:0[0-7]{0,2}|[1-7][0-7]{1,2})/.exec(rest)
    const code = hex ? Number.parseInt(hex[1] ?? hex[2] ?? '', 16) : octal ? Number.parseInt(octal[0], 8) : undefined
    if (code !== undefined && code <= CODE_MAX) {
      this.#at += (hex ?? octal)?.[0].length ?? 0
      return code
    }
    const character = this.#next()
    const control = CONTROLS[character]
    if (control !== undefined) return control
    if (/^[A-Za-z0-9]$/.test(character) || (character.codePointAt(0) ?? 0) >= 128) {
      throw new Wrong('invalid escape sequence', this.#source.slice(start, this.#at))
    }
    return character.codePointAt(0) ?? 0
  }

  /** What stands in brackets, the first of which was read. */
  #set(start: number): CodeTest {
    const negated = this.#skip('^')
    const tests: CodeTest[] = []
    for (let first = true; first || !this.#is(']'); first = false) {
      if (this.#at >= this.#source.length) throw new Wrong('missing closing ]', this.#source.slice(start))
      const posix = /^\[:(\^?)(\w+):\]/.exec(this.#source.slice(this.#at, this.#at + SHOWN_MAX))
      const from = this.#at
      if (posix) {
        const test = POSIX_CLASSES[posix[2] ?? '']
        if (!test) throw new Wrong('invalid character class range', posix[0])
        this.#at += posix[0].length
        tests.push(posix[1] === '^' ? (code) => !test(code) : test)
        continue
      }
      const escaped = this.#is('\\') ? this.#setEscape(from) : undefined
      if (escaped) {
        tests.push(escaped)
        continue
      }
      const low = this.#setCode(from)
      const isRange = this.#is('-') && this.#at + 1 < this.#source.length && this.#source[this.#at + 1] !== ']'
      if (isRange) this.#at++
      const high = isRange ? this.#setCode(this.#at) : low
      if (high < low) throw new Wrong('invalid character class range', this.#source.slice(from, this.#at))
      tests.push((code) => code >= low && code <= high)
    }
    this.#at++
    const isListed = (code: number) => tests.some((test) => test(code))
    const folded = this.#flags.fold ? folding(isListed) : isListed
    return negated ? (code) => !folded(code) : folded
  }

  #setEscape(from: number): CodeTest | undefined {
    this.#at++
    const test = this.#classEscape(from)
    if (!test) this.#at = from
    return test
  }

  #setCode(from: number): number {
    if (this.#at >= this.#source.length) throw new Wrong('missing closing ]', this.#source.slice(from))
    const character = this.#next()
    return character === '\\' ? this.#codeEscape(from) : (character.codePointAt(0) ?? 0)
  }

  #literal(code: number): RegexpNode {
    return this.#take((candidate) => candidate === code)
  }

  #take(test: CodeTest): RegexpNode {
    return { kind: 'take', test: this.#flags.fold ? folding(test) : test }
  }

  #is(text: string): boolean {
    return this.#source.startsWith(text, this.#at)
  }

  #skip(text: string): boolean {
    if (!this.#is(text)) return false
    this.#at += text.length
    return true
  }

  #next(): string {
    const character = String.fromCodePoint(this.#source.codePointAt(this.#at) ?? 0)
    this.#at += character.length
    return character
  }
}

const NEWLINE = 10
const FLAG_OF: Readonly<Record<string, keyof Flags>> = { i: 'fold', m: 'multiline', s: 'dotAll', U: 'ungreedy' }
const ASSERTIONS: Readonly<Record<string, Assertion>> = { A: 'text-begin', z: 'text-end', b: 'word-edge', B: 'no-word-edge' }
const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: NEWLINE, r: 13, v: 11 }
const PERL_CLASSES: Readonly<Record<string, CodeTest>> = { d: ascii(/\d/), s: ascii(/[\t\n\f\r ]/), w: ascii(/\w/) }
const POSIX_CLASSES: Readonly<Record<string, CodeTest>> = {
  alnum: ascii(/[0-9A-Za-z]/),
  alpha: ascii(/[A-Za-z]/),
  ascii: (code) => code < 128,
  blank: ascii(/[\t ]/),
  cntrl: (code) => code < 32 || code === 127,
  digit: ascii(/\d/),
  graph: ascii(/[!-~]/),
  lower: ascii(/[a-z]/),
  print: ascii(/[ -~]/),
  punct: ascii(/[!-/:-@[-`{-~]/),
  space: ascii(/[\t\n\v\f\r ]/),
  upper: ascii(/[A-Z]/),
  word: ascii(/\w/),
  xdigit: ascii(/[0-9A-Fa-f]/),
}

function ascii(pattern: RegExp): CodeTest {
  return (code) => code < 128 && pattern.test(String.fromCharCode(code))
}

/** A general category or a script of Unicode; undefined for any other name. */
function propertyTest(name: string): CodeTest | undefined {
  for (const property of [`General_Category=${name}`, `Script=${name}`]) {
    try {
      const pattern = new RegExp(`^\\p{${property}}$`, 'u')
      return (code) => pattern.test(String.fromCodePoint(code))
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
  }
  return undefined
}

/** The same set without regard to letter case. */
function folding(test: CodeTest): CodeTest {
  return (code) => {
    if (test(code)) return true
    const text = String.fromCodePoint(code)
    return [text.toLowerCase(), text.toUpperCase()].some((other) => [...other].length === 1 && test(other.codePointAt(0) ?? code))
  }
}

/** How long the compiled expression is, about. */
function stepsOf(node: RegexpNode): number {
  switch (node.kind) {
    case 'group':
      return stepsOf(node.inner) + 2
    case 'sequence':
      return node.parts.reduce((sum, part) => sum + stepsOf(part), 0)
    case 'choice':
      return node.options.reduce((sum, option) => sum + stepsOf(option) + 2, 0)
    case 'repeat':
      return (stepsOf(node.inner) + 2) * Math.max(1, node.max === Number.POSITIVE_INFINITY ? node.min + 1 : node.max)
    default:
      return 1
  }
}
