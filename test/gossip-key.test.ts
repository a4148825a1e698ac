import test from 'ava'
import fc from 'fast-check'
import { readGossipKey } from '../src/gossip-key.ts'

test('a key has 16, 24 or 32 bytes, and nothing else is one', (t) => {
  for (const length of [16, 24, 32]) {
    const bytes = new Uint8Array(length).fill(9)
    t.deepEqual(new Uint8Array(readGossipKey(Buffer.from(bytes).toString('base64')) as Uint8Array), bytes)
  }
  t.is(readGossipKey(''), 'key size must be 16, 24 or 32 bytes, not 0')
  t.is(readGossipKey(Buffer.alloc(33).toString('base64')), 'key size must be 16, 24 or 32 bytes, not 33')
  t.is(readGossipKey('secret'), 'it is not written in Base64')
})

test('whatever is read as a key is written back as the same text', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.base64String({ maxLength: 48 }), fc.string()), (text) => {
      const bytes = readGossipKey(text)
      if (typeof bytes !== 'string') t.is(Buffer.from(bytes).toString('base64'), text)
    }),
  )
  t.pass()
})
