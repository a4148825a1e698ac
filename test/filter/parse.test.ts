import test from 'ava'
import fc from 'fast-check'
import { parseFilter } from '../../src/filter/parse.ts'
import type { Expression } from '../../src/filter/syntax.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { expressions, flat, written } from './expressions.ts'

const SPACE = '[ \\t\\r\\n]'
const VALUE = `"-", "0", "\\"", "\`"`

const WRONG: [text: string, why: string][] = [
  ['', `1:1 (0): no match found, expected: "(", ${VALUE}, "not", ${SPACE}, [1-9] or [a-zA-Z]`],
  ['foo', `1:4 (3): no match found, expected: "!=", ".", "==", "[", ${SPACE} or [a-zA-Z0-9_]`],
  ['x in foo abc', `1:10 (9): no match found, expected: "and", "or", ${SPACE} or EOF`],
  ['x in foo and ', `1:14 (13): no match found, expected: "(", ${VALUE}, "not", ${SPACE}, [1-9] or [a-zA-Z]`],
  [
    'x in foo or not ',
    `1:17 (16): no match found, expected: "!=", "(", "-", "0", "==", "\\"", "\`", "contains", "in", "is", "matches", "not", ${SPACE}, [1-9] or [a-zA-Z]`,
  ],
  ['32 == 32', `1:4 (3): no match found, expected: "in", "not" or ${SPACE}`],
  ['foo ==\n\n ]', `3:2 (9): no match found, expected: ${VALUE}, ${SPACE}, [1-9] or [a-zA-Z]`],
  ['foo == "é" é', '1:12 (12): no match found, expected: "and", "or", [ \\t\\r\\n] or EOF'],
  ['foo == "12x', '1:12 (11): rule "string": Unterminated string literal'],
  ['foo == `12x', '1:12 (11): rule "string": Unterminated string literal'],
  ['foo == "a\\qb"', '1:8 (7): rule "string": invalid syntax'],
  ['foo == "a\nb"', '1:8 (7): rule "string": invalid syntax'],
  ['foo == "\\xff\\777"', '1:8 (7): rule "string": invalid syntax'],
  ['foo == "\\ud800"', '1:8 (7): rule "string": invalid syntax'],
  ['foo == 3x', '1:9 (8): rule "number": Invalid number literal'],
  ['foo == 01', '1:9 (8): rule "number": Invalid number literal'],
  ['foo[3] == abc', '1:5 (4): rule "index": Invalid index'],
  ['x in foo["abc"', '1:15 (14): rule "index": Unclosed index expression'],
  ['foo["abc" == 3', '1:11 (10): rule "index": Unclosed index expression'],
  ['x in 32', '1:6 (5): rule "match": Invalid selector'],
  ['(foo == 4', '1:10 (9): rule "grouping": Unmatched parentheses'],
]

for (const [text, why] of WRONG) {
  test(`what is wrong is said as Consul says it: ${JSON.stringify(text)}`, (t) => {
    t.like(parseFilter(text), { refused: 'invalid', why })
  })
}

const READ: [text: string, path: string[], operator: string, value: string | undefined][] = [
  ['Node == a', ['Node'], 'Equal', 'a'],
  ['Node==a', ['Node'], 'Equal', 'a'],
  ['Node != a.b["c d"]', ['Node'], 'Not Equal', 'a.b.c d'],
  ['Port == -0.25', ['Port'], 'Equal', '-0.25'],
  ['Meta["a-b"].c == `x"\\`', ['Meta', 'a-b', 'c'], 'Equal', 'x"\\'],
  ['Meta[ `é` ] == "\\u00e9\\t\\x41\\101\\""'.replace('\\""', '"'), ['Meta', 'é'], 'Equal', 'é\tAA'],
  ['v1 in Tags', ['Tags'], 'In', 'v1'],
  ['"v 1" not in Tags', ['Tags'], 'Not In', 'v 1'],
  ['Tags contains v1', ['Tags'], 'In', 'v1'],
  ['Tags not contains v1', ['Tags'], 'Not In', 'v1'],
  ['Tags is empty', ['Tags'], 'Is Empty', undefined],
  ['Tags is not empty', ['Tags'], 'Is Not Empty', undefined],
  ['Node matches `a.*`', ['Node'], 'Matches', 'a.*'],
  ['\t( (Node\nnot matches "a" ) )\r\n', ['Node'], 'Not Matches', 'a'],
  ['not not Node == a', ['Node'], 'Equal', 'a'],
  ['not in x', ['x'], 'In', 'not'],
  ['not == 3', ['not'], 'Equal', '3'],
]

for (const [text, path, operator, value] of READ) {
  test(`a comparison is read: ${JSON.stringify(text)}`, (t) => {
    t.deepEqual(parseFilter(text), { kind: 'match', path, operator, value } as Expression)
  })
}

test('not binds more than and, and that more than or; parentheses more than all', (t) => {
  const match = (name: string): Expression => ({ kind: 'match', path: [name], operator: 'Equal', value: '1' })
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(match) as [Expression, Expression, Expression, Expression]
  t.deepEqual(parseFilter('a == 1 and not b == 1 or c == 1 and d == 1'), {
    kind: 'or',
    of: [
      { kind: 'and', of: [a, { kind: 'not', of: b }] },
      { kind: 'and', of: [c, d] },
    ],
  })
  t.deepEqual(parseFilter('a == 1 and not (b == 1 or (c == 1)) and d == 1'), {
    kind: 'and',
    of: [a, { kind: 'not', of: { kind: 'or', of: [b, c] } }, d],
  })
})

test('what is written is read', (t) => {
  fc.assert(
    fc.property(expressions, fc.infiniteStream(fc.nat(7)), (expression, choices) => {
      const text = written(expression, () => choices.next().value ?? 0)
      t.deepEqual(parseFilter(text), flat(expression))
    }),
  )
})

test('anything is read or refused, soon', (t) => {
  const words = [
    '(',
    ')',
    'not',
    'and',
    'or',
    'in',
    'is',
    'empty',
    'a',
    '.',
    '[',
    ']',
    '"',
    '`',
    '\\',
    '==',
    '!=',
    ' ',
    '\n',
    '0',
    '-',
    'é',
  ]
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 30 }), (parts) => {
      const read = parseFilter(parts.join(''))
      t.true(!isRefused(read) || read.why.length > 0)
    }),
    { numRuns: 1_000 },
  )
})

test('long and deep expressions cost no more than their length', (t) => {
  const deep = parseFilter(`${'('.repeat(5_000)}a == b`)
  t.like(deep, { why: '1:202 (201): rule "grouping": more than 200 parentheses within each other' })
  t.false(isRefused(parseFilter(`${'('.repeat(199)}a == b${')'.repeat(199)}`)))
  t.false(isRefused(parseFilter(`${'not '.repeat(4_000)}a == b`)))
  t.false(isRefused(parseFilter(Array(2_000).fill('a == b').join(' or '))))
  t.true(isRefused(parseFilter('not '.repeat(4_000))))
  t.true(isRefused(parseFilter('('.repeat(190))))
})
