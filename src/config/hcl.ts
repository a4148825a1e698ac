import { type Result, refuse } from '../kernel/refusal.ts'
import { fail, nextToken, type Scanner, scannerOf, shownToken, type Token, type TokenKind } from './hcl-tokens.ts'
import { DEPTH_MAX, type Entry, type ListTree, type ObjectTree, type Place, type Tree } from './tree.ts'

/**
 * Reads HCL version 1 into a tree with places. `a "b" { … }` is the object b inside the object a; a key that is given several
 * times with objects is a list of them; given again with anything else it has its last value. `${…}` in a string stays as it is
 * written. Refuses with `At <line>:<column>: <reason>`. Source: the HCL 1 language.
 */
export function readHcl(file: string, text: string): Result<ObjectTree> {
  const scanner = scannerOf(file, text)
  const parser: Parser = { scanner, token: nextToken(scanner), depth: 0 }
  const tree = readBody(parser, 'end')
  return scanner.problem === undefined ? tree : refuse('invalid', scanner.problem)
}

const TOO_DEEP = `more than ${DEPTH_MAX} objects and lists inside each other`

type Parser = { scanner: Scanner; token: Token; depth: number }

/** The entries up to a closing brace or the end of the text, which is taken. */
function readBody(parser: Parser, closing: 'end' | '}'): ObjectTree {
  const tree: ObjectTree = { kind: 'object', entries: new Map(), block: true, place: parser.token.place }
  while (parser.token.kind !== closing) {
    if (parser.token.kind === 'end') {
      problem(parser, "an object is not closed, expected '}'", tree)
      return tree
    }
    readEntry(parser, tree)
    if (parser.token.kind === ',') advance(parser)
  }
  advance(parser)
  return tree
}

function readEntry(parser: Parser, into: ObjectTree): void {
  const keys: Token[] = []
  while (parser.token.kind === 'word' || parser.token.kind === 'string') {
    if (parser.depth + keys.length > DEPTH_MAX) {
      problem(parser, TOO_DEEP)
      return
    }
    keys.push(parser.token)
    advance(parser)
  }
  const [first, ...labels] = keys
  if (first === undefined) {
    problem(parser, `expected a key, found ${shownToken(parser.token)}`)
    return
  }
  parser.depth += labels.length
  let value = readEntryValue(parser, first, labels)
  parser.depth -= labels.length
  for (const label of labels.reverse()) {
    const wrapped: ObjectTree = { kind: 'object', entries: new Map(), block: true, place: label.place }
    add(wrapped, label, value)
    value = wrapped
  }
  add(into, first, value)
}

function readEntryValue(parser: Parser, key: Token, labels: Token[]): Tree {
  const named = `the key ${JSON.stringify(key.text)}`
  const { kind } = parser.token
  if (kind === '=' && labels.length > 0) return problem(parser, `expected '{' after ${named} and its labels, found '='`)
  if (kind !== '=' && kind !== '{') return problem(parser, `expected '=' or '{' after ${named}, found ${shownToken(parser.token)}`)
  if (kind === '=') advance(parser)
  return readValue(parser)
}

function add(into: ObjectTree, key: Token, value: Tree): void {
  const before = into.entries.get(key.text)
  const entry: Entry = { key: key.text, value, place: key.place }
  const repeated = before === undefined || value.kind !== 'object' ? undefined : asBlocks(before.value)
  if (repeated !== undefined) {
    repeated.items.push(value)
    entry.value = repeated
    entry.place = before?.place ?? key.place
  }
  into.entries.set(key.text, entry)
}

function asBlocks(value: Tree): ListTree | undefined {
  if (value.kind === 'list' && value.blocks) return value
  if (value.kind === 'object') return { kind: 'list', items: [value], blocks: true, place: value.place }
  return undefined
}

function readValue(parser: Parser): Tree {
  const { kind, text, place } = parser.token
  if (kind === '{' || kind === '[') {
    if (parser.depth === DEPTH_MAX) return problem(parser, TOO_DEEP)
    parser.depth += 1
    advance(parser)
    const tree = kind === '{' ? readBody(parser, '}') : readList(parser)
    parser.depth -= 1
    return { ...tree, place }
  }
  if (kind === 'string') return take(parser, { kind: 'string', value: text, place })
  if (kind === 'number') return take(parser, { kind: 'number', value: parser.token.number, whole: parser.token.whole, place })
  if (kind === 'word' && (text === 'true' || text === 'false')) return take(parser, { kind: 'boolean', value: text === 'true', place })
  if (kind === 'word') return problem(parser, `expected a value, found ${text} (a text must be in double quotes)`)
  return problem(parser, `expected a value, found ${shownToken(parser.token)}`)
}

/** Behind the opening bracket, up to and with the closing one. */
function readList(parser: Parser): ListTree {
  const tree: ListTree = { kind: 'list', items: [], blocks: false, place: parser.token.place }
  while (!at(parser, ']') && !at(parser, 'end')) {
    tree.items.push(readValue(parser))
    if (at(parser, ',')) advance(parser)
    else if (!at(parser, ']')) problem(parser, `expected ',' or ']' in a list, found ${shownToken(parser.token)}`)
  }
  if (at(parser, 'end')) problem(parser, "a list is not closed, expected ']'", tree)
  advance(parser)
  return tree
}

function at(parser: Parser, kind: TokenKind): boolean {
  return parser.token.kind === kind
}

function take(parser: Parser, tree: Tree): Tree {
  advance(parser)
  return tree
}

function advance(parser: Parser): void {
  parser.token = nextToken(parser.scanner)
}

/** The first problem makes every further token the end of the text. */
function problem(parser: Parser, reason: string, at: { place: Place } = parser.token): Tree {
  fail(parser.scanner, reason, at.place)
  advance(parser)
  return { kind: 'null', place: at.place }
}
