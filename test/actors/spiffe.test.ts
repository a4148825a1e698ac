import test from 'ava'
import fc from 'fast-check'
import {
  agentCommonName,
  agentUri,
  authorityCommonName,
  colonHex,
  identityUri,
  parseColonHex,
  parseIdentity,
  sameIdentity,
  serialText,
  serviceCommonName,
  serviceUri,
  signingUri,
  trustDomainOf,
} from '../../actors/spiffe.ts'
import { isRefused } from '../../src/kernel/refusal.ts'

const trustDomain = trustDomainOf('11111111-2222-3333-4444-55555555ABCD')

test('a service, an agent and a CA each have their own form of id', (t) => {
  t.is(trustDomain, '11111111-2222-3333-4444-55555555abcd.consul')
  t.is(
    serviceUri({ trustDomain, datacenter: 'dc1', service: 'web' }),
    'spiffe://11111111-2222-3333-4444-55555555abcd.consul/ns/default/dc/dc1/svc/web',
  )
  t.is(
    agentUri({ trustDomain, datacenter: 'dc1', node: 'n1' }),
    'spiffe://11111111-2222-3333-4444-55555555abcd.consul/agent/client/dc/dc1/id/n1',
  )
  t.is(signingUri(trustDomain), 'spiffe://11111111-2222-3333-4444-55555555abcd.consul')
})

test('ids are read back', (t) => {
  t.deepEqual(parseIdentity('spiffe://t.consul/ns/default/dc/dc1/svc/web'), {
    kind: 'service',
    trustDomain: 't.consul',
    namespace: 'default',
    datacenter: 'dc1',
    service: 'web',
  })
  t.deepEqual(parseIdentity('spiffe://t.consul/agent/client/dc/dc1/id/n1'), {
    kind: 'agent',
    trustDomain: 't.consul',
    datacenter: 'dc1',
    node: 'n1',
  })
  t.deepEqual(parseIdentity('spiffe://t.consul'), { kind: 'signing', trustDomain: 't.consul' })
  t.like(parseIdentity('spiffe://t.consul/ns/default/dc/dc1/svc/my%20web%2Fone'), { service: 'my web/one' })
})

for (const [uri, why] of [
  ['http://t.consul/ns/default/dc/dc1/svc/web', "SPIFFE ID must have 'spiffe' scheme"],
  ['', "SPIFFE ID must have 'spiffe' scheme"],
  ['spiffe://t.consul/ns/default/dc/dc1/svc/', 'SPIFFE ID is not in the expected format: spiffe://t.consul/ns/default/dc/dc1/svc/'],
  ['spiffe://t.consul/ns/default/dc/dc1/svc/a/b', 'SPIFFE ID is not in the expected format: spiffe://t.consul/ns/default/dc/dc1/svc/a/b'],
  ['spiffe://consul', 'SPIFFE ID is not in the expected format: spiffe://consul'],
  ['spiffe://t.consul/ns/default/dc/dc1/svc/%zz', 'parse "spiffe://t.consul/ns/default/dc/dc1/svc/%zz": invalid URL escape "%zz"'],
  ['spiffe://t.consul/ns/default/dc/dc1/svc/%ff', 'Invalid service: "%ff" is not escaped UTF-8'],
  ['spiffe://t.consul/\n', 'parse "spiffe://t.consul/\\n": net/url: invalid control character in URL'],
] as const) {
  test(`${JSON.stringify(uri)} is refused with the reason`, (t) => {
    t.deepEqual(parseIdentity(uri), { refused: 'invalid', why })
  })
}

test('every identity comes back from its URI', (t) => {
  const name = fc.string({ minLength: 1, unit: 'grapheme' })
  const identity = fc.oneof(
    fc.record({ kind: fc.constant('service' as const), namespace: name, datacenter: name, service: name }),
    fc.record({ kind: fc.constant('agent' as const), datacenter: name, node: name }),
  )
  fc.assert(
    fc.property(identity, (facts) => {
      const whole = { trustDomain: 't.consul', ...facts }
      t.deepEqual(parseIdentity(identityUri(whole)), whole)
    }),
  )
  t.pass()
})

test('noise is refused, never thrown', (t) => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string().map((path) => `spiffe://t.consul/${path}`),
  )
  fc.assert(
    fc.property(text, (uri) => {
      const identity = parseIdentity(uri)
      return !isRefused(identity) || (identity.refused === 'invalid' && identity.why !== '')
    }),
  )
  t.pass()
})

test('identities are compared by their path without letter case', (t) => {
  const web = 'spiffe://one.consul/ns/default/dc/dc1/svc/web'
  t.true(sameIdentity('spiffe://two.consul/ns/default/dc/DC1/svc/Web', web))
  t.false(sameIdentity('spiffe://one.consul/ns/default/dc/dc1/svc/db', web))
  t.false(sameIdentity('http://one.consul/ns/default/dc/dc1/svc/web', web))
  t.false(sameIdentity('spiffe://one.consul', 'spiffe://one.consul'))
})

test('common names keep to letters, digits and 64 characters', (t) => {
  t.is(serviceCommonName('My_Web-1', trustDomain), 'myweb1.svc.default.11111111.consul')
  t.is(agentCommonName('Node-1.local', trustDomain), 'node1local.agnt.11111111.consul')
  t.is(authorityCommonName({ unique: '1a2b3c4d5e', trustDomain }), 'pri-1a2b3c4d.consul.ca.11111111.consul')
  t.is(authorityCommonName({ unique: 'ab', trustDomain, secondary: true }), 'sec-ab.consul.ca.11111111.consul')
  const long = serviceCommonName('s'.repeat(100), trustDomain)
  t.is(long, `${'s'.repeat(36)}.svc.default.11111111.consul`)
  t.is(long.length, 64)
  t.is(serviceCommonName('s'.repeat(20), trustDomain, 'n'.repeat(60)), `${'s'.repeat(15)}.svc.${'n'.repeat(28)}.11111111.consul`)
  t.is(agentCommonName('n'.repeat(100), trustDomain).length, 64)
})

test('bytes and serial numbers are shown as hex with colons', (t) => {
  t.is(colonHex([0, 15, 255]), '00:0f:ff')
  t.deepEqual(parseColonHex('00:0F:ff'), [0, 15, 255])
  t.deepEqual(parseColonHex(''), [])
  t.deepEqual(parseColonHex('0:1'), { refused: 'invalid', why: '"0:1" is not hexadecimal bytes separated by colons' })
  t.deepEqual([8, 15, 3866, 256, 2 ** 53 - 1].map(serialText), ['08', '0f', '0f:1a', '01:00', '1f:ff:ff:ff:ff:ff:ff'])
  t.throws(() => serialText(1.5))
})
