import test from 'ava'
import fc from 'fast-check'
import { compilePattern } from '../../src/filter/pattern/index.ts'
import { Work } from '../../src/filter/work.ts'
import { isRefused } from '../../src/kernel/refusal.ts'

function matches(pattern: string, text: string): boolean | string {
  const compiled = compilePattern(pattern)
  return isRefused(compiled) ? compiled.why : compiled(text, new Work(10_000_000))
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
    for (const text of yes) t.is(matches(pattern, text), true, text)
    for (const text of no) t.is(matches(pattern, text), false, text)
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
  ['(?<n>a)', 'invalid or unsupported Perl syntax: `(?<`'],
  ['(?P<1 >a)', 'invalid named capture: `(?P<1 >`'],
  ['\\1', 'invalid escape sequence: `\\1`'],
  ['\\x{110000}', 'invalid escape sequence: `\\x{110000`'],
  ['a\\', 'trailing backslash at end of expression: ``'],
  ['[z-a]', 'invalid character class range: `z-a`'],
  ['[[:foo:]]', 'invalid character class range: `[:foo:]`'],
  ['\\p{Nope}', 'invalid character class range: `\\p{Nope}`'],
  ['('.repeat(300), `expression nests too deeply: \`${'('.repeat(300)}\``],
]

for (const [pattern, why] of WRONG) {
  test(`a pattern that is none is refused as Go refuses it: ${JSON.stringify(pattern.slice(0, 20))}`, (t) => {
    t.is(matches(pattern, ''), `error parsing regexp: ${why}`)
  })
}

test('a program that would be too large is refused', (t) => {
  t.is(matches(`(${'abcdefghijkl'.repeat(10)}){999}`, ''), 'error parsing regexp: expression too large')
})

test('where the languages agree, it agrees with the built-in expressions', (t) => {
  const parts = [
    'a',
    'b',
    '.',
    '[ab]',
    '[^a]',
    '\\d',
    '\\w',
    '\\b',
    '\\B',
    '^',
    '$',
    '1',
    '|',
    '(',
    '(?:',
    ')',
    '*',
    '+',
    '?',
    '{2}',
    '{0,2}',
    '*?',
  ]
  const characters = ['a', 'b', 'A', '1', ' ', '_', '\n', 'é']
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...parts), { maxLength: 9 }),
      fc.array(fc.constantFrom(...characters), { maxLength: 8 }),
      (pattern, text) => {
        const ours = matches(pattern.join(''), text.join(''))
        const builtIn = builtInMatches(pattern.join(''), text.join(''))
        // Go also repeats what has no width, such as `^*`, and lets a brace stand for itself.
        if (typeof ours === 'boolean' && builtIn !== undefined) t.is(ours, builtIn, pattern.join(''))
      },
    ),
    { numRuns: 5_000 },
  )
})

test('no pattern costs more than its length times that of the text', (t) => {
  const text = `${'a'.repeat(2_000)}!`
  for (const pattern of ['(a+a+)+b', '(a*)*b', '.*a.*a.*a.*b', '(a|a|a)*b', '(x*x*y){5,300}']) {
    let steps = 0
    const compiled = compilePattern(pattern)
    if (isRefused(compiled)) return t.fail(compiled.why)
    const work = new Work(Number.POSITIVE_INFINITY)
    const spend = work.spend.bind(work)
    work.spend = (count) => {
      steps += count
      spend(count)
    }
    t.false(compiled(text, work))
    t.true(steps < text.length * pattern.length * 8, `${pattern}: ${steps}`)
  }
})

function builtInMatches(pattern: string, text: string): boolean | undefined {
  try {
    return new RegExp(pattern, 'u').test(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
