import { type Result, refuse } from '../kernel/refusal.ts'
import { DEPTH_MAX, type Entry, type Place, placesIn, type Tree } from './tree.ts'

/**
 * Reads JSON (RFC 8259) into a tree with places. A key given twice has its last value. Refuses with `At <line>:<column>: <reason>`.
 */
export function readJson(file: string, text: string): Result<Tree> {
  const input = text.startsWith('\uFEFF') ? ` ${text.slice(1)}` : text
  const reader: Reader = { text: input, at: 0, placeOf: placesIn(file, input), problem: undefined, depth: 0 }
  const tree = readValue(reader)
  skipSpace(reader)
  if (reader.at < input.length) fail(reader, `unexpected ${shown(reader)} after the end of the value`)
  return reader.problem === undefined ? tree : refuse('invalid', reader.problem)
}

/** The first problem moves `at` to the end, so that everything that reads on comes to its end. */
type Reader = { text: string; at: number; placeOf: (offset: number) => Place; problem: string | undefined; depth: number }

function readValue(reader: Reader): Tree {
  skipSpace(reader)
  const place = reader.placeOf(reader.at)
  const first = reader.text[reader.at]
  if (first === '{') return readNested(reader, place, readObject)
  if (first === '[') return readNested(reader, place, readList)
  if (first === '"') return { kind: 'string', value: readString(reader), place }
  const word = match(reader, WORD)
  if (word === 'true' || word === 'false') return { kind: 'boolean', value: word === 'true', place }
  if (word === 'null') return { kind: 'null', place }
  const number = word === '' ? match(reader, NUMBER) : ''
  if (number !== '') return { kind: 'number', value: Number(number), whole: false, place }
  if (word !== '') reader.at -= word.length
  return failed(reader, place, `expected a value, found ${word === '' ? shown(reader) : word}`)
}

const WORD = /[A-Za-z]+/y
const NUMBER = /-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y
const SPACE = /[ \t\r\n]*/y
const PLAIN = /[^"\\\u0000-\u001f]*/y
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }

function readNested(reader: Reader, place: Place, read: (reader: Reader, place: Place) => Tree): Tree {
  if (reader.depth === DEPTH_MAX) return failed(reader, place, `more than ${DEPTH_MAX} objects and lists inside each other`)
  reader.depth += 1
  reader.at += 1
  const tree = read(reader, place)
  reader.depth -= 1
  return tree
}

function readObject(reader: Reader, place: Place): Tree {
  const entries = new Map<string, Entry>()
  const tree: Tree = { kind: 'object', entries, block: false, place }
  if (took(reader, '}')) return tree
  while (reader.problem === undefined) {
    skipSpace(reader)
    const keyPlace = reader.placeOf(reader.at)
    if (reader.text[reader.at] !== '"') return failed(reader, place, `expected a key in double quotes, found ${shown(reader)}`)
    const key = readString(reader)
    if (!took(reader, ':')) return failed(reader, place, `expected ':' after the key ${JSON.stringify(key)}, found ${shown(reader)}`)
    entries.set(key, { key, value: readValue(reader), place: keyPlace })
    if (took(reader, '}')) return tree
    if (!took(reader, ','))
      return failed(reader, place, `expected ',' or '}' after the value of ${JSON.stringify(key)}, found ${shown(reader)}`)
  }
  return tree
}

function readList(reader: Reader, place: Place): Tree {
  const items: Tree[] = []
  const tree: Tree = { kind: 'list', items, blocks: false, place }
  if (took(reader, ']')) return tree
  while (reader.problem === undefined) {
    items.push(readValue(reader))
    if (took(reader, ']')) return tree
    if (!took(reader, ',')) return failed(reader, place, `expected ',' or ']' in a list, found ${shown(reader)}`)
  }
  return tree
}

/** From an opening quote to behind the closing one. */
function readString(reader: Reader): string {
  const parts: string[] = []
  const start = reader.at
  reader.at += 1
  while (reader.at < reader.text.length) {
    parts.push(match(reader, PLAIN))
    const next = reader.text[reader.at]
    if (next === '"') {
      reader.at += 1
      return parts.join('')
    }
    if (next !== '\\') break
    const letter = reader.text[reader.at + 1] ?? ''
    const code = letter === 'u' ? /^[\da-fA-F]{4}/.exec(reader.text.slice(reader.at + 2, reader.at + 6))?.[0] : undefined
    const escaped = code === undefined ? ESCAPES[letter] : String.fromCharCode(Number.parseInt(code, 16))
    if (escaped === undefined) {
      fail(reader, `invalid escape \\${letter} in a string`)
      return ''
    }
    parts.push(escaped)
    reader.at += code === undefined ? 2 : 6
  }
  if (reader.at < reader.text.length) fail(reader, `a string must not contain ${shown(reader)}`)
  else fail(reader, 'a string is not closed', start)
  return ''
}

function match(reader: Reader, pattern: RegExp): string {
  pattern.lastIndex = reader.at
  const found = pattern.exec(reader.text)?.[0] ?? ''
  reader.at += found.length
  return found
}

function skipSpace(reader: Reader): void {
  match(reader, SPACE)
}

function took(reader: Reader, mark: string): boolean {
  skipSpace(reader)
  if (reader.text[reader.at] !== mark) return false
  reader.at += 1
  return true
}

function fail(reader: Reader, reason: string, offset = reader.at): void {
  const { line, column } = reader.placeOf(offset)
  reader.problem ??= `At ${line}:${column}: ${reason}`
  reader.at = reader.text.length
}

function failed(reader: Reader, place: Place, reason: string): Tree {
  fail(reader, reason)
  return { kind: 'null', place }
}

function shown(reader: Reader): string {
  const character = reader.text.codePointAt(reader.at)
  return character === undefined ? 'the end of the file' : JSON.stringify(String.fromCodePoint(character))
}
