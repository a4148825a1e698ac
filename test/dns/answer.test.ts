import test from 'ava'
import { type AnswerTurn, answerTo } from '../../net/dns/answer.ts'
import type { DnsRecord } from '../../net/dns/records.ts'
import { type DnsSettings, dnsSettings } from '../../net/dns/settings.ts'
import type { DnsSource } from '../../net/dns/source.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { catalog, instance, lines, n1, named, six, turn, typeNumber } from './fixture.ts'

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED']
const SOA = 'consul. 0 IN SOA ns.consul. hostmaster.consul. 1795416167 3600 600 86400 0'
const NXDOMAIN = ['NXDOMAIN', `AU ${SOA}`]
const NODATA = ['NOERROR', `AU ${SOA}`]

type Changes = { source?: DnsSource; settings?: Partial<DnsSettings>; turn?: Partial<AnswerTurn> }

function full(question: string, changes: Changes = {}) {
  const [name = '', type = ''] = question.split(' ')
  return answerTo(
    { name: `${name}.`, type: typeNumber(type) },
    changes.source ?? catalog(),
    dnsSettings(changes.settings),
    turn(changes.turn),
  )
}

/** The rcode, then each record. */
function asked(question: string, changes: Changes = {}): string[] {
  const answer = full(question, changes)
  return [RCODES[answer.rcode] ?? String(answer.rcode), ...lines(answer)]
}

/** The reference's examples of a real Consul, and what its text says of other cases. */
const examples: [question: string, expected: string[]][] = [
  ['n1.node.consul A', ['NOERROR', 'AN n1.node.consul. 0 IN A 127.0.0.1', 'AR n1.node.consul. 0 IN TXT "consul-network-segment="']],
  ['n1.node.consul ANY', ['NOERROR', 'AN n1.node.consul. 0 IN A 127.0.0.1', 'AN n1.node.consul. 0 IN TXT "consul-network-segment="']],
  ['n1.node.consul TXT', ['NOERROR', 'AN n1.node.consul. 0 IN TXT "consul-network-segment="']],
  ['n1.node.consul AAAA', ['NOERROR', 'AR n1.node.consul. 0 IN TXT "consul-network-segment="']],
  ['n1.node.consul MX', ['NOERROR']],
  ['nobody.node.consul MX', ['NOERROR']],
  ['nobody.node.consul A', NXDOMAIN],
  ['six.node.dc1.consul AAAA', ['NOERROR', 'AN six.node.dc1.consul. 0 IN AAAA 2001:db8::6']],
  ['named.node.consul A', ['NOERROR', 'AN named.node.consul. 0 IN CNAME host.example.com.']],
  ['db.service.consul A', ['NOERROR', 'AN db.service.consul. 0 IN A 10.0.0.10']],
  [
    'db.service.consul SRV',
    [
      'NOERROR',
      'AN db.service.consul. 0 IN SRV 1 1 5432 0a00000a.addr.dc1.consul.',
      'AR 0a00000a.addr.dc1.consul. 0 IN A 10.0.0.10',
      'AR ext1.node.dc1.consul. 0 IN TXT "external-node=true"',
    ],
  ],
  [
    'web.connect.consul SRV',
    [
      'NOERROR',
      'AN web.connect.consul. 0 IN SRV 1 1 9001 n1.node.dc1.consul.',
      'AR n1.node.dc1.consul. 0 IN A 127.0.0.1',
      'AR n1.node.dc1.consul. 0 IN TXT "consul-network-segment="',
    ],
  ],
  ['V1.WEB.service.consul A', ['NOERROR', 'AN V1.WEB.service.consul. 0 IN A 127.0.0.1']],
  ['blue.green.web.service.consul A', ['NOERROR', 'AN blue.green.web.service.consul. 0 IN A 127.0.0.1']],
  ['v2.web.service.consul A', NXDOMAIN],
  ['_web._tcp.service.consul A', ['NOERROR', 'AN _web._tcp.service.consul. 0 IN A 127.0.0.1']],
  ['_web._udp.service.consul SRV', NXDOMAIN],
  ['web.service.consul TXT', ['NOERROR', 'AN web.service.consul. 0 IN A 127.0.0.1']],
  ['web.service.consul ANY', ['NOERROR', 'AN web.service.consul. 0 IN A 127.0.0.1']],
  ['web.service.consul AAAA', NODATA],
  ['web.service.consul MX', NODATA],
  ['consul.service.consul A', ['NOERROR', 'AN consul.service.consul. 0 IN A 127.0.0.1']],
  ['nope.service.consul A', NXDOMAIN],
  ['sick.service.consul SRV', NXDOMAIN],
  ['x.consul A', NXDOMAIN],
  ['consul A', NXDOMAIN],
  ['web.service.dc2.consul A', NXDOMAIN],
  ['web.ingress.consul A', NXDOMAIN],
  ['q.query.consul SRV', NXDOMAIN],
  ['My.Query.query.consul A', ['NOERROR', 'AN My.Query.query.consul. 10 IN A 127.0.0.1']],
  [
    'my.query.query.dc1.consul SRV',
    [
      'NOERROR',
      'AN my.query.query.dc1.consul. 10 IN SRV 1 1 80 n1.node.dc1.consul.',
      'AR n1.node.dc1.consul. 10 IN A 127.0.0.1',
      'AR n1.node.dc1.consul. 10 IN TXT "consul-network-segment="',
    ],
  ],
  ['my.query.query.consul AAAA', NODATA],
  ['my.query.query.dc2.consul A', NXDOMAIN],
  ['my.query.query.a.dc1.consul A', NXDOMAIN],
  ['consul SOA', ['NOERROR', `AN ${SOA}`, 'AU consul. 0 IN NS n1.node.dc1.consul.', 'AR n1.node.dc1.consul. 0 IN A 127.0.0.1']],
  ['any.thing.consul NS', ['NOERROR', 'AN consul. 0 IN NS n1.node.dc1.consul.', 'AR n1.node.dc1.consul. 0 IN A 127.0.0.1']],
  ['consul AXFR', ['NOTIMP']],
  ['0a00000a.addr.dc1.consul A', ['NOERROR', 'AN 0a00000a.addr.dc1.consul. 0 IN A 10.0.0.10']],
  ['0a00000a.addr.consul MX', ['NOERROR', 'AN 0a00000a.addr.consul. 0 IN A 10.0.0.10']],
  [
    '20010db8000000000000000000000006.addr.consul AAAA',
    ['NOERROR', 'AN 20010db8000000000000000000000006.addr.consul. 0 IN AAAA 2001:db8::6'],
  ],
  ['0a00.addr.consul A', ['NOERROR']],
  ['0a00000x.addr.consul A', NXDOMAIN],
  ['0a00000a.addr.dc2.consul A', ['NOERROR', 'AN 0a00000a.addr.dc2.consul. 0 IN A 10.0.0.10']],
  ['1.0.0.127.in-addr.arpa PTR', ['NOERROR', 'AN 1.0.0.127.in-addr.arpa. 0 IN PTR n1.node.dc1.consul.']],
  ['10.0.0.10.in-addr.arpa PTR', ['NOERROR', 'AN 10.0.0.10.in-addr.arpa. 0 IN PTR db.service.dc1.consul.']],
  ['9.9.9.9.in-addr.arpa PTR', ['SERVFAIL']],
  ['example.com A', ['REFUSED']],
]

for (const [question, expected] of examples) {
  test(`${question} is answered as Consul does`, (t) => t.deepEqual(asked(question), expected))
}

test('answers about the zone are authoritative, refusals and failures of recursion are not', (t) => {
  const flags = (question: string, settings: Partial<DnsSettings> = {}) => {
    const { authoritative, recursionAvailable, forward } = full(question, { settings })
    return { authoritative, recursionAvailable, forward }
  }
  t.deepEqual(flags('n1.node.consul A'), { authoritative: true, recursionAvailable: false, forward: false })
  t.deepEqual(flags('n1.node.consul A', { recursors: ['9.9.9.9'] }), { authoritative: true, recursionAvailable: true, forward: false })
  t.deepEqual(flags('example.com A'), { authoritative: false, recursionAvailable: false, forward: true })
  t.deepEqual(flags('9.9.9.9.in-addr.arpa PTR'), { authoritative: false, recursionAvailable: true, forward: true })
})

test('a warning instance has its own weight and is left out where only passing ones count', (t) => {
  const weights = { passing: 7, warning: 3 }
  const source = catalog({ services: { web: [instance({ weights }), instance({ weights, status: 'warning', port: 81 })] } })
  const srv = (settings: Partial<DnsSettings>) =>
    asked('web.service.consul SRV', { source, settings }).filter((line) => line.startsWith('AN'))
  t.deepEqual(srv({}), [
    'AN web.service.consul. 0 IN SRV 1 7 80 n1.node.dc1.consul.',
    'AN web.service.consul. 0 IN SRV 1 3 81 n1.node.dc1.consul.',
  ])
  t.deepEqual(srv({ onlyPassing: true }), ['AN web.service.consul. 0 IN SRV 1 7 80 n1.node.dc1.consul.'])
})

test('instances at one place are one SRV record, instances at one address are one A record', (t) => {
  const source = catalog({ services: { web: [instance(), instance(), instance({ port: 81 })] } })
  t.is(asked('web.service.consul SRV', { source }).filter((line) => line.startsWith('AN')).length, 2)
  t.is(asked('web.service.consul A', { source }).filter((line) => line.startsWith('AN')).length, 1)
})

test('ANY gives both families, a limit caps them, SRV has no limit', (t) => {
  const source = catalog({ services: { web: [instance(), instance({ node: six }), instance({ address: '10.0.0.3' })] } })
  t.deepEqual(asked('web.service.consul ANY', { source }), [
    'NOERROR',
    'AN web.service.consul. 0 IN A 127.0.0.1',
    'AN web.service.consul. 0 IN AAAA 2001:db8::6',
    'AN web.service.consul. 0 IN A 10.0.0.3',
  ])
  t.is(asked('web.service.consul A', { source, settings: { aRecordLimit: 1 } }).length, 2)
  const srv = asked('web.service.consul SRV', { source, settings: { aRecordLimit: 1 } })
  t.is(srv.filter((line) => line.startsWith('AN')).length, 3)
})

test('every order of instances comes up about equally often', (t) => {
  const source = catalog({ services: { web: ['1', '2', '3'].map((end) => instance({ address: `10.0.0.${end}` })) } })
  const counts = new Map<string, number>()
  let state = 1
  const chance = () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
  for (let round = 0; round < 6_000; round++) {
    const order = asked('web.service.consul A', { source, turn: { chance } })
      .map((line) => line.at(-1))
      .join('')
    counts.set(order, (counts.get(order) ?? 0) + 1)
  }
  t.is(counts.size, 6)
  for (const count of counts.values()) t.true(count > 850 && count < 1_150, String(count))
})

test('times to live come from the settings, the longest prefix wins over shorter ones', (t) => {
  const settings = { nodeTtlMs: 5_500, serviceTtlMs: { '*': 1_000, 'd*': 2_000, 'db*': 3_000, web: 4_000 } }
  t.is(asked('n1.node.consul A', { settings })[1], 'AN n1.node.consul. 5 IN A 127.0.0.1')
  t.is(asked('web.service.consul A', { settings })[1], 'AN web.service.consul. 4 IN A 127.0.0.1')
  t.deepEqual(asked('db.service.consul SRV', { settings }).slice(1), [
    'AN db.service.consul. 3 IN SRV 1 1 5432 0a00000a.addr.dc1.consul.',
    'AR 0a00000a.addr.dc1.consul. 3 IN A 10.0.0.10',
    'AR ext1.node.dc1.consul. 3 IN TXT "external-node=true"',
  ])
  t.is(asked('consul.service.consul A', { settings })[1], 'AN consul.service.consul. 1 IN A 127.0.0.1')
  t.is(asked('1.0.0.127.in-addr.arpa PTR', { settings })[1], 'AN 1.0.0.127.in-addr.arpa. 0 IN PTR n1.node.dc1.consul.')
  const strange = catalog({ services: { constructor: [instance()] } })
  t.is(asked('constructor.service.consul A', { source: strange })[1], 'AN constructor.service.consul. 0 IN A 127.0.0.1')
})

test('a prepared query keeps its order, its own time counts before that of the service, and only_passing is not for it', (t) => {
  const instances = ['3', '1', '2'].map((end) => instance({ address: `10.0.0.${end}`, status: 'warning' }))
  const settings = { serviceTtlMs: { web: 4_000 }, onlyPassing: true }
  const asks = (ttlMs: number | undefined) =>
    asked('q.query.consul A', { source: catalog({ queries: { q: { service: 'web', ttlMs, instances } } }), settings })
  const owner = 'AN q.query.consul.'
  t.deepEqual(asks(undefined), ['NOERROR', `${owner} 4 IN A 10.0.0.3`, `${owner} 4 IN A 10.0.0.1`, `${owner} 4 IN A 10.0.0.2`])
  t.is(asks(0)[1], `${owner} 0 IN A 10.0.0.3`)
  const empty = catalog({ queries: { q: { service: 'web', ttlMs: 0, instances: [] } } })
  t.deepEqual(asked('q.query.consul A', { source: empty }), NXDOMAIN)
})

test('the SOA record says what the settings say', (t) => {
  const soa = { refreshMs: 1_000, retryMs: 2_000, expireMs: 3_000, minTtlMs: 4_000 }
  t.is(asked('x.consul A', { settings: { soa } })[1], 'AU consul. 4 IN SOA ns.consul. hostmaster.consul. 1795416167 1 2 3 4')
})

test('targets are in the primary zone even if the alternative one was asked', (t) => {
  t.deepEqual(asked('web.service.mesh.local SRV', { settings: { altDomain: 'mesh.local', nodeMetaTxt: false } }), [
    'NOERROR',
    'AN web.service.mesh.local. 0 IN SRV 1 1 80 n1.node.dc1.consul.',
    'AR n1.node.dc1.consul. 0 IN A 127.0.0.1',
  ])
  t.deepEqual(asked('nope.service.mesh.local A', { settings: { altDomain: 'mesh.local' } }), NXDOMAIN)
})

test('node metadata is written as RFC 1464 says', (t) => {
  const meta = { 'k=1': 'v`1', ' edge ': 'x', 'rfc1035-note': 'bare = value', plain: '' }
  const source = catalog({ nodes: [{ ...n1, meta }] })
  t.deepEqual(asked('n1.node.consul TXT', { source }).slice(1), [
    'AN n1.node.consul. 0 IN TXT "k`=1=v``1"',
    'AN n1.node.consul. 0 IN TXT "` edge` =x"',
    'AN n1.node.consul. 0 IN TXT "bare = value"',
    'AN n1.node.consul. 0 IN TXT "plain="',
  ])
  t.deepEqual(asked('n1.node.consul A', { source, settings: { nodeMetaTxt: false } }), ['NOERROR', 'AN n1.node.consul. 0 IN A 127.0.0.1'])
})

const hosted = catalog({ services: { web: [instance({ address: 'www.example.com', port: 443 })] } })

test('a host name is a CNAME, an SRV target, and nothing if there is an address', (t) => {
  t.deepEqual(asked('web.service.consul A', { source: hosted }), ['NOERROR', 'AN web.service.consul. 0 IN CNAME www.example.com.'])
  t.deepEqual(asked('web.service.consul SRV', { source: hosted, settings: { nodeMetaTxt: false } }), [
    'NOERROR',
    'AN web.service.consul. 0 IN SRV 1 1 443 www.example.com.',
  ])
  const both = catalog({ services: { web: [instance({ address: 'www.example.com' }), instance()] } })
  t.deepEqual(asked('web.service.consul A', { source: both }), ['NOERROR', 'AN web.service.consul. 0 IN A 127.0.0.1'])
  const own = catalog({ services: { web: [instance({ address: 'web.service.consul' })] } })
  t.deepEqual(asked('web.service.consul A', { source: own }), ['NOERROR', 'AN web.service.consul. 0 IN A 127.0.0.1'])
  const nodeHosted = catalog({ services: { web: [instance({ node: named })] } })
  t.deepEqual(asked('web.service.consul A', { source: nodeHosted }), ['NOERROR', 'AN web.service.consul. 0 IN CNAME host.example.com.'])
})

test('host names outside the zone are wanted of recursors, and what these say is in the answer', (t) => {
  const settings = { recursors: ['9.9.9.9'], nodeMetaTxt: false }
  t.deepEqual(full('web.service.consul A', { source: hosted }).wanted, [])
  t.deepEqual(full('web.service.consul A', { source: hosted, settings }).wanted, ['www.example.com.'])
  const records: DnsRecord[] = [1, 2, 3, 4, 5, 6].map((end) => ({
    type: 'A',
    name: 'www.example.com.',
    ttlSeconds: 9,
    address: `10.1.0.${end}`,
  }))
  const outside = new Map([['www.example.com.', records]])
  const answer = full('web.service.consul A', { source: hosted, settings, turn: { outside } })
  t.deepEqual(answer.wanted, [])
  t.is(answer.answers.length, 6, 'a CNAME and five addresses')
  t.is(full('web.service.consul A', { source: hosted, settings, turn: { outside, edns: true } }).answers.length, 7)
  t.deepEqual(lines(full('web.service.consul SRV', { source: hosted, settings, turn: { outside } })).slice(0, 2), [
    'AN web.service.consul. 0 IN SRV 1 1 443 www.example.com.',
    'AR www.example.com. 9 IN A 10.1.0.1',
  ])
})

test('host names inside the zone are followed three times at most', (t) => {
  const to = (name: string) => [instance({ address: name })]
  const source = catalog({
    services: {
      a: to('b.service.consul'),
      b: to('c.service.consul'),
      c: to('d.service.consul'),
      d: to('e.service.consul'),
      e: [instance()],
      ping: to('pong.service.consul'),
      pong: to('ping.service.consul'),
      node: to('n1.node.consul'),
    },
  })
  t.deepEqual(asked('node.service.consul A', { source }), [
    'NOERROR',
    'AN node.service.consul. 0 IN CNAME n1.node.consul.',
    'AN n1.node.consul. 0 IN A 127.0.0.1',
  ])
  t.deepEqual(asked('b.service.consul A', { source }).slice(1), [
    'AN b.service.consul. 0 IN CNAME c.service.consul.',
    'AN c.service.consul. 0 IN CNAME d.service.consul.',
    'AN d.service.consul. 0 IN CNAME e.service.consul.',
    'AN e.service.consul. 0 IN A 127.0.0.1',
  ])
  t.is(asked('a.service.consul A', { source }).length, 5)
  t.is(asked('ping.service.consul A', { source }).length, 5)
})

test('up to three servers whose names fit into DNS are name servers', (t) => {
  const servers = ['A', 'b', 'c', 'd', 'under_score'].map((name) => ({ ...n1, name }))
  const answer = full('consul NS', { source: catalog({ servers }) })
  t.is(answer.answers.length, 3)
  t.is(answer.additionals.length, 3)
  t.true(lines(answer).includes('AN consul. 0 IN NS a.node.dc1.consul.'))
  t.false(lines(answer).some((line) => line.includes('under_score')))
})

test('names that do not fit into a message have no records', (t) => {
  const long = { ...n1, name: 'x'.repeat(64) }
  const source = catalog({ nodes: [long], services: { web: [instance({ node: long }), instance({ address: `${'y.'.repeat(200)}com` })] } })
  t.deepEqual(asked('web.service.consul SRV', { source }), NODATA)
  t.deepEqual(asked('1.0.0.127.in-addr.arpa PTR', { source }), ['SERVFAIL'])
})

test('a catalog that cannot be asked is a server failure', (t) => {
  const no = () => refuse('busy', 'no leader')
  const source: DnsSource = { node: no, nodeByAddress: no, service: no, connect: no, serviceByAddress: no, query: no, servers: no }
  for (const question of [
    'n1.node.consul A',
    'web.service.consul SRV',
    'web.connect.consul A',
    'my.query.query.consul A',
    'consul NS',
    'consul SOA',
    '1.0.0.127.in-addr.arpa PTR',
  ]) {
    t.deepEqual(asked(question, { source }), ['SERVFAIL'], question)
  }
})
