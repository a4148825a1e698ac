import test from 'ava'
import { encode } from 'dns-packet'
import fc from 'fast-check'
import { recursorAddress } from '../../net/dns/recursor.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { answersFrom, catalog, instance } from './fixture.ts'
import { overTcp, overUdp, query, responseTo, started, upstream } from './wire.ts'

const FLAG_REFUSED = 5
const FLAG_SERVFAIL = 2
const FLAG_NXDOMAIN = 3
const timeoutMs = 50

const example = { answers: [{ type: 'A' as const, name: 'example.com', ttl: 60, data: '192.0.2.7' }] }

test('foreign questions go to the recursor and its answer comes back with recursion available', async (t) => {
  const recursor = await upstream(t, () => example)
  const server = await started(t, { recursors: [recursor.address] })
  for (const answer of [await overUdp(server.port, query('example.com')), ...(await overTcp(server.port, query('example.com')))]) {
    t.is(answer.id, 513)
    t.is(answer.flag_ra, true)
    t.deepEqual(
      answer.answers?.map((record) => ('data' in record ? record.data : undefined)),
      ['192.0.2.7'],
    )
  }
  t.deepEqual(server.kinds, ['recursor_query', 'recursor_query'])
  t.deepEqual(
    recursor.asked.map(({ questions }) => questions?.[0]?.name),
    ['example.com', 'example.com'],
  )
})

test('questions about the zone and known addresses stay here, unknown addresses go on', async (t) => {
  const recursor = await upstream(t, () => ({ flags: FLAG_NXDOMAIN }))
  const server = await started(t, { recursors: [recursor.address] })
  t.is((await overUdp(server.port, query('nope.service.consul'))).flag_ra, true)
  t.is((await overUdp(server.port, query('1.0.0.127.in-addr.arpa', 'PTR'))).rcode, 'NOERROR')
  t.is(recursor.asked.length, 0)
  t.is((await overUdp(server.port, query('9.9.9.9.in-addr.arpa', 'PTR'))).rcode, 'NXDOMAIN')
  t.is(recursor.asked.length, 1)
})

test('recursors are tried in order until one says NOERROR or NXDOMAIN', async (t) => {
  const silent = await upstream(t, () => undefined)
  const refusing = await upstream(t, () => ({ flags: FLAG_REFUSED }))
  const failing = await upstream(t, () => ({ flags: FLAG_SERVFAIL }))
  const gone = await upstream(t, () => undefined)
  gone.close()
  const knowing = await upstream(t, () => ({ flags: FLAG_NXDOMAIN }))
  const late = await upstream(t, () => example)
  const all = [silent, refusing, failing, gone, knowing, late]
  const server = await started(t, { recursors: all.map(({ address }) => address), recursorTimeoutMs: timeoutMs })
  t.is((await overUdp(server.port, query('example.com'))).rcode, 'NXDOMAIN')
  t.deepEqual(
    all.map(({ asked }) => asked.length),
    [1, 1, 1, 0, 1, 0],
  )
  t.deepEqual(
    (await overTcp(server.port, query('example.com'))).map(({ rcode }) => rcode),
    ['NXDOMAIN'],
  )
  t.regex(server.printed[0] ?? '', /^warn a recursor gave no usable answer .*no answer in 50 ms/)
})

test('when all recursors fail, the answer is a server failure with recursion available', async (t) => {
  const failing = await upstream(t, () => ({ flags: FLAG_SERVFAIL }))
  const server = await started(t, { recursors: [failing.address, failing.address] })
  const answer = await overUdp(server.port, query('example.com'))
  t.is(answer.rcode, 'SERVFAIL')
  t.is(answer.flag_ra, true)
  t.is(answer.flag_aa, false)
  t.is(failing.asked.length, 2)
})

test('answers with another id or another question are not believed', async (t) => {
  const forged = { answers: [{ type: 'A' as const, name: 'example.com', ttl: 60, data: '192.0.2.66' }] }
  const recursor = await upstream(t, (asked) => [
    responseTo({ ...asked, id: (asked.id ?? 0) ^ 1 }, forged),
    responseTo({ ...asked, questions: [{ type: 'A', name: 'example.org' }] }, forged),
    encode({ type: 'query', id: asked.id ?? 0, questions: asked.questions ?? [] }),
    Buffer.from([1, 2]),
    responseTo(asked, example),
  ])
  const server = await started(t, { recursors: [recursor.address] })
  const answer = await overUdp(server.port, query('example.com'))
  t.deepEqual(
    answer.answers?.map((record) => ('data' in record ? record.data : undefined)),
    ['192.0.2.7'],
  )
})

test('a service at a host name comes with the addresses that the recursor knows', async (t) => {
  const recursor = await upstream(t, () => ({
    answers: [
      { type: 'CNAME' as const, name: 'www.example.com', ttl: 60, data: 'cdn.example.com' },
      { type: 'A' as const, name: 'cdn.example.com', ttl: 60, data: '192.0.2.7' },
      { type: 'TXT' as const, name: 'cdn.example.com', ttl: 60, data: 'x' },
    ],
  }))
  const source = catalog({ services: { web: [instance({ address: 'www.example.com' })] } })
  const server = await started(t, { recursors: [recursor.address] }, { answers: answersFrom(source) })
  const answer = await overUdp(server.port, query('web.service.consul'))
  t.deepEqual(
    answer.answers?.map((record) => [record.type, record.name, 'data' in record ? record.data : undefined]),
    [
      ['CNAME', 'web.service.consul', 'www.example.com'],
      ['CNAME', 'www.example.com', 'cdn.example.com'],
      ['A', 'cdn.example.com', '192.0.2.7'],
    ],
  )
  t.is(answer.flag_aa, true)
})

for (const [what, cutBytes] of [
  ['its address', 3],
  ['its name', 15],
] as const) {
  test(`a host name whose answer is cut off in ${what} is a CNAME alone`, async (t) => {
    const recursor = await upstream(t, (asked) => {
      const reply = responseTo(asked, example)
      return reply.subarray(0, reply.length - cutBytes)
    })
    const source = catalog({ services: { web: [instance({ address: 'www.example.com' })] } })
    const server = await started(t, { recursors: [recursor.address] }, { answers: answersFrom(source) })
    t.is((await overUdp(server.port, query('web.service.consul'))).answers?.length, 1)
    t.regex(server.printed[0] ?? '', /its answer cannot be read/)
  })
}

test('closing gives up on what is under way', async (t) => {
  const { promise: asked, resolve } = Promise.withResolvers<void>()
  const recursor = await upstream(t, () => {
    resolve()
    return undefined
  })
  const server = await started(t, { recursors: [recursor.address], recursorTimeoutMs: 60_000 })
  const answered = overTcp(server.port, query('example.com'), query('example.org'))
  await asked
  await server.close()
  t.true((await answered.catch(() => [])).length <= 2)
})

test('a recursor is an address with an optional port', (t) => {
  const read = (text: string) => {
    const result = recursorAddress(text)
    return isRefused(result) ? result.why : `${result.host} ${result.port}`
  }
  t.is(read('9.9.9.9'), '9.9.9.9 53')
  t.is(read('9.9.9.9:5353'), '9.9.9.9 5353')
  t.is(read('2620:fe::9'), '2620:fe::9 53')
  t.is(read('[2620:fe::9]'), '2620:fe::9 53')
  t.is(read('[2620:fe::9]:5353'), '2620:fe::9 5353')
  t.is(read('dns.example.com:53'), 'recursors: "dns.example.com:53" is not an IP address with an optional port')
  t.is(read(''), 'recursors: "" is not an IP address with an optional port')
  t.is(read('9.9.9.9:'), 'recursors: "9.9.9.9:" is not an IP address with an optional port')
  t.is(read('9.9.9.9:0'), 'recursors: the port of "9.9.9.9:0" must be between 1 and 65535')
  t.is(read('9.9.9.9:70000'), 'recursors: the port of "9.9.9.9:70000" must be between 1 and 65535')
  fc.assert(
    fc.property(fc.string(), (text) => {
      recursorAddress(text)
    }),
  )
})
