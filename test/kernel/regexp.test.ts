import test from 'ava'
import fc from 'fast-check'
import { isRefused } from '../../src/kernel/refusal.ts'
import { compileRegexp, type Regexp } from '../../src/kernel/regexp.ts'

function compiled(source: string): Regexp {
  const regexp = compileRegexp(source)
  if (isRefused(regexp)) throw new Error(regexp.why)
  return regexp
}

/** The words of Go's `regexp` package. */
const wrong: [source: string, why: string][] = [
  ['(', 'error parsing regexp: missing closing ): `(`'],
  ['a)', 'error parsing regexp: unexpected ): `a)`'],
  ['[a', 'error parsing regexp: missing closing ]: `[a`'],
  ['*', 'error parsing regexp: missing argument to repetition operator: `*`'],
  ['a**', 'error parsing regexp: invalid nested repetition operator: `**`'],
  ['a{1001}', 'error parsing regexp: invalid repeat count: `{1001}`'],
  ['[z-a]', 'error parsing regexp: invalid character class range: `z-a`'],
  ['\\', 'error parsing regexp: trailing backslash at end of expression: ``'],
  ['\\q', 'error parsing regexp: invalid escape sequence: `\\q`'],
  ['\\1', 'error parsing regexp: invalid escape sequence: `\\1`'],
  ['(?=a)', 'error parsing regexp: invalid or unsupported Perl syntax: `(?=`'],
]

test('what Go does not take is refused in its words', (t) => {
  for (const [source, why] of wrong) t.deepEqual(compileRegexp(source), { refused: 'invalid', why }, source)
  t.true(isRefused(compileRegexp('(?:(?:(?:a{1000}){1000}){1000})')))
  t.true(isRefused(compileRegexp('('.repeat(10_000))))
})

const found: [source: string, text: string, groups: string[] | undefined][] = [
  ['', 'x', ['']],
  ['^db-(.+?)-master$', 'db-eu-1-master', ['db-eu-1-master', 'eu-1']],
  ['a|ab', 'ab', ['a']],
  ['(a)|b', 'b', ['b', '']],
  ['(?i)WEB', 'my web', ['web']],
  ['(?i:w)eb', 'Web WEB', ['Web']],
  ['(?P<year>\\d{4})-(\\d\\d)', 'on 2026-11-23', ['2026-11', '2026', '11']],
  ['[[:upper:]]+[^a-c]\\x41', 'xxABdA', ['ABdA']],
  ['(?s)a.b', 'a\nb', ['a\nb']],
  ['a.b', 'a\nb', undefined],
  ['(?m)^b$', 'a\nb\nc', ['b']],
  ['\\bb\\b', 'abc b', ['b']],
  ['\\p{Greek}+', 'abc αβγ', ['αβγ']],
  ['\\Qa.b\\E+', 'a.bb', ['a.bb']],
  ['a{2,3}?', 'aaaa', ['aa']],
  ['(?U)a+', 'aaa', ['a']],
  ['[]a]+', ']a]', [']a]']],
  ['x{,2}', 'x{,2}', ['x{,2}']],
  ['😀.', 'a😀b', ['😀b']],
]

test('the leftmost match is found, with its groups', (t) => {
  for (const [source, text, groups] of found) {
    t.deepEqual(compiled(source).groups(text), groups, source)
    t.is(compiled(source).matches(text), groups !== undefined, source)
  }
})

test('an expression that would take other engines for ever takes no time', (t) => {
  t.false(compiled('(a+)+(a|aa)+$').matches(`${'a'.repeat(2_000)}b`))
})

const piece: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', 'c'),
    fc.tuple(tie('node'), tie('node')).map(([left, right]) => left + right),
    fc.tuple(tie('node'), tie('node')).map(([left, right]) => `(?:${left}|${right})`),
    tie('node').map((inner) => `(${inner})`),
    fc
      .tuple(fc.constantFrom('a', 'b', '[ab]', '(?:ab)'), fc.constantFrom('*', '+', '?', '*?', '+?', '??', '{1,2}'))
      .map(([inner, count]) => inner + count),
  ),
})).node

test('whatever both understand is matched as the engine of JavaScript matches it', (t) => {
  fc.assert(
    fc.property(piece, fc.string({ unit: fc.constantFrom('a', 'b', 'c', '\n'), maxLength: 8 }), (source, text) => {
      const theirs = new RegExp(source, 'u').exec(text)
      t.deepEqual(compiled(source).groups(text), theirs ? Array.from(theirs, (group) => group ?? '') : undefined)
    }),
    { numRuns: 2_000 },
  )
})

test('any text is an expression or is refused', (t) => {
  fc.assert(
    fc.property(
      fc.string({
        unit: fc.constantFrom('a', '(', ')', '[', ']', '{', '}', '*', '+', '?', '|', '\\', '^', '-', '1', ',', ':', 'P', '<', '>'),
      }),
      (source) => {
        const regexp = compileRegexp(source)
        if (!isRefused(regexp)) regexp.groups('aab1')
      },
    ),
    { numRuns: 3_000 },
  )
  t.pass()
})
