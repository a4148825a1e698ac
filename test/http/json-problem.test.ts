import test from 'ava'
import fc from 'fast-check'
import { jsonOf } from '../../src/http/parameters.ts'
import { isRefused } from '../../src/kernel/refusal.ts'

const why = (text: string) => {
  const read = jsonOf(Buffer.from(text))
  return isRefused(read) ? read.why : undefined
}

test('what is wrong with a text is said in the words of Go', (t) => {
  for (const [text, expected] of [
    ['', 'EOF'],
    [' \n', 'EOF'],
    ['{', 'unexpected EOF'],
    ['{"a":1', 'unexpected EOF'],
    ['"abc', 'unexpected EOF'],
    ['{"Name":"x" x', "invalid character 'x' after object key:value pair"],
    ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
    ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['[1 2]', "invalid character '2' after array element"],
    ['[1,]', "invalid character ']' looking for beginning of value"],
    ['{}{}', "invalid character '{' after top-level value"],
    ['01', "invalid character '1' after top-level value"],
    ['-x', "invalid character 'x' in numeric literal"],
    ['1.x', "invalid character 'x' after decimal point in numeric literal"],
    ['1ex', "invalid character 'x' in exponent of numeric literal"],
    ['trux', "invalid character 'x' in literal true (expecting 'e')"],
    ['"a\nb"', "invalid character '\\n' in string literal"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['"\\u00g0"', "invalid character 'g' in \\u hexadecimal character escape"],
    ["'", "invalid character '\\'' looking for beginning of value"],
  ]) {
    t.is(why(text ?? ''), expected)
  }
})

test('nesting is refused where packing it for another thread would take too much stack', (t) => {
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
  t.is(why(nested(400)), undefined)
  t.is(why(nested(1_000)), 'exceeded max depth')
  t.is(why(nested(250_000)), 'exceeded max depth')
  t.is(why('['.repeat(250_000)), 'unexpected EOF')
  t.is(why(JSON.stringify('['.repeat(1_000))), undefined)
})

test('a text is read or refused with a reason, and what was printed is read again', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      t.deepEqual(jsonOf(Buffer.from(JSON.stringify(value))), { value: JSON.parse(JSON.stringify(value)) })
    }),
  )
  const broken = fc.tuple(fc.json(), fc.nat(), fc.string({ maxLength: 2 })).map(([text, at, noise]) => {
    const place = at % (text.length + 1)
    return `${text.slice(0, place)}${noise}${text.slice(place + 1)}`
  })
  fc.assert(
    fc.property(
      fc.oneof(
        broken,
        fc.string(),
        fc.json().map((text) => text.slice(0, -1)),
      ),
      (text) => {
        const reason = why(text)
        t.true(
          reason === undefined || /^(EOF|unexpected EOF|invalid character '.+' (after|in|looking for) .+)$/su.test(reason),
          `${text}: ${reason}`,
        )
      },
    ),
    { numRuns: 2_000 },
  )
})
