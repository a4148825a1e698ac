import test from 'ava'
import { decode } from 'dns-packet'
import fc from 'fast-check'
import { encodedBytes, type Message } from '../../net/dns/encode.ts'
import { type DnsRecord, FLAG, TYPE } from '../../net/dns/records.ts'
import { dnsSettings } from '../../net/dns/settings.ts'
import { answersBeyond, fittingBytes } from '../../net/dns/trim.ts'

const name = 'web.service.consul.'
const OPT: DnsRecord = { type: 'OPT', name: '.', udpSizeBytes: 1_232, scopeBits: 0 }

function message(type: number, answers: DnsRecord[], additionals: DnsRecord[] = []): Message {
  return { id: 1, flags: FLAG.response, question: { name, type, class: 1 }, answers, authorities: [], additionals }
}

function addresses(count: number): DnsRecord[] {
  return Array.from({ length: count }, (_, at) => ({ type: 'A', name, ttlSeconds: 0, address: `10.0.${at >> 8}.${at & 255}` }))
}

function services(count: number, node = 'n'): Message {
  const target = (at: number) => `${node}${at}.node.dc1.consul.`
  const answers: DnsRecord[] = []
  const additionals: DnsRecord[] = []
  for (let at = 0; at < count; at++) {
    answers.push({ type: 'SRV', name, ttlSeconds: 0, priority: 1, weight: 1, port: at, target: target(at) })
    additionals.push({ type: 'A', name: target(at), ttlSeconds: 0, address: '10.0.0.1' })
    additionals.push({ type: 'TXT', name: target(at), ttlSeconds: 0, text: 'consul-network-segment=' })
  }
  return message(TYPE.srv, answers, additionals)
}

function withOpt(plain: Message): Message {
  return { ...plain, additionals: [...plain.additionals, OPT] }
}

const settings = dnsSettings()

test('without EDNS three addresses are sent, or what the limit says, up to eight', (t) => {
  const count = (udpAnswerLimit: number, size = 0) =>
    decode(fittingBytes(message(TYPE.a, addresses(30)), 'udp', size, { ...settings, udpAnswerLimit })).answers?.length
  t.deepEqual(
    [0, 1, 3, 8, 20].map((limit) => count(limit)),
    [0, 1, 3, 8, 8],
  )
  t.is(count(3, 512), 3)
  t.is(count(3, 100), 3)
  t.is(count(3, 1_232), 30)
})

test('nothing changes when no more answers are found than one that is left out', (t) => {
  for (const transport of ['udp', 'tcp'] as const) {
    for (const size of [0, 512, 513, 600, 1_232, 4_096, 65_535]) {
      for (const udpAnswerLimit of [0, 3, 20]) {
        const changed = { ...settings, udpAnswerLimit, enableTruncate: true }
        const beyond = answersBeyond(transport, size, changed)
        const all = addresses(6_000)
        const full = fittingBytes(message(TYPE.a, all), transport, size, changed)
        const enough = fittingBytes(message(TYPE.a, all.slice(0, beyond)), transport, size, changed)
        t.deepEqual(enough, full, `${transport} ${size} ${udpAnswerLimit}`)
      }
    }
  }
})

test('the truncation flag is set only where the settings want it', (t) => {
  const isTruncated = (enableTruncate: boolean, count: number, transport: 'udp' | 'tcp' = 'udp') =>
    decode(fittingBytes(message(TYPE.a, addresses(count)), transport, 0, { ...settings, enableTruncate })).flag_tc
  t.false(isTruncated(false, 30))
  t.true(isTruncated(true, 30))
  t.false(isTruncated(true, 3))
  t.false(isTruncated(true, 30, 'tcp'))
})

test('a cut answer keeps one record for each target that is left and loses the OPT record', (t) => {
  const bytes = fittingBytes(withOpt(services(5)), 'udp', 512, settings)
  const read = decode(bytes)
  t.is(read.answers?.length, 3)
  t.deepEqual(
    read.additionals?.map((record) => `${record.type} ${record.name}`),
    ['A n0.node.dc1.consul', 'A n1.node.dc1.consul', 'A n2.node.dc1.consul'],
  )
  const whole = decode(fittingBytes(withOpt(services(3)), 'udp', 512, settings))
  t.deepEqual(
    whole.additionals?.map((record) => record.type),
    ['A', 'TXT', 'A', 'TXT', 'A', 'TXT', 'OPT'],
  )
})

test('CNAME records beside a target that is left stay with what they lead to', (t) => {
  const answers: DnsRecord[] = [1, 2, 3, 4].map((port) => ({
    type: 'SRV',
    name,
    ttlSeconds: 0,
    priority: 1,
    weight: 1,
    port,
    target: 'a.com.',
  }))
  const additionals: DnsRecord[] = [
    { type: 'CNAME', name: 'A.com.', ttlSeconds: 0, target: 'b.com.' },
    { type: 'A', name: 'b.com.', ttlSeconds: 0, address: '10.0.0.1' },
    { type: 'A', name: 'c.com.', ttlSeconds: 0, address: '10.0.0.1' },
  ]
  const read = decode(fittingBytes(message(TYPE.srv, answers, additionals), 'udp', 0, settings))
  t.deepEqual(
    read.additionals?.map((record) => record.name),
    ['A.com', 'b.com'],
  )
})

test('a cut answer to a client without EDNS would fit without compression too', (t) => {
  const node = 'x'.repeat(20)
  const limits = { ...settings, udpAnswerLimit: 8 }
  const size = (count: number, compress: boolean) => {
    const all = services(count, node)
    return encodedBytes({ ...all, additionals: all.additionals.filter(({ type }) => type === 'A') }, compress)!
  }
  const kept = decode(fittingBytes(services(9, node), 'udp', 0, limits)).answers?.length ?? 0
  t.true(size(kept, false) <= 505 && size(kept + 1, false) > 505, `${kept} answers are ${size(kept, false)} bytes`)
  const uncut = decode(fittingBytes(services(8, node), 'udp', 0, limits)).answers?.length ?? 0
  t.true(size(uncut, true) <= 505 && size(uncut + 1, true) > 505, 'up to the limit, the compressed size counts')
  t.true(uncut > kept)
})

test('over TCP 1024 SRV records and 4096 addresses are sent, and fewer if they are too long', (t) => {
  const count = (plain: Message) => decode(fittingBytes(plain, 'tcp', 0, settings)).answers?.length
  t.is(count(message(TYPE.a, addresses(5_000))), 4_092)
  t.is(count({ ...services(2_000), additionals: [] }), 1_024)
  t.is(count(services(300)), 300)
  const long = count(services(1_000, 'y'.repeat(55))) ?? 0
  t.true(long > 300 && long < 1_000)
})

test('an answer that is too long because of what is beside it loses that, not itself', (t) => {
  const texts: DnsRecord[] = Array.from({ length: 10 }, () => ({ type: 'TXT', name, ttlSeconds: 0, text: 'x'.repeat(100) }))
  const read = decode(fittingBytes(withOpt(message(TYPE.a, addresses(1), texts)), 'udp', 512, settings))
  t.is(read.answers?.length, 1)
  t.deepEqual(
    read.additionals?.map((record) => record.type),
    ['TXT', 'TXT', 'TXT', 'OPT'],
  )
  t.false(read.flag_tc)
  const huge: DnsRecord = { type: 'TXT', name, ttlSeconds: 0, text: 'x'.repeat(600) }
  const cut = decode(fittingBytes(message(TYPE.txt, [huge]), 'udp', 0, settings))
  t.is(cut.answers?.length, 0)
  t.true(cut.flag_tc)
})

const label = fc.string({ unit: fc.constantFrom('a', 'b', 'C'), minLength: 1, maxLength: 60 })
const target = label.map((text) => `${text}.node.dc1.consul.`)
const ttlSeconds = 0
const anyAnswer: fc.Arbitrary<DnsRecord> = fc.oneof(
  fc.ipV4().map((address): DnsRecord => ({ type: 'A', name, ttlSeconds, address })),
  target.map((to): DnsRecord => ({ type: 'SRV', name, ttlSeconds, priority: 1, weight: 1, port: 80, target: to })),
  target.map((to): DnsRecord => ({ type: 'CNAME', name, ttlSeconds, target: to })),
  fc.string({ maxLength: 700 }).map((text): DnsRecord => ({ type: 'TXT', name, ttlSeconds, text })),
)
const anyAdditional: fc.Arbitrary<DnsRecord> = fc.oneof(
  target.map((owner): DnsRecord => ({ type: 'A', name: owner, ttlSeconds, address: '10.0.0.1' })),
  fc
    .record({ owner: target, text: fc.string({ maxLength: 300 }) })
    .map(({ owner, text }): DnsRecord => ({ type: 'TXT', name: owner, ttlSeconds, text })),
)

test('nothing is ever longer than allowed, and every record is one of the full set, in its order', (t) => {
  fc.assert(
    fc.property(
      fc.array(anyAnswer, { maxLength: 40, size: 'max' }),
      fc.array(anyAdditional, { maxLength: 40, size: 'max' }),
      fc.boolean(),
      fc.constantFrom<'udp' | 'tcp'>('udp', 'tcp'),
      fc.integer({ min: 0, max: 65_535 }),
      fc.record({ udpAnswerLimit: fc.nat({ max: 10 }), enableTruncate: fc.boolean(), disableCompression: fc.boolean() }),
      (answers, extra, hasOpt, transport, udpSizeBytes, changes) => {
        const additionals = hasOpt ? [...extra, OPT] : extra
        const full = message(TYPE.srv, answers, additionals)
        const bytes = fittingBytes(full, transport, udpSizeBytes, changes)
        t.true(bytes.length <= (transport === 'tcp' ? 65_535 : Math.max(512, udpSizeBytes)))
        const read = decode(bytes)
        const keptAnswers = read.answers ?? []
        const all = decode(fittingBytes(full, 'tcp', 0, { ...changes, disableCompression: true }))
        t.deepEqual(keptAnswers, (all.answers ?? []).slice(0, keptAnswers.length))
        const allTexts = (all.additionals ?? []).map((record) => JSON.stringify(record))
        for (const record of read.additionals ?? []) t.true(allTexts.includes(JSON.stringify(record)))
      },
    ),
    { numRuns: 200 },
  )
})
