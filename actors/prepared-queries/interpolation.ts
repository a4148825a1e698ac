import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'

/** What stands for the names and the function in a text. */
export type Values = { variables: Readonly<Record<string, string>>; match: (number: number) => string }

/** A text with places for values. */
export type Interpolation = readonly Part[]

/**
 * Reads a text with `${…}` in it, as HashiCorp's HIL has it: `${name.full}`, `${match(1)}`, a text in quotes that may have such
 * places itself, whole numbers with `+ - * / %` as an argument; `$${` stands for itself. Refused with `invalid` and what is wrong.
 */
export function parseInterpolation(text: string, variables: readonly string[]): Result<Interpolation> {
  const parser = new Parser(text, variables)
  try {
    return parser.whole()
  } catch (error) {
    if (!(error instanceof Wrong)) throw error
    return refuse('invalid', error.message)
  }
}

/** The text with its places filled. Refused with `invalid` if that would have more than `charactersMax` characters. */
export function rendered(parts: Interpolation, values: Values, charactersMax: number): Result<string> {
  const texts: string[] = []
  let characters = 0
  for (const part of parts) {
    const text = textOf(part, values, charactersMax - characters)
    if (isRefused(text)) return text
    characters += text.length
    if (characters > charactersMax) return refuse('invalid', 'it becomes too long')
    texts.push(text)
  }
  return texts.join('')
}

type Part =
  | { kind: 'literal'; text: string }
  | { kind: 'variable'; name: string }
  | { kind: 'match'; number: number }
  | { kind: 'quoted'; parts: Interpolation }

function textOf(part: Part, values: Values, charactersMax: number): Result<string> {
  switch (part.kind) {
    case 'literal':
      return part.text
    case 'variable':
      return values.variables[part.name] ?? ''
    case 'quoted':
      return rendered(part.parts, values, charactersMax)
    case 'match':
      return values.match(part.number)
  }
}

/** Divided by nothing it is no group. */
function calculated(left: number, operator: string, right: number): number {
  switch (operator) {
    case '+':
      return left + right
    case '-':
      return left - right
    case '*':
      return left * right
    case '/':
      return right === 0 ? -1 : Math.trunc(left / right)
    default:
      return right === 0 ? -1 : left % right
  }
}

const DEPTH_MAX = 32
const FUNCTION = 'match'

class Wrong extends Error {}

class Parser {
  readonly #text: string
  readonly #variables: readonly string[]
  #at = 0
  #depth = 0

  constructor(text: string, variables: readonly string[]) {
    this.#text = text
    this.#variables = variables
  }

  whole(): Interpolation {
    return this.#parts('')
  }

  /** Everything up to the closing quote, or to the end. */
  #parts(quote: string): Part[] {
    if (++this.#depth > DEPTH_MAX) throw new Wrong('it nests too deeply')
    const parts: Part[] = []
    let literal = ''
    const close = () => {
      if (literal !== '') parts.push({ kind: 'literal', text: literal })
      literal = ''
    }
    while (this.#at < this.#text.length && (quote === '' || !this.#is(quote))) {
      if (this.#skip('$${')) literal += '${'
      else if (this.#skip('${')) {
        close()
        parts.push(this.#expression())
      } else if (quote !== '' && this.#skip('\\')) literal += this.#escape()
      else literal += this.#text[this.#at++]
    }
    if (quote !== '' && !this.#skip(quote)) throw new Wrong(`a text in quotes has no end`)
    close()
    this.#depth--
    return parts
  }

  #escape(): string {
    const character = this.#text[this.#at++] ?? ''
    return character === 'n' ? '\n' : character === 't' ? '\t' : character
  }

  #expression(): Part {
    this.#blanks()
    const part = this.#skip('"') ? ({ kind: 'quoted', parts: this.#parts('"') } as const) : this.#named()
    this.#blanks()
    if (!this.#skip('}')) throw new Wrong(this.#at < this.#text.length ? `expected "}" at position ${this.#at + 1}` : 'expected "}"')
    return part
  }

  #named(): Part {
    const name = this.#taken(/[A-Za-z_][\w.-]*/y)
    if (name === '') throw new Wrong(`expected a name at position ${this.#at + 1}`)
    this.#blanks()
    if (!this.#skip('(')) {
      if (!this.#variables.includes(name)) throw new Wrong(`unknown variable accessed: ${name}`)
      return { kind: 'variable', name }
    }
    if (name !== FUNCTION) throw new Wrong(`unknown function called: ${name}`)
    const number = this.#sum()
    if (!this.#skip(')')) throw new Wrong(`${FUNCTION}: expected one number`)
    return { kind: 'match', number }
  }

  #sum(): number {
    return this.#operations(['+', '-'], () => this.#operations(['*', '/', '%'], () => this.#number()))
  }

  #operations(operators: readonly string[], operand: () => number): number {
    let left = operand()
    for (;;) {
      const operator = operators.find((one) => this.#skip(one))
      if (operator === undefined) return left
      left = calculated(left, operator, operand())
    }
  }

  #number(): number {
    this.#blanks()
    if (this.#skip('(')) {
      if (++this.#depth > DEPTH_MAX) throw new Wrong('it nests too deeply')
      const inner = this.#sum()
      if (!this.#skip(')')) throw new Wrong('expected ")"')
      this.#depth--
      this.#blanks()
      return inner
    }
    const digits = this.#taken(/-?\d{1,9}/y)
    if (digits === '') throw new Wrong(`${FUNCTION}: expected a whole number at position ${this.#at + 1}`)
    this.#blanks()
    return Number(digits)
  }

  #blanks(): void {
    this.#taken(/\s*/y)
  }

  #taken(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += found.length
    return found
  }

  #is(text: string): boolean {
    return this.#text.startsWith(text, this.#at)
  }

  #skip(text: string): boolean {
    if (!this.#is(text)) return false
    this.#at += text.length
    return true
  }
}
