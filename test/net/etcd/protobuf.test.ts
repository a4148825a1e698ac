import test from 'ava'
import fc from 'fast-check'
import { decodeRange, decodeWatch, encodeRange, encodeTxn, encodeWatch } from '../../../net/etcd/messages.ts'
import { bigintOf, bytesOf, fieldsOf, message, messagesOf, numberOf } from '../../../net/etcd/protobuf.ts'

test('numbers and bytes come back as they were written, whatever they are', (t) => {
  const given = fc.array(
    fc.tuple(fc.integer({ min: 1, max: 2_000 }), fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.uint8Array())),
  )
  fc.assert(
    fc.property(given, (fields) => {
      const read = fieldsOf(message(...fields))
      for (const [number, value] of fields) {
        const isLast = fields.findLast(([other]) => other === number)?.[1] === value
        if (!isLast || value === 0n || (typeof value !== 'bigint' && value.length === 0)) continue
        if (typeof value === 'bigint') t.is(bigintOf(read, number), value)
        else t.deepEqual(bytesOf(read, number), Buffer.from(value))
      }
    }),
  )
})

test('what is cut off or no message at all is an error, or a message with other fields; nothing else happens', (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      try {
        return fieldsOf(Buffer.from(bytes)) instanceof Map
      } catch (error) {
        return /^(the message|a number of the message) /.test((error as Error).message)
      }
    }),
  )
  t.throws(() => fieldsOf(message([2, 'abc']).subarray(0, 3)), { message: 'the message is cut off' })
  t.throws(() => fieldsOf(Buffer.from([0x0b])), { message: 'the message has a field of kind 3' })
  t.throws(() => fieldsOf(Buffer.alloc(11, 0xff)), { message: 'a number of the message is too long' })
})

test('messages of etcd have the bytes that its own client writes', (t) => {
  // Written with the encoding of Protocol Buffers by hand: tag, length, bytes.
  t.is(encodeRange({ key: 'a', end: 'b', limit: 3, keysOnly: true }).toString('hex'), '0a0161120162180340' + '01')
  t.is(encodeWatch({ key: 'a', from: 300 }).toString('hex'), `0a0a${'0a0161'}${'18ac02'}${'2801'}${'4001'}`)
  t.is(
    encodeTxn({ when: [{ key: 'a', value: 'b' }], then: [{ do: 'put', key: 'a', value: 'c', lease: 1n }] }).toString('hex'),
    `0a08${'1003'}${'1a0161'}${'3a0162'}120a${'1208'}${'0a0161'}${'120163'}${'1801'}`,
  )
})

test('answers of etcd are read', (t) => {
  const kv = message([1, 'k'], [2, 4], [3, 5], [4, 2], [5, 'v'])
  const key = { key: 'k', value: Buffer.from('v'), createRevision: 4, modRevision: 5, version: 2 }
  t.deepEqual(decodeRange(message([1, message([3, 9], [4, 2])], [2, [kv, kv]], [3, 1])), {
    revision: 9,
    term: 2,
    found: [key, key],
    more: true,
  })
  const [put, deleted] = [message([2, kv]), message([1, 1], [2, kv])]
  const watched = decodeWatch(message([3, true], [4, true], [5, 7], [6, 'why'], [11, [put, deleted]]))
  t.deepEqual(watched, { created: true, canceled: true, compactRevision: 7, cancelReason: 'why', put: [key] })
  t.deepEqual([numberOf(fieldsOf(message()), 1), messagesOf(fieldsOf(message()), 1)], [0, []])
})
