import test from 'ava'
import fc from 'fast-check'
import { isRefused } from '../../src/kernel/refusal.ts'
import { compileRegexp, type Regexp } from '../../src/kernel/regexp.ts'

function compiled(source: string): Regexp {
  const regexp = compileRegexp(source)
  if (isRefused(regexp)) throw new Error(regexp.why)
  return regexp
}

const MATCHES: [pattern: string, yes: string[], no: string[]][] = [
  ['', ['', 'a'], []],
  ['^$', [''], ['a', '\n']],
  ['a.c', ['xabcx', 'a😀c'], ['a\nc', 'ac']],
  ['(?s)a.c', ['a\nc'], []],
  ['(?m)^b$', ['a\nb\nc'], ['a\nbc']],
  ['(?i)stra(?-i)SSE', ['STRASSE'], ['strasse']],
  ['(?i:é)É', ['ÉÉ', 'éÉ'], ['éé']],
  ['a(?i)b|c', ['aB', 'C'], ['AB']],
  ['[a-c]+-[^a-c]', ['b--', 'aa-\n'], ['b-a', 'b-']],
  ['[]a]', [']', 'a'], ['b']],
  ['[\\d-x]', ['7', '-', 'x'], ['a']],
  ['[[:upper:][:^ascii:]]', ['A', 'é'], ['a']],
  ['\\pL{2}', ['éa'], ['é1']],
  ['\\p{Greek}', ['λ'], ['l']],
  ['\\p{^Greek}', ['l'], ['λ']],
  ['\\bweb\\B', ['my webs'], ['web', 'aweb']],
  ['\\Aa\\z', ['a'], ['a\n']],
  ['x{2,3}y', ['xxy', 'xxxxy'], ['xy']],
  ['x{2}?$', ['xx'], ['x']],
  ['x{,2}', ['x{,2}'], ['xx']],
  ['\\Qa.b\\E+', ['a.bb'], ['aab']],
  ['\\x41\\x{1F600}\\n\\101', ['A😀\nA'], []],
  ['(?P<name>a|b)*c', ['c', 'abc'], ['d']],
  ['(|a)*$', ['', 'b'], []],
]

for (const [pattern, yes, no] of MATCHES) {
  test(`a pattern matches what it matches in Go: ${JSON.stringify(pattern)}`, (t) => {
    for (const text of yes) t.true(compiled(pattern).matches(text), text)
    for (const text of no) t.false(compiled(pattern).matches(text), text)
  })
}

const WRONG: [pattern: string, why: string][] = [
  ['[a', 'missing closing ]: `[a`'],
  ['(a', 'missing closing ): `(a`'],
  ['a)', 'unexpected ): `a)`'],
  ['*', 'missing argument to repetition operator: `*`'],
  ['a|+', 'missing argument to repetition operator: `+`'],
  ['a**', 'invalid nested repetition operator: `**`'],
  ['a{2}{3}', 'invalid nested repetition operator: `{2}{3}`'],
  ['a{1001}', 'invalid repeat count: `{1001}`'],
  ['a{2,1}', 'invalid repeat count: `{2,1}`'],
  ['((a{100}){100})', 'invalid repeat count: `{100}`'],
  ['(?=a)', 'invalid or unsupported Perl syntax: `(?=`'],
  ['(?P<1 >a)', 'invalid named capture: `(?P<1 >`'],
  ['\\1', 'invalid escape sequence: `\\1`'],
  ['\\x{110000}', 'invalid escape sequence: `\\x{110000`'],
  ['a\\', 'trailing backslash at end of expression: ``'],
  ['[z-a]', 'invalid character class range: `z-a`'],
  ['[[:foo:]]', 'invalid character class range: `[:foo:]`'],
  ['\\p{Nope}', 'invalid character class range: `\\p{Nope}`'],
]

for (const [pattern, why] of WRONG) {
  test(`a pattern that is none is refused as Go refuses it: ${JSON.stringify(pattern.slice(0, 20))}`, (t) => {
    t.deepEqual(compileRegexp(pattern), { refused: 'invalid', why: `error parsing regexp: ${why}` })
  })
}

test('a program that would be too large is refused', (t) => {
  t.true(isRefused(compileRegexp(`(${'abcdefghijkl'.repeat(10)}){999}`)))
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

test('the size of an expression bounds what a match costs', (t) => {
  t.true(compiled('a{500}').size > 100 * compiled('a').size)
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
