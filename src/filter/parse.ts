import { type Result, refuse } from '../kernel/refusal.ts'
import { Reader } from './reader.ts'
import type { Expression, Operator } from './syntax.ts'
import { unquoted } from './unquoted.ts'

/** Parentheses within each other. */
const NESTING_MAX = 200

/** Reads a filter expression; refused with Consul's text, which names line, column and byte. Source: http-api §0.3. */
export function parseFilter(text: string): Result<Expression> {
  const reader = new Reader(text)
  const expression = new Grammar(reader).input()
  const problem = reader.problem(expression !== undefined)
  return expression === undefined || problem !== undefined ? refuse('invalid', problem ?? '') : expression
}

class Grammar {
  readonly #reader: Reader
  /** What stands at a place, and where it ends: a choice that comes back to it does not read it again. */
  readonly #ors = new Map<number, { expression: Expression | undefined; end: number }>()
  #nesting = 0

  constructor(reader: Reader) {
    this.#reader = reader
  }

  input(): Expression | undefined {
    const reader = this.#reader
    const grouped = reader.all(() => {
      this.#space()
      const expression = this.#grouped()
      this.#space()
      return expression !== undefined && reader.end() ? expression : undefined
    })
    if (grouped) return grouped
    return reader.all(() => {
      this.#space()
      const expression = this.#or()
      this.#space()
      return expression !== undefined && reader.end() ? expression : undefined
    })
  }

  #or(): Expression | undefined {
    const reader = this.#reader
    const start = reader.at
    const known = this.#ors.get(start)
    if (known) {
      if (known.expression) reader.at = known.end
      return known.expression
    }
    if (this.#nesting >= NESTING_MAX) return reader.wrong('grouping', `more than ${NESTING_MAX} parentheses within each other`)
    this.#nesting++
    const expression = this.#joined('or', () => this.#joined('and', () => this.#not()))
    this.#nesting--
    this.#ors.set(start, { expression, end: reader.at })
    return expression
  }

  #joined(word: 'or' | 'and', part: () => Expression | undefined): Expression | undefined {
    const reader = this.#reader
    const first = part()
    if (first === undefined) return undefined
    const parts = [first]
    for (;;) {
      const next = reader.all(() => (this.#space() && reader.literal(word) && this.#space() ? part() : undefined))
      if (next === undefined) return parts.length === 1 ? first : { kind: word, of: parts }
      parts.push(next)
    }
  }

  /** `not` may also begin a name, so each one that was taken is given back if nothing fits behind it. */
  #not(): Expression | undefined {
    const reader = this.#reader
    const places = [reader.at]
    while (reader.all(() => (reader.literal('not') && this.#space() ? true : undefined))) places.push(reader.at)
    for (let nots = places.length - 1; nots >= 0; nots--) {
      reader.at = places[nots] ?? 0
      const expression = this.#parenthesized()
      if (expression) return nots % 2 === 0 ? expression : { kind: 'not', of: expression }
    }
    return undefined
  }

  #parenthesized(): Expression | undefined {
    const reader = this.#reader
    const found = reader.all(() => this.#grouped()) ?? this.#match()
    if (found) return found
    reader.all(() => {
      if (!reader.literal('(')) return undefined
      this.#space()
      if (!this.#or()) return undefined
      this.#space()
      return reader.not(() => reader.literal(')')) && reader.wrong('grouping', 'Unmatched parentheses')
    })
    return undefined
  }

  #grouped(): Expression | undefined {
    const reader = this.#reader
    if (!reader.literal('(')) return undefined
    this.#space()
    const expression = this.#or()
    if (!expression) return undefined
    this.#space()
    return reader.literal(')') ? expression : undefined
  }

  #match(): Expression | undefined {
    const reader = this.#reader
    return (
      reader.all(() => {
        const path = this.#selector()
        const operator = path && this.#operator(COMPARING)
        const value = operator && this.#value()
        return path && operator && value !== undefined ? { kind: 'match', path, operator, value } : undefined
      }) ??
      reader.all(() => {
        const path = this.#selector()
        const operator = path && this.#operator(LOOKING)
        return path && operator ? { kind: 'match', path, operator, value: undefined } : undefined
      }) ??
      reader.all(() => {
        const value = this.#value()
        const operator = value === undefined ? undefined : this.#operator(CONTAINED)
        const path = operator && this.#selector()
        return value !== undefined && path && operator ? { kind: 'match', path, operator, value } : undefined
      }) ??
      reader.all(() => {
        if (this.#value() === undefined || !this.#operator(CONTAINED)) return undefined
        return reader.not(() => this.#selector()) && reader.wrong('match', 'Invalid selector')
      })
    )
  }

  /** The first of the operators that stands here. */
  #operator(operators: readonly Words[]): Operator | undefined {
    const reader = this.#reader
    for (const { operator, words, alone } of operators) {
      const found = reader.all(() => {
        for (const word of words) if ((!this.#space() && !alone) || !reader.literal(word)) return undefined
        const ends = operator === 'Is Empty' || operator === 'Is Not Empty' || this.#space() || alone
        return ends ? operator : undefined
      })
      if (found) return found
    }
    return undefined
  }

  #selector(): string[] | undefined {
    const reader = this.#reader
    const first = this.#identifier()
    if (first === undefined) return undefined
    const path = [first]
    for (;;) {
      const next = reader.all(() => (reader.literal('.') ? this.#identifier() : undefined)) ?? this.#index()
      if (next === undefined) return path
      path.push(next)
    }
  }

  #identifier(): string | undefined {
    const first = this.#reader.character(/[a-zA-Z]/, '[a-zA-Z]')
    return first === undefined ? undefined : first + this.#reader.characters(/[a-zA-Z0-9_]/, '[a-zA-Z0-9_]')
  }

  #index(): string | undefined {
    const reader = this.#reader
    const found = reader.all(() => {
      if (!reader.literal('[')) return undefined
      this.#space()
      const key = this.#string()
      if (key === undefined) return undefined
      this.#space()
      return reader.literal(']') && key
    })
    if (found !== undefined) return found
    reader.all(() => {
      if (!reader.literal('[')) return undefined
      this.#space()
      return reader.not(() => this.#string()) && reader.wrong('index', 'Invalid index')
    })
    reader.all(() => {
      if (!reader.literal('[')) return undefined
      this.#space()
      if (this.#string() === undefined) return undefined
      this.#space()
      return reader.not(() => reader.literal(']')) && reader.wrong('index', 'Unclosed index expression')
    })
    return undefined
  }

  /** A value's text: a name with dots counts as it is written, without its brackets. */
  #value(): string | undefined {
    return this.#reader.all(() => this.#selector())?.join('.') ?? this.#number() ?? this.#string()
  }

  #number(): string | undefined {
    const reader = this.#reader
    const start = reader.at
    const found = reader.all(() => (this.#digits() && this.#afterNumber() ? reader.since(start) : undefined))
    if (found !== undefined) return found
    reader.all(() => {
      if (!this.#digits()) return undefined
      return reader.not(() => this.#afterNumber()) && reader.wrong('number', 'Invalid number literal')
    })
    return undefined
  }

  #digits(): true | undefined {
    const reader = this.#reader
    reader.literal('-')
    if (!reader.literal('0')) {
      if (reader.character(/[1-9]/, '[1-9]') === undefined) return undefined
      reader.characters(/[0-9]/, '[0-9]')
    }
    reader.all(() => {
      if (!reader.literal('.') || reader.character(/[0-9]/, '[0-9]') === undefined) return undefined
      return reader.characters(/[0-9]/, '[0-9]')
    })
    return true
  }

  #afterNumber(): true | undefined {
    return this.#reader.follows(() => this.#space() ?? this.#reader.end() ?? this.#reader.literal(')'))
  }

  #string(): string | undefined {
    const reader = this.#reader
    const start = reader.at
    const quoted = reader.all(() => this.#quoted('`')) ?? reader.all(() => this.#quoted('"'))
    if (quoted) {
      const text = unquoted(reader.since(start))
      if (text === undefined) reader.wrong('string', 'invalid syntax', start)
      return text ?? ''
    }
    reader.all(() => {
      const opened = reader.all(() => this.#opened('`')) ?? reader.all(() => this.#opened('"'))
      return opened && reader.end() && reader.wrong('string', 'Unterminated string literal')
    })
    return undefined
  }

  #quoted(quote: string): true | undefined {
    return this.#opened(quote) && this.#reader.literal(quote)
  }

  #opened(quote: string): true | undefined {
    const reader = this.#reader
    if (!reader.literal(quote)) return undefined
    while (reader.not(() => reader.literal(quote)) && reader.any());
    return true
  }

  #space(): true | undefined {
    return this.#reader.characters(/[ \t\r\n]/, '[ \\t\\r\\n]') === '' ? undefined : true
  }
}

/** Words with space before each and behind the last; `alone`: they need no space around them. */
type Words = { operator: Operator; words: readonly string[]; alone?: true }

const COMPARING: readonly Words[] = [
  { operator: 'Equal', words: ['=='], alone: true },
  { operator: 'Not Equal', words: ['!='], alone: true },
  { operator: 'In', words: ['contains'] },
  { operator: 'Not In', words: ['not', 'contains'] },
  { operator: 'Matches', words: ['matches'] },
  { operator: 'Not Matches', words: ['not', 'matches'] },
]
const LOOKING: readonly Words[] = [
  { operator: 'Is Empty', words: ['is', 'empty'] },
  { operator: 'Is Not Empty', words: ['is', 'not', 'empty'] },
]
const CONTAINED: readonly Words[] = [
  { operator: 'In', words: ['in'] },
  { operator: 'Not In', words: ['not', 'in'] },
]
