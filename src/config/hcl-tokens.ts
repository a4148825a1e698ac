import { type Place, placesIn } from './tree.ts'

/** A word of HCL. `text` is a string's value or a word's letters; `number` is the value of a number. */
export type Token = { kind: TokenKind; text: string; number: number; whole: boolean; place: Place }
export type TokenKind = 'word' | 'string' | 'number' | '=' | '{' | '}' | '[' | ']' | ',' | 'end'

/** `problem` is the first one met, as `At <line>:<column>: <reason>`. */
export type Scanner = { text: string; at: number; placeOf: (offset: number) => Place; problem: string | undefined }

export function scannerOf(file: string, text: string): Scanner {
  return { text, at: text.startsWith('\uFEFF') ? 1 : 0, placeOf: placesIn(file, text), problem: undefined }
}

/** The next token; after a problem and at the end of the text always `end`. */
export function nextToken(scanner: Scanner): Token {
  skipSpaceAndComments(scanner)
  const place = scanner.placeOf(scanner.at)
  const first = scanner.text[scanner.at]
  if (first === undefined) return token('end', '', place)
  if (isMark(first)) {
    scanner.at += 1
    return token(first, first, place)
  }
  if (first === '"') return token('string', readString(scanner, place), place)
  if (scanner.text.startsWith('<<', scanner.at)) return token('string', readHeredoc(scanner, place), place)
  const word = match(scanner, WORD)
  if (word !== '') return token('word', word, place)
  const number = match(scanner, NUMBER)
  if (number !== '') return numberToken(scanner, number, place)
  fail(scanner, `unexpected character ${JSON.stringify(String.fromCodePoint(scanner.text.codePointAt(scanner.at) ?? 0))}`, place)
  return token('end', '', place)
}

/** Only the first problem is kept; the rest of the text is not read. */
export function fail(scanner: Scanner, reason: string, place: Place): void {
  scanner.problem ??= `At ${place.line}:${place.column}: ${reason}`
  scanner.at = scanner.text.length
}

/** The token as an error names it. */
export function shownToken({ kind, text }: Token): string {
  if (kind === 'end') return 'the end of the file'
  return kind === 'string' ? JSON.stringify(text) : kind === 'word' || kind === 'number' ? text : `'${text}'`
}

const WORD = /[\p{L}_][\p{L}\p{Nd}_.-]*/uy
const NUMBER = /[+-]?[\d.][\p{L}\p{Nd}_.]*(?:(?<=[eE])[+-]\d+)?/uy
const SPACE = /(?:[ \t\r\n]+|#[^\n]*|\/\/[^\n]*)*/y
const PLAIN = /[^"\\$\n]+/y
const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
}
const NUMBERED_ESCAPE = /^(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{3}))/

function isMark(character: string): character is '=' | '{' | '}' | '[' | ']' | ',' {
  return '={}[],'.includes(character)
}

function token(kind: TokenKind, text: string, place: Place): Token {
  return { kind, text, number: 0, whole: false, place }
}

function skipSpaceAndComments(scanner: Scanner): void {
  match(scanner, SPACE)
  while (scanner.text.startsWith('/*', scanner.at)) {
    const end = scanner.text.indexOf('*/', scanner.at + 2)
    if (end < 0) fail(scanner, 'a comment is not closed, expected */', scanner.placeOf(scanner.at))
    else scanner.at = end + 2
    match(scanner, SPACE)
  }
}

function numberToken(scanner: Scanner, text: string, place: Place): Token {
  const sign = text.startsWith('-') ? -1 : 1
  const digits = text.replace(/^[+-]/, '')
  const whole = /^(0[xX][\da-fA-F]+|\d+)$/.test(digits)
  if (whole || /^(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(digits)) {
    const octal = /^0\d/.test(digits) && whole
    if (!octal || /^[0-7]+$/.test(digits)) {
      const value = octal ? Number.parseInt(digits, 8) : Number(digits)
      if (Number.isFinite(value)) return { kind: 'number', text, number: value === 0 ? 0 : sign * value, whole, place }
    }
  }
  fail(scanner, `invalid number ${text}`, place)
  return token('end', '', place)
}

/** From an opening quote to behind the closing one. */
function readString(scanner: Scanner, place: Place): string {
  const parts: string[] = []
  scanner.at += 1
  while (scanner.at < scanner.text.length) {
    parts.push(match(scanner, PLAIN))
    const next = scanner.text[scanner.at]
    if (next === '"') {
      scanner.at += 1
      return parts.join('')
    }
    if (next === '\n') break
    if (next === '\\') parts.push(readEscape(scanner))
    else if (scanner.text.startsWith('${', scanner.at)) parts.push(readInterpolation(scanner))
    else if (next === '$') {
      parts.push('$')
      scanner.at += 1
    }
  }
  fail(scanner, 'a string is not closed on its line, expected "', place)
  return ''
}

function readEscape(scanner: Scanner): string {
  const rest = scanner.text.slice(scanner.at + 1, scanner.at + 10)
  const simple = SIMPLE_ESCAPES[rest[0] ?? '']
  if (simple !== undefined) {
    scanner.at += 2
    return simple
  }
  const numbered = NUMBERED_ESCAPE.exec(rest)
  const hexadecimal = numbered?.[1] ?? numbered?.[2] ?? numbered?.[3]
  const code = hexadecimal === undefined ? Number.parseInt(numbered?.[4] ?? '', 8) : Number.parseInt(hexadecimal, 16)
  if (numbered === null || code > 0x10ffff) {
    fail(scanner, `invalid escape \\${rest[0] ?? ''} in a string`, scanner.placeOf(scanner.at))
    return ''
  }
  scanner.at += 1 + numbered[0].length
  return String.fromCodePoint(code)
}

/** `${…}` with whatever is inside, up to its own closing brace; a quote inside does not end the string. */
function readInterpolation(scanner: Scanner): string {
  const start = scanner.at
  let open = 0
  for (let at = start; at < scanner.text.length; at += 1) {
    if (scanner.text[at] === '{') open += 1
    if (scanner.text[at] === '}') open -= 1
    if (open === 0 && at > start) {
      scanner.at = at + 1
      return scanner.text.slice(start, at + 1)
    }
  }
  fail(scanner, "a '$' with an opening brace is not closed, expected '}'", scanner.placeOf(start))
  return ''
}

/** The lines up to the one that is the mark alone, each with its line end. `<<-` takes away the indentation all lines share. */
function readHeredoc(scanner: Scanner, place: Place): string {
  const opening = /^<<(-?)([\p{L}\p{Nd}_]+)\r?\n/u.exec(scanner.text.slice(scanner.at, scanner.at + HEREDOC_MARK_MAX))
  if (opening === null) {
    fail(scanner, 'a heredoc begins with << or <<-, a mark and the end of the line', place)
    return ''
  }
  const lines: string[] = []
  let at = scanner.at + opening[0].length
  while (at < scanner.text.length) {
    const newline = scanner.text.indexOf('\n', at)
    const end = newline < 0 ? scanner.text.length : newline + 1
    const line = scanner.text.slice(at, end)
    if (line.trim() === opening[2]) {
      scanner.at = at + line.trimEnd().length
      return opening[1] === '-' ? withoutSharedIndentation(lines) : lines.join('')
    }
    lines.push(line)
    at = end
  }
  fail(scanner, `a heredoc is not closed, expected a line with ${opening[2]}`, place)
  return ''
}

const HEREDOC_MARK_MAX = 300

function withoutSharedIndentation(lines: string[]): string {
  const indentations = lines.filter((line) => line.trim() !== '').map((line) => /^[ \t]*/.exec(line)?.[0].length ?? 0)
  const shared = indentations.length === 0 ? 0 : indentations.reduce((least, length) => Math.min(least, length))
  return lines.map((line) => (line.trim() === '' ? line.trimStart() || '\n' : line.slice(shared))).join('')
}

function match(scanner: Scanner, pattern: RegExp): string {
  pattern.lastIndex = scanner.at
  const found = pattern.exec(scanner.text)?.[0] ?? ''
  scanner.at += found.length
  return found
}
