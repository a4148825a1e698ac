import test from 'ava'
import fc from 'fast-check'
import * as wire from '../../src/kernel/wire.ts'
import { type Item, packItems, travelled, unpackItems } from '../../src/kernel/wire.ts'

/** The codec renames the key `__proto__`, so that no message can reach a prototype. */
const name = fc.string().filter((text) => text !== '__proto__')
/** Whatever a message may be made of, as it comes back: numbers of 64 bits, bytes, nothing. */
const { value } = fc.letrec((tie) => ({
  leaf: fc.oneof(
    fc.constant(null),
    fc.constant(undefined),
    fc.boolean(),
    fc.integer(),
    // A negative zero comes back as zero.
    fc.double({ noNaN: true }).map((number) => number + 0),
    fc.string({ unit: 'binary' }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.uint8Array(),
  ),
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(name, tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
}))

test('any value comes back from a journey as it was sent', (t) => {
  fc.assert(
    fc.property(value, (sent) => {
      t.deepEqual(plain(travelled(sent)), plain(sent))
    }),
    { numRuns: 500 },
  )
  t.pass()
})

test('a batch holds its items in order and is a buffer of exactly its size', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 20 }), (requests) => {
      const items = requests.map(([request, sent]): Item => [wire.CAST, 'kv', request, sent])
      const batch = packItems(items)
      t.is(batch.buffer.byteLength, batch.byteLength)
      t.deepEqual(plain(unpackItems(batch)), plain(items))
    }),
    { numRuns: 200 },
  )
})

test('whole numbers keep their kind: what was a bigint stays one, what was a number stays one', (t) => {
  for (const number of [0n, 1n, -1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n)]) t.is(travelled(number), number)
  for (const number of [0, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 0.1, Number.POSITIVE_INFINITY]) t.is(travelled(number), number)
  t.is(travelled(Number.NaN), Number.NaN)
})

test('nothing is told from null, in a record, in a list and alone', (t) => {
  t.is(travelled(undefined), undefined)
  t.is(travelled(null), null)
  const back = travelled({ none: undefined, zero: null, list: [undefined, null] })
  t.deepEqual(back, { none: undefined, zero: null, list: [undefined, null] })
  t.true('none' in back)
})

test('a number that 64 bits cannot hold is an error of whoever sends it', (t) => {
  for (const number of [2n ** 64n, -(2n ** 63n) - 1n]) t.throws(() => travelled({ number }), { instanceOf: RangeError })
})

test('bytes come back as a copy', (t) => {
  const sent = new Uint8Array([1, 2, 3])
  const back = travelled(sent)
  sent[0] = 9
  t.deepEqual([...back], [1, 2, 3])
})

test('a key that names a prototype changes none', (t) => {
  const back = travelled(JSON.parse('{"__proto__": {"admin": true}}') as { admin?: boolean })
  t.is(back.admin, undefined)
  t.is(Object.getPrototypeOf(back), Object.prototype)
})

test('a field whose name would be lost on the way is found, with its path', (t) => {
  t.is(wire.reservedField(JSON.parse('{"meta": {"__proto__": 1}}')), 'meta.__proto__')
  t.is(wire.reservedField(JSON.parse('{"list": [1, [{"a": {"__proto__": 1}}]]}')), 'list.1.0.a.__proto__')
  t.is(wire.reservedField({ text: '__proto__', bytes: new Uint8Array(3), none: undefined, nothing: null, big: 1n }), undefined)
  const deep = JSON.parse(`${'[{"x":'.repeat(50_000)}1${'}]'.repeat(50_000)}`) as unknown
  t.is(wire.reservedField(deep), undefined)
  fc.assert(
    fc.property(value, (sent) => {
      t.is(wire.reservedField(sent), undefined)
    }),
  )
})

test('noise in place of a batch is an answer or an error, soon', (t) => {
  fc.assert(
    fc.property(noise(), (bytes) => {
      const beganMs = performance.now()
      try {
        unpackItems(bytes)
      } catch (error) {
        t.true(error instanceof Error, String(error))
      }
      t.true(performance.now() - beganMs < NOISE_MS_MAX, `${bytes.length} bytes took ${performance.now() - beganMs} ms`)
    }),
    { numRuns: 2_000 },
  )
})

test('lengths that promise more than is there are errors, soon', (t) => {
  for (const head of [0xdd, 0xdf, 0xdb, 0xc6, 0xc9]) {
    for (const bytes of [
      [head],
      [head, 0xff, 0xff, 0xff, 0xff],
      [0x91, head, 0x7f, 0xff, 0xff, 0xff, 0x01],
      [head, 0x00, 0xff, 0xff, 0xff, 0xc0],
    ]) {
      const beganMs = performance.now()
      t.throws(() => unpackItems(new Uint8Array(bytes)), undefined, `${bytes}`)
      t.true(performance.now() - beganMs < NOISE_MS_MAX, `${bytes} took ${performance.now() - beganMs} ms`)
    }
  }
})

const NOISE_MS_MAX = 1_000

/** Random bytes, and true batches that were cut or changed. */
function noise(): fc.Arbitrary<Uint8Array> {
  const batch = fc.array(value, { maxLength: 4 }).map((values) => packItems(values.map((sent): Item => [wire.CAST, 'kv', 'put', sent])))
  const changed = fc
    .tuple(batch, fc.nat(), fc.integer({ min: 0, max: 255 }))
    .map(([bytes, at, byte]) => bytes.with(at % bytes.length, byte))
  const cut = fc.tuple(batch, fc.nat()).map(([bytes, length]) => bytes.slice(0, length % bytes.length))
  return fc.oneof(fc.uint8Array({ maxLength: 64 }), changed, cut)
}

/** The value with plain byte arrays: what is sent as a Uint8Array arrives as a Buffer. */
function plain(sent: unknown): unknown {
  if (sent instanceof Uint8Array) return ['bytes', ...sent]
  if (Array.isArray(sent)) return sent.map(plain)
  if (typeof sent !== 'object' || sent === null) return sent
  return Object.fromEntries(Object.entries(sent).map(([key, one]) => [key, plain(one)]))
}
