import test from 'ava'
import fc from 'fast-check'
import { compareKeys, KEY_BYTES_MAX, keyBytes, keyFault } from '../../src/kernel/keys.ts'

const unit = fc.constantFrom(
  'a',
  '\u0000',
  '\u007f',
  '\u0080',
  'é',
  '\u07ff',
  '\u0800',
  '\u{d7ff}',
  '\u{e000}',
  '\u{ffff}',
  '\u{10000}',
  '\u{10ffff}',
)
const key = fc.oneof(
  fc.array(unit, { maxLength: 6 }).map((units) => units.join('')),
  fc.string({ unit: 'binary', maxLength: 6 }),
)

test('keys are ordered as their UTF-8 bytes are', (t) => {
  fc.assert(
    fc.property(key, key, (a, b) => {
      t.is(Math.sign(compareKeys(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }),
  )
})

test('the length of a key is counted in UTF-8 bytes', (t) => {
  fc.assert(fc.property(key, (a) => void t.is(keyBytes(a), Buffer.byteLength(a))))
})

test('a key that cannot be stored says why', (t) => {
  t.is(keyFault(''), undefined)
  t.is(keyFault('x'.repeat(KEY_BYTES_MAX)), undefined)
  t.is(keyFault('€'.repeat(KEY_BYTES_MAX / 3 + 1)), `a key may have at most ${KEY_BYTES_MAX} bytes, this one has 1977`)
  t.is(keyFault('a\ud800'), 'a key must be well-formed Unicode, without lone surrogates')
})
