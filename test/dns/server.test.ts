import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import test from 'ava'
import { decode } from 'dns-packet'
import fc from 'fast-check'
import { createResponder } from '../../net/dns/responder.ts'
import { startDns } from '../../net/dns/server.ts'
import { dnsSettings } from '../../net/dns/settings.ts'
import type { DnsSource } from '../../net/dns/source.ts'
import { serveTcp } from '../../net/dns/tcp.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { answersFrom, catalog, instance } from './fixture.ts'
import { framed, messagesUntilEnd, overTcp, overUdp, query, queryWithSubnet, started } from './wire.ts'

const many = catalog({ services: { web: Array.from({ length: 30 }, (_, at) => instance({ address: `10.0.0.${at}` })) } })

test('a question over UDP is answered with the id, the question and the flags of the protocol', async (t) => {
  const server = await started(t)
  const answer = await overUdp(server.port, query('DB.service.consul', 'SRV'))
  t.is(answer.id, 513)
  t.is(answer.flag_qr && answer.flag_aa && answer.flag_rd, true)
  t.is(answer.flag_ra, false)
  t.deepEqual(answer.questions, [{ name: 'DB.service.consul', type: 'SRV', class: 'IN' }])
  t.deepEqual(answer.answers, [
    {
      name: 'DB.service.consul',
      type: 'SRV',
      class: 'IN',
      ttl: 0,
      flush: false,
      data: { priority: 1, weight: 1, port: 5432, target: '0a00000a.addr.dc1.consul' },
    },
  ])
  t.deepEqual(
    answer.additionals?.map((record) => `${record.type} ${record.name}`),
    ['A 0a00000a.addr.dc1.consul', 'TXT ext1.node.dc1.consul'],
  )
  t.deepEqual(server.kinds, ['domain_query'])
})

test('OPT records are echoed with size and subnet, also beside negative answers, but not beside refusals', async (t) => {
  const server = await started(t)
  const asked = async (name: string) => (await overUdp(server.port, queryWithSubnet(name, 1_400))).additionals ?? []
  for (const name of ['db.service.consul', 'nope.service.consul', '9.9.9.9.in-addr.arpa']) {
    const echo = (await asked(name)).at(-1)
    t.is(echo?.type === 'OPT' ? echo.udpPayloadSize : 0, 1_400, name)
    const [option] = echo?.type === 'OPT' ? echo.options : []
    t.deepEqual({ code: option?.code, hex: option?.data?.toString('hex') }, { code: 8, hex: '00011800c00002' }, name)
  }
  const personal = (await asked('my.query.query.consul')).at(-1)
  t.is(personal?.type === 'OPT' ? personal.options[0]?.data?.toString('hex') : '', '00011818c00002', 'for this subnet only')
  t.deepEqual(await asked('example.com'), [])
})

test('the same port serves TCP, many questions over one connection, and more records', async (t) => {
  const server = await started(t, {}, { answers: answersFrom(many) })
  t.is((await overUdp(server.port, query('web.service.consul'))).answers?.length, 3)
  const answers = await overTcp(server.port, query('web.service.consul'), query('nope.service.consul'), query('n1.node.consul'))
  t.deepEqual(
    answers.map((answer) => [answer.rcode, answer.answers?.length]),
    [
      ['NOERROR', 30],
      ['NXDOMAIN', 0],
      ['NOERROR', 1],
    ],
  )
})

test('a question that arrives over TCP byte by byte is answered', async (t) => {
  const server = await started(t)
  const socket = connect({ port: server.port, host: '127.0.0.1', noDelay: true })
  for (const byte of framed(query('n1.node.consul'))) {
    const written = new Promise((resolve) => socket.write(Buffer.from([byte]), resolve))
    await written
  }
  socket.end()
  const [answer] = await messagesUntilEnd(socket)
  t.is(decode(answer!).answers?.length, 1)
})

test('a client that is slow to read its answers gets them all', async (t) => {
  const server = await started(t, {}, { answers: answersFrom(many) })
  const socket = connect({ port: server.port, host: '127.0.0.1' })
  socket.pause()
  const count = 20_000
  const question = framed(query('web.service.consul'))
  socket.end(Buffer.concat(Array.from({ length: count }, () => question)))
  await once(socket, 'connect')
  socket.resume()
  t.is((await messagesUntilEnd(socket)).length, count)
})

test('what is no query over TCP does not end the connection', async (t) => {
  const server = await started(t)
  const response = query('n1.node.consul')
  response[2] = 0x80
  const answers = await overTcp(server.port, Buffer.alloc(0), response, Buffer.alloc(40, 1), query('n1.node.consul'))
  t.deepEqual(
    answers.map((answer) => answer.rcode),
    ['FORMERR', 'NOERROR'],
  )
})

test('a connection that says nothing whole is closed', async (t) => {
  const server = createServer({ allowHalfOpen: true }, (socket) => serveTcp(socket, () => false, 20))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  const socket = connect({ port: typeof bound === 'object' && bound !== null ? bound.port : 0, host: '127.0.0.1' })
  socket.write(Buffer.from([0, 200, 1]))
  t.teardown(() => server.close())
  // Closed while bytes are still unread, the system sends a reset instead of an end.
  const reset = (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? [] : Promise.reject(error))
  t.deepEqual(await messagesUntilEnd(socket).catch(reset), [])
})

test('noise over UDP changes nothing', async (t) => {
  const server = await started(t)
  const noise = fc.sample(fc.uint8Array({ minLength: 1, maxLength: 100 }), { numRuns: 200, seed: 7 }).map((bytes) => {
    const packet = Buffer.from(bytes)
    if (packet.length > 2) packet[2] = packet[2]! | 0x80
    return packet
  })
  t.is((await overUdp(server.port, ...noise, query('n1.node.consul'))).rcode, 'NOERROR')
})

test('whatever comes in, at most one answer goes out, to its id, and nothing breaks', (t) => {
  const broken: unknown[] = []
  const respond = createResponder({
    answers: answersFrom(catalog()),
    settings: () => dnsSettings(),
    recursors: { forward: async () => undefined, lookup: async () => [], close: () => undefined },
    report: () => undefined,
    failed: (_question, error) => broken.push(error),
    chance: Math.random,
    nowMs: Date.now,
  })
  const start = fc.constantFrom(
    query('web.service.consul', 'SRV'),
    query('n1.node.consul', 'ANY'),
    query('1.0.0.127.in-addr.arpa', 'PTR'),
    query('consul', 'SOA'),
    query('my.query.query.consul', 'SRV'),
    queryWithSubnet('my.query.query.consul', 1_232),
  )
  const change = fc.record({ at: fc.nat({ max: 60 }), byte: fc.nat({ max: 255 }) })
  const mutated = fc.tuple(start, fc.array(change, { maxLength: 6 }), fc.nat({ max: 60 })).map(([packet, changes, cut]) => {
    const copy = Buffer.from(packet)
    for (const { at, byte } of changes) if (at < copy.length) copy[at] = byte
    return cut < 10 ? copy.subarray(0, copy.length - cut) : copy
  })
  const noise = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes))
  fc.assert(
    fc.property(fc.oneof(mutated, noise), fc.constantFrom<'udp' | 'tcp'>('udp', 'tcp'), (packet, transport) => {
      const replies: Buffer[] = []
      t.false(respond(packet, transport, '10.0.0.1', (bytes) => replies.push(bytes)))
      t.true(replies.length <= 1)
      for (const reply of replies) {
        t.deepEqual(reply.subarray(0, 2), packet.subarray(0, 2))
        t.is(reply[2]! & 0x80, 0x80)
        decode(reply)
      }
    }),
    { numRuns: 2_000 },
  )
  t.deepEqual(broken, [])
})

test('a bug in the catalog is a server failure and a line in the log', async (t) => {
  const source = {
    ...catalog(),
    service: () => {
      throw new Error('the catalog is on fire')
    },
  }
  const server = await started(t, {}, { answers: answersFrom(source) })
  t.is((await overUdp(server.port, query('web.service.consul'))).rcode, 'SERVFAIL')
  t.is(server.printed.length, 1)
  t.regex(server.printed[0] ?? '', /^error a DNS query could not be answered .*web\.service\.consul/)
})

test('settings are asked for each question', async (t) => {
  let domain = 'consul.'
  const server = await started(t, {}, { settings: () => dnsSettings({ domain }) })
  t.is((await overUdp(server.port, query('n1.node.mesh'))).rcode, 'REFUSED')
  domain = 'mesh.'
  t.is((await overUdp(server.port, query('n1.node.mesh'))).rcode, 'NOERROR')
  t.deepEqual(server.kinds, ['foreign_query', 'domain_query'])
})

test('a port that is taken is refused with its option; nothing stays open', async (t) => {
  const first = await started(t)
  const second = await startDns({
    addresses: ['127.0.0.1'],
    port: first.port,
    reusePort: false,
    answers: answersFrom(catalog()),
    settings: () => dnsSettings(),
    report: () => undefined,
    print: () => undefined,
  })
  t.deepEqual(second, {
    refused: 'conflict',
    why: `dns: cannot listen on tcp 127.0.0.1:${first.port}: the port is already in use; choose another with ports.dns or -dns-port`,
  })
  await first.close()
  const third = await started(t, {}, { port: first.port })
  t.is(third.port, first.port)
})

test('addresses that this machine does not have are refused, as are none at all', async (t) => {
  const refusalOf = async (addresses: string[]) => {
    const result = await startDns({
      addresses,
      port: 0,
      reusePort: false,
      answers: answersFrom(catalog()),
      settings: () => dnsSettings(),
      report: () => undefined,
      print: () => undefined,
    })
    return isRefused(result) ? result.why : undefined
  }
  t.regex(
    (await refusalOf(['127.0.0.1', '192.0.2.1'])) ?? '',
    /^dns: cannot listen on tcp 192\.0\.2\.1:\d+: this machine does not have the address; change addresses\.dns or client_addr$/,
  )
  t.is(await refusalOf([]), 'addresses.dns: there must be at least one address')
})

test('several servers share a port and its questions', async (t) => {
  const first = await started(t, {}, { reusePort: true })
  const second = await started(t, {}, { reusePort: true, port: first.port })
  for (let round = 0; round < 64; round++) t.is((await overUdp(first.port, query('n1.node.consul'))).rcode, 'NOERROR')
  t.is(first.kinds.length + second.kinds.length, 64)
  t.true(first.kinds.length > 0 && second.kinds.length > 0)
})

test('a prepared query is asked for whoever asks, or for the subnet that a resolver names', async (t) => {
  const ips: string[] = []
  const source: DnsSource = {
    ...catalog(),
    query(_name, { ip }) {
      ips.push(ip)
      return undefined
    },
  }
  const server = await started(t, {}, { answers: answersFrom(source) })
  await overUdp(server.port, query('q.query.consul'))
  await overTcp(server.port, query('q.query.consul'))
  await overUdp(server.port, queryWithSubnet('q.query.consul', 1_400))
  t.deepEqual(ips, ['127.0.0.1', '127.0.0.1', '192.0.2.0'])
})
