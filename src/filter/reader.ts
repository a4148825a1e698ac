/**
 * Reads text by the rules of a parsing expression grammar, with ordered choices, and remembers what was expected at the farthest place:
 * the error is made of that, as Consul's parser makes it. What does not match is `undefined` and moves nothing.
 */
export class Reader {
  readonly #text: string
  #at = 0
  /** Inside of an odd number of `not`: what matches is then what was not expected. */
  #inverted = false
  #farthest = 0
  readonly #expected = new Set<string>()
  readonly #errors = new Set<string>()

  constructor(text: string) {
    this.#text = text
  }

  get at(): number {
    return this.#at
  }
  set at(at: number) {
    this.#at = at
  }

  /** All of the sequence or nothing. */
  all<T>(sequence: () => T | undefined): T | undefined {
    const start = this.#at
    const found = sequence()
    if (found === undefined) this.#at = start
    return found
  }

  literal(text: string): true | undefined {
    const matches = this.#text.startsWith(text, this.#at)
    this.#note(matches, JSON.stringify(text))
    if (!matches) return undefined
    this.#at += text.length
    return true
  }

  /** One character out of a class, written as in an error. `pattern` must match a single character. */
  character(pattern: RegExp, written: string): string | undefined {
    const character = this.#character()
    const matches = character !== '' && pattern.test(character)
    this.#note(matches, written)
    if (!matches) return undefined
    this.#at += character.length
    return character
  }

  /** Any number of characters out of a class. */
  characters(pattern: RegExp, written: string): string {
    const start = this.#at
    while (this.character(pattern, written) !== undefined);
    return this.#text.slice(start, this.#at)
  }

  /** Whether `rule` does not match here; moves nothing. */
  not(rule: () => unknown): true | undefined {
    const start = this.#at
    this.#inverted = !this.#inverted
    const found = rule()
    this.#inverted = !this.#inverted
    this.#at = start
    return found === undefined ? true : undefined
  }

  /** Whether `rule` matches here; moves nothing. */
  follows(rule: () => unknown): true | undefined {
    const start = this.#at
    const found = rule()
    this.#at = start
    return found === undefined ? undefined : true
  }

  any(): true | undefined {
    return this.character(/./su, '.') === undefined ? undefined : true
  }

  end(): true | undefined {
    return this.not(() => this.any())
  }

  /** What was read since `start`. */
  since(start: number): string {
    return this.#text.slice(start, this.#at)
  }

  /** Says what is wrong within a rule, and where; nothing that is read afterwards makes it right. */
  wrong(rule: string, why: string, at = this.#at): undefined {
    this.#errors.add(`${this.#place(at)}: rule ${JSON.stringify(rule)}: ${why}`)
  }

  /** Everything that is wrong, a line each; `complete`: the whole text was read. */
  problem(complete: boolean): string | undefined {
    if (this.#errors.size > 0) return [...this.#errors].join('\n')
    return complete ? undefined : `${this.#place(this.#farthest)}: no match found, expected: ${this.#listed()}`
  }

  #character(): string {
    const codePoint = this.#text.codePointAt(this.#at)
    return codePoint === undefined ? '' : String.fromCodePoint(codePoint)
  }

  #note(matches: boolean, written: string): void {
    if (matches !== this.#inverted || this.#at < this.#farthest) return
    if (this.#at > this.#farthest) {
      this.#farthest = this.#at
      this.#expected.clear()
    }
    this.#expected.add(this.#inverted ? `!${written}` : written)
  }

  /** Line and column from 1, and the offset in bytes. A line's end belongs to the next line, as its column 0. */
  #place(at: number): string {
    const before = this.#text.slice(0, at)
    const lineStart = this.#text.lastIndexOf('\n', at) + 1
    const line = this.#text.slice(0, at + 1).split('\n').length
    const column = lineStart > at ? 0 : [...this.#text.slice(lineStart, at)].length + 1
    return `${line}:${column} (${Buffer.byteLength(before)})`
  }

  #listed(): string {
    const atEnd = this.#expected.has('!.')
    const words = [...this.#expected].filter((word) => word !== '!.').sort(byBytes)
    if (atEnd) words.push('EOF')
    return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
  }
}

function byBytes(one: string, other: string): number {
  return one < other ? -1 : 1
}
