/** Why a text is not JSON, in the words of Go's `encoding/json`. Only for texts that `JSON.parse` refuses. */
export function jsonProblem(body: Buffer): string {
  const reader = new Reader(body)
  try {
    reader.space()
    if (reader.ended) return 'EOF'
    reader.value()
    reader.space()
    if (!reader.ended) reader.fail('after top-level value')
  } catch (error) {
    if (error instanceof Problem) return error.message
    throw error
  }
  return 'invalid JSON'
}

class Problem extends Error {}

const SPACE = ' \t\r\n'
const LITERALS: Record<string, string> = { t: 'true', f: 'false', n: 'null' }

/** Byte by byte, and without recursion, because a body may be nested as deep as it is long. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get ended(): boolean {
    return this.#at >= this.#bytes.length
  }

  #next(): string {
    if (this.ended) throw new Problem('unexpected EOF')
    return String.fromCharCode(this.#bytes[this.#at] ?? 0)
  }

  fail(where: string): never {
    throw new Problem(`invalid character ${quoted(this.#next())} ${where}`)
  }

  space(): void {
    while (!this.ended && SPACE.includes(this.#next())) this.#at++
  }

  value(): void {
    const open: string[] = []
    for (;;) {
      this.space()
      const first = this.#next()
      if ((first === '{' || first === '[') && this.#opened(first)) {
        open.push(first)
        continue
      }
      if (first !== '{' && first !== '[') this.#scalar(first)
      if (this.#closed(open)) return
    }
  }

  /** Whether anything stands inside; an empty object or list is read to its end. */
  #opened(bracket: '{' | '['): boolean {
    this.#at++
    this.space()
    if (this.#next() === (bracket === '{' ? '}' : ']')) {
      this.#at++
      return false
    }
    if (bracket === '{') this.#key()
    return true
  }

  /** After a value: up to where the next one begins. Whether there is none because all is closed. */
  #closed(open: string[]): boolean {
    for (let bracket = open.at(-1); bracket !== undefined; bracket = open.at(-1)) {
      this.space()
      if (this.#next() === ',') {
        this.#at++
        if (bracket === '{') this.#key()
        return false
      }
      if (this.#next() !== (bracket === '{' ? '}' : ']')) this.fail(bracket === '{' ? 'after object key:value pair' : 'after array element')
      this.#at++
      open.pop()
    }
    return true
  }

  #key(): void {
    this.space()
    if (this.#next() !== '"') this.fail('looking for beginning of object key string')
    this.#string()
    this.space()
    if (this.#next() !== ':') this.fail('after object key')
    this.#at++
  }

  #scalar(first: string): void {
    if (first === '"') return this.#string()
    if (first === '-' || isDigit(first)) return this.#number()
    const literal = LITERALS[first]
    if (literal === undefined) this.fail('looking for beginning of value')
    for (const letter of literal) {
      if (this.#next() !== letter) this.fail(`in literal ${literal} (expecting ${quoted(letter)})`)
      this.#at++
    }
  }

  #string(): void {
    for (this.#at++; this.#next() !== '"'; this.#at++) {
      if (this.#next() < ' ') this.fail('in string literal')
      if (this.#next() !== '\\') continue
      this.#at++
      if (!'"\\/bfnrtu'.includes(this.#next())) this.fail('in string escape code')
      if (this.#next() !== 'u') continue
      for (let digit = 0; digit < 4; digit++) {
        this.#at++
        if (!/[0-9a-fA-F]/.test(this.#next())) this.fail('in \\u hexadecimal character escape')
      }
    }
    this.#at++
  }

  #number(): void {
    if (this.#next() === '-') this.#at++
    if (this.#next() === '0') this.#at++
    else this.#digits('in numeric literal')
    if (!this.ended && this.#next() === '.') {
      this.#at++
      this.#digits('after decimal point in numeric literal')
    }
    if (this.ended || this.#next().toLowerCase() !== 'e') return
    this.#at++
    if (this.#next() === '+' || this.#next() === '-') this.#at++
    this.#digits('in exponent of numeric literal')
  }

  #digits(where: string): void {
    if (!isDigit(this.#next())) this.fail(where)
    while (!this.ended && isDigit(this.#next())) this.#at++
  }
}

function isDigit(character: string): boolean {
  return character >= '0' && character <= '9'
}

/** A byte between single quotes, as Go quotes it. */
function quoted(character: string): string {
  if (character === "'") return `'\\''`
  if (character === '"') return `'"'`
  const code = character.charCodeAt(0)
  if (code < 0x20 || code === 0x7f) return `'${SHORT[code] ?? `\\x${code.toString(16).padStart(2, '0')}`}'`
  if (code > 0x7f && code < 0xa1) return `'\\u00${code.toString(16)}'`
  return character === '\\' ? `'\\\\'` : `'${character}'`
}

const SHORT: Record<number, string> = { 7: '\\a', 8: '\\b', 9: '\\t', 10: '\\n', 11: '\\v', 12: '\\f', 13: '\\r' }
