import test from 'ava'
import { decode, encode, RECURSION_DESIRED } from 'dns-packet'
import fc from 'fast-check'
import { addressBytes, canonicalAddress } from '../../net/dns/addresses.ts'
import { encoded, encodedBytes, type Message } from '../../net/dns/encode.ts'
import { decodeQuery } from '../../net/dns/message.ts'
import { isEncodable, labelsOf, nameBytes } from '../../net/dns/names.ts'
import { type DnsRecord, FLAG, TYPE } from '../../net/dns/records.ts'

const question = { name: 'Web.service.consul.', type: TYPE.srv, class: 1 }

const records: DnsRecord[] = [
  { type: 'SRV', name: 'Web.service.consul.', ttlSeconds: 7, priority: 1, weight: 2, port: 80, target: 'n1.node.dc1.consul.' },
  { type: 'A', name: 'n1.node.dc1.consul.', ttlSeconds: 7, address: '10.0.0.1' },
  { type: 'AAAA', name: 'n1.node.dc1.consul.', ttlSeconds: 7, address: '2001:db8::1' },
  { type: 'TXT', name: 'n1.node.dc1.consul.', ttlSeconds: 7, text: 'consul-network-segment=' },
  { type: 'CNAME', name: 'x.consul.', ttlSeconds: 4_294_967_295, target: 'y.x.consul.' },
  { type: 'PTR', name: '1.0.0.10.in-addr.arpa.', ttlSeconds: 0, target: 'n1.node.dc1.consul.' },
  { type: 'NS', name: 'consul.', ttlSeconds: 0, target: 'n1.node.dc1.consul.' },
  {
    type: 'SOA',
    name: 'consul.',
    ttlSeconds: 0,
    server: 'ns.consul.',
    mailbox: 'hostmaster.consul.',
    serial: 1_795_416_167,
    refreshSeconds: 3_600,
    retrySeconds: 600,
    expireSeconds: 86_400,
    minimumSeconds: 0,
  },
]

function message(answers: readonly DnsRecord[], additionals: readonly DnsRecord[] = []): Message {
  return { id: 4_711, flags: FLAG.response | FLAG.authoritative, question, answers, authorities: [], additionals }
}

for (const compress of [true, false]) {
  test(`another decoder reads every kind of record, ${compress ? 'compressed' : 'in full'}`, (t) => {
    const bytes = encoded(message(records, [{ type: 'OPT', name: '.', udpSizeBytes: 1_232, scopeBits: 0 }]), compress)!
    const read = decode(bytes)
    t.is(read.id, 4_711)
    t.true(read.flag_aa)
    t.deepEqual(read.questions, [{ name: 'Web.service.consul', type: 'SRV', class: 'IN' }])
    t.deepEqual(
      read.answers?.map((answer) => [answer.type, answer.name, 'ttl' in answer ? answer.ttl : 0]),
      records.map((record) => [record.type, record.name.slice(0, -1), record.type === 'OPT' ? 0 : record.ttlSeconds]),
    )
    t.deepEqual(
      read.answers?.map((answer) => ('data' in answer ? answer.data : undefined)),
      [
        { priority: 1, weight: 2, port: 80, target: 'n1.node.dc1.consul' },
        '10.0.0.1',
        '2001:db8::1',
        [Buffer.from('consul-network-segment=')],
        'y.x.consul',
        'n1.node.dc1.consul',
        'n1.node.dc1.consul',
        {
          mname: 'ns.consul',
          rname: 'hostmaster.consul',
          serial: 1_795_416_167,
          refresh: 3_600,
          retry: 600,
          expire: 86_400,
          minimum: 0,
        },
      ],
    )
    const [opt] = read.additionals ?? []
    t.is(opt?.type === 'OPT' ? opt.udpPayloadSize : 0, 1_232)
    t.is(encodedBytes(message(records), compress), bytes.length - 11)
  })
}

test('names are compressed, in the case in which they were asked, but not inside SRV', (t) => {
  const bytes = encoded(message(records.slice(0, 2)), true)!
  t.is(bytes.indexOf('Web'), 13)
  t.is(bytes.indexOf('Web', 14), -1)
  t.is(bytes.length, 12 + 24 + (2 + 10 + 6 + 20) + (2 + 10 + 4))
})

test('a long text is several strings of one record', (t) => {
  const text = 'é'.repeat(400)
  const [answer] = decode(encoded(message([{ type: 'TXT', name: 'x.consul.', ttlSeconds: 0, text }]), true)!).answers ?? []
  const strings = answer?.type === 'TXT' && Array.isArray(answer.data) ? answer.data.map((part) => Buffer.from(part)) : []
  t.deepEqual(
    strings.map((part) => part.length),
    [255, 255, 255, 35],
  )
  t.is(Buffer.concat(strings).toString(), text)
})

test('a message that is too long has no bytes', (t) => {
  const many: DnsRecord[] = Array.from({ length: 5_000 }, () => ({ type: 'A', name: question.name, ttlSeconds: 0, address: '10.0.0.1' }))
  t.is(encoded(message(many), true), undefined)
  t.is(encoded(message([{ type: 'TXT', name: question.name, ttlSeconds: 0, text: 'x'.repeat(70_000) }]), true), undefined)
})

test('any name that fits is written so that it is read back as it was', (t) => {
  const label = fc.uint8Array({ minLength: 1, maxLength: 63 })
  fc.assert(
    fc.property(fc.array(label, { maxLength: 6 }), (labels) => {
      const wire = Buffer.concat([...labels.flatMap((bytes) => [Buffer.from([bytes.length]), bytes]), Buffer.from([0, 0, 1, 0, 1])])
      const packet = Buffer.concat([Buffer.from([0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), wire])
      const decoded = decodeQuery(packet)
      if (wire.length - 4 > 255) return t.is(decoded.kind, 'wrong')
      if (decoded.kind !== 'query') return t.fail(decoded.kind)
      const { name } = decoded.query.question
      t.is(labelsOf(name).length, labels.length)
      t.is(nameBytes(name), wire.length - 4)
      const again = encoded({ ...message([]), id: 9, flags: 0x0100, question: decoded.query.question }, true)
      return t.deepEqual(again, packet)
    }),
  )
})

test('a name is encodable exactly when it can be written', (t) => {
  const name = fc.string({
    unit: fc.oneof(fc.constantFrom('.', '\\', '\\046', '0', 'é', '\ud800'), fc.string({ maxLength: 70 })),
    maxLength: 12,
  })
  fc.assert(
    fc.property(name, (text) => {
      if (!isEncodable(`${text}.`)) return
      const bytes = encoded({ ...message([]), question: { name: `${text}.`, type: 1, class: 1 } }, true)!
      t.is(decodeQuery(Buffer.concat([Buffer.from([0, 0, 0, 0]), bytes.subarray(4)])).kind, 'query')
    }),
  )
  t.false(isEncodable('a..b.'))
  t.false(isEncodable('a'))
  t.true(isEncodable('.'))
  t.false(isEncodable(`${'a'.repeat(64)}.`))
})

test('queries of another encoder are read with their flags, size and client subnet', (t) => {
  const packet = encode({
    type: 'query',
    id: 77,
    flags: RECURSION_DESIRED,
    questions: [
      { type: 'A', name: 'a.service.consul' },
      { type: 'AAAA', name: 'b.service.consul' },
    ],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: 4_096,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [{ code: 8, family: 1, sourcePrefixLength: 24, ip: '192.0.2.0' }],
      },
    ],
  })
  const subnet = { family: 1, sourceBits: 24, address: new Uint8Array([192, 0, 2]) }
  t.deepEqual(decodeQuery(packet), {
    kind: 'query',
    query: {
      id: 77,
      recursionDesired: true,
      checkingDisabled: false,
      question: { name: 'a.service.consul.', type: 1, class: 1 },
      edns: { udpSizeBytes: 4_096, subnet },
    },
  })
  const opt: DnsRecord = { type: 'OPT', name: '.', udpSizeBytes: 4_096, subnet, scopeBits: 0 }
  const bytes = encoded(message([], [opt]), true)!
  t.deepEqual(bytes.subarray(bytes.length - 22), Buffer.from('00002910000000000000' + '0b00080007000118' + '00c00002', 'hex'))
})

const plain = encode({ type: 'query', id: 258, questions: [{ type: 'SRV', name: 'web.service.consul' }] })

function changed(change: (packet: Buffer) => void): Buffer {
  const packet = Buffer.from(plain)
  change(packet)
  return packet
}

function withOption(hex: string): Buffer {
  const option = Buffer.from(hex, 'hex')
  const opt = Buffer.from([0, 0, 41, 4, 0, 0, 0, 0, 0, 0, option.length])
  return Buffer.concat([changed((packet) => packet.writeUInt16BE(1, 10)), opt, option])
}

const wrong: [what: string, packet: Buffer, reply: string | undefined][] = [
  ['a response', changed((packet) => (packet[2] = 0x80)), undefined],
  ['nothing', Buffer.alloc(0), undefined],
  ['half an id', Buffer.from([1]), undefined],
  ['a cut header', plain.subarray(0, 5), '010280010000000000000000'],
  ['a header alone', changed((packet) => packet.writeUInt16BE(0, 4)).subarray(0, 12), '010280010000000000000000'],
  ['a status request', changed((packet) => (packet[2] = 0x10)), '010290040000000000000000'],
  ['an update that wants recursion', changed((packet) => (packet[2] = 0x29)), '0102a9040000000000000000'],
  ['a cut name', plain.subarray(0, 20), '010280010000000000000000'],
  ['a cut type', plain.subarray(0, plain.length - 1), '010280010000000000000000'],
  ['a pointer in the question', changed((packet) => (packet[12] = 0xc0)), '010280010000000000000000'],
  ['a reserved kind of label', changed((packet) => (packet[12] = 0x40)), '010280010000000000000000'],
  ['a missing second question', changed((packet) => packet.writeUInt16BE(2, 4)), '010280010000000000000000'],
  ['a missing record', changed((packet) => packet.writeUInt16BE(1, 10)), '010280010000000000000000'],
  ['a cut option', withOption('00080004'), '010280010000000000000000'],
  ['a subnet with too few bytes', withOption('0008000600011800c000'), '010280010000000000000000'],
  ['a subnet of no family', withOption('00080007000918' + '00c00002'), '010280010000000000000000'],
  ['a subnet with too many bits', withOption('00080009000128' + '00c000020304'), '010280010000000000000000'],
]

for (const [what, packet, reply] of wrong) {
  test(`${what} is ${reply === undefined ? 'not answered' : 'answered with a header that says what is wrong'}`, (t) => {
    const decoded = decodeQuery(packet)
    t.is(decoded.kind === 'wrong' ? decoded.reply.toString('hex') : undefined, reply)
    t.not(decoded.kind, 'query')
  })
}

test('two OPT records are wrong', (t) => {
  const opt = Buffer.from([0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0])
  t.is(decodeQuery(Buffer.concat([changed((packet) => packet.writeUInt16BE(2, 10)), opt, opt])).kind, 'wrong')
  t.is(decodeQuery(Buffer.concat([changed((packet) => packet.writeUInt16BE(1, 10)), opt])).kind, 'query')
})

test('addresses have one text and one form in bytes', (t) => {
  const texts: [string, string | undefined][] = [
    ['10.0.0.1', '10.0.0.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
    ['1:0:3:4:5:6:7:8', '1:0:3:4:5:6:7:8'],
    ['::', '::'],
    ['1::', '1::'],
    ['64:ff9b::10.0.0.1', '64:ff9b::a00:1'],
    ['fe80::1%lo', undefined],
    ['10.0.0', undefined],
    ['10.0.0.256', undefined],
    ['10.0.0.01', undefined],
    ['10..0.1', undefined],
    ['', undefined],
    ['host.example.com', undefined],
  ]
  for (const [text, expected] of texts) t.is(canonicalAddress(text), expected, text)
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const canonical = canonicalAddress(text)!
      t.deepEqual(addressBytes(canonical), addressBytes(text))
    }),
  )
})
