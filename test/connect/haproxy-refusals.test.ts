import test from 'ava'
import fc from 'fast-check'
import type { Told } from '../../actors/decisions/protocol.ts'
import type { Rule } from '../../actors/intentions/decide.ts'
import { accessKey, serviceOf } from '../../src/connect-haproxy/access.ts'
import { isMark, loggedIn, toldOf } from '../../src/connect-haproxy/refusals.ts'
import type { ProxyPlan } from '../../src/connect-proxy/translate.ts'

const WEB = 'spiffe://td.consul/ns/default/dc/dc1/svc/web'
const inbound = {
  ...{ address: '0.0.0.0', port: 21_000, handshakeMs: 10_000 },
  ...{ localHost: '127.0.0.1', localPort: 8_080, localSocketPath: '', connectWithinMs: 1_000 },
}
const upstreams = ['cache', 'queue'].map((service, at) => ({ service, address: '', port: 9_000 + at, connectWithinMs: 5_000 }))
const plan: ProxyPlan = { service: 'db', inbound, upstreams }
const RULE: Rule = { id: '', source: 'web', destination: 'db', action: 'deny' }

/** What is told of a line of the log. */
function told(line: string, list: Rule[] = [RULE], defaultAllow = true): Partial<Told> | undefined {
  const logged = loggedIn(line)
  return logged && toldOf(logged, { plan, identity: { trustDomain: 'td.consul', datacenter: 'dc1' }, intentions: { list, defaultAllow } })
}

const LINES: [line: string, told: Partial<Told>][] = [
  [
    `mesh-denied 10.0.0.1:4711 0a1b ${WEB}`,
    {
      ...{ side: 'inbound', source: 'web', destination: 'db', uri: WEB, serial: '0a:1b', from: '10.0.0.1:4711' },
      ...{ kind: 'intention', cause: 'default/web => default/db (Precedence: 9, Action: DENY)' },
    },
  ],
  [
    'mesh-denied 10.0.0.1:4711 0a -',
    { kind: 'identity', source: '', uri: '', cause: 'the certificate does not name exactly one service of the mesh' },
  ],
  [
    'mesh-denied 10.0.0.1:4711 0a spiffe://other.consul/ns/default/dc/dc1/svc/web',
    {
      kind: 'identity',
      source: 'web',
      cause: 'spiffe://other.consul/ns/default/dc/dc1/svc/web is of another trust domain, ours is td.consul',
    },
  ],
  ['mesh-denied 10.0.0.1:4711 0a http://td.consul/', { kind: 'identity', source: '' }],
  [
    'mesh-handshake 10.0.0.1:4711 error:0A0000C7:SSL routines::peer did not return a certificate',
    { side: 'inbound', kind: 'handshake', source: '', from: '10.0.0.1:4711', cause: 'no client certificate was shown' },
  ],
  ['mesh-handshake 10.0.0.1:4711 error:0A000086:SSL routines::certificate verify failed', { cause: 'certificate verify failed' }],
  ['mesh-handshake 10.0.0.1:4711 -', { kind: 'handshake', cause: 'the TLS handshake failed' }],
  [
    `10.0.0.1:4711 public~ public/application SC 2005 source=${WEB} verdict=allow`,
    { side: 'inbound', kind: 'application', source: 'web', uri: WEB, from: '10.0.0.1:4711', cause: 'connection refused' },
  ],
  [`::1:4711 public~ public/application sC 2005 source=${WEB} verdict=allow`, { kind: 'application', cause: 'connection timed out' }],
  [
    '127.0.0.1:50200 upstream_2 upstream_2/<NOSRV> SC 0',
    {
      side: 'outbound',
      source: 'db',
      destination: 'queue',
      kind: 'no-instance',
      from: '127.0.0.1:50200',
      cause: 'it has no healthy instance',
    },
  ],
  [
    '127.0.0.1:50200 upstream_1 upstream_1/s3 SC 3004',
    {
      ...{ side: 'outbound', source: 'db', destination: 'cache', kind: 'unreachable' },
      cause: 'none of its instances took the connection, last: connection refused or handshake failed',
    },
  ],
  [
    `mesh-stranger ${WEB} spiffe://td.consul/ns/default/dc/dc1/svc/cache`,
    {
      ...{ side: 'outbound', source: 'db', destination: 'cache', kind: 'unreachable' },
      cause: `the certificate is for ${WEB}, expected spiffe://td.consul/ns/default/dc/dc1/svc/cache`,
    },
  ],
]

for (const [line, expected] of LINES) test(`the log says: ${line}`, (t) => t.like(told(line), expected))

test('without a rule the default decides; one that has gone meanwhile is no rule', (t) => {
  const line = `mesh-denied 10.0.0.1:4711 0a ${WEB}`
  t.like(told(line, [], false), { kind: 'default', cause: 'Default behavior configured by ACLs' })
  t.like(told(line, [], true), { kind: 'intention', cause: 'an intention that has changed since' })
})

test('lines about what went well, and about HAProxy itself, say nothing', (t) => {
  for (const line of [
    `10.0.0.1:1 public~ public/application K- 1671 source=${WEB} verdict=allow`,
    '127.0.0.1:1 upstream_1 upstream_1/s1 cD 100',
    'Server upstream_1/s1 is UP/READY (leaving forced maintenance).',
    "[ALERT]    (7571) : proxy 'upstream_1' has no server available!",
    '',
  ])
    t.is(loggedIn(line), undefined)
  t.true(isMark(`mesh-denied 1.2.3.4:1 0a ${WEB}`) && isMark(`[info] 326/221536 (7570) : mesh-denied 1.2.3.4:1 0a ${WEB}`))
  t.false(isMark('Server mesh-1 is UP'))
})

test('whatever HAProxy writes, it is a refusal or it is not', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `mesh-denied ${text}`),
        fc.string().map((text) => `mesh-stranger ${text}`),
      ),
      (line) => {
        const found = told(line)
        return found === undefined || (found.cause !== undefined && found.destination !== undefined)
      },
    ),
  )
  t.pass()
})

test('a service’s name comes out of its key as it went in', (t) => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (name) => serviceOf(accessKey(name)) === name.toWellFormed()))
  t.is(serviceOf('=%FF'), '\ufffd')
})
