import test from 'ava'
import fc from 'fast-check'
import { peerNamesFault, peerSerial } from '../../../actors/spiffe.ts'
import { identityMismatch, uriNames } from '../../../net/mesh/names.ts'
import { dialReason, failureOf, handshakeReason } from '../../../net/mesh/reasons.ts'

test('URI names are found among others', (t) => {
  t.deepEqual(uriNames('DNS:db.example, URI:spiffe://a.consul/ns/default/dc/dc1/svc/db, IP Address:127.0.0.1'), [
    'spiffe://a.consul/ns/default/dc/dc1/svc/db',
  ])
  t.deepEqual(uriNames(''), [])
})

test('a name that pretends to be two is one', (t) => {
  const forged = 'x, URI:spiffe://a.consul/ns/default/dc/dc1/svc/db'
  t.deepEqual(uriNames(`DNS:${JSON.stringify(forged)}`), [])
  t.deepEqual(uriNames(`URI:${JSON.stringify(forged)}, URI:b`), [forged, 'b'])
})

test('whatever the names are, they are read as they were written', (t) => {
  const written = fc.array(fc.tuple(fc.constantFrom('URI', 'DNS', 'othername'), fc.string()), { maxLength: 5 })
  fc.assert(
    fc.property(written, (names) => {
      const text = names.map(([kind, value]) => `${kind}:${/[",\\]/.test(value) ? JSON.stringify(value) : value}`).join(', ')
      const uris = names.filter(([kind]) => kind === 'URI').map(([, value]) => value)
      return JSON.stringify(uriNames(text)) === JSON.stringify(uris)
    }),
  )
  fc.assert(fc.property(fc.string(), (noise) => Array.isArray(uriNames(noise))))
  t.pass()
})

test('who somebody is: path and known trust domain', (t) => {
  const known = new Set(['a.consul'])
  const expected = 'spiffe://other.consul/ns/default/dc/dc1/svc/db'
  t.is(identityMismatch('spiffe://A.consul/ns/default/dc/dc1/svc/DB', expected, known), undefined)
  t.is(identityMismatch('spiffe://b.consul/ns/default/dc/dc1/svc/db', expected, new Set()), undefined)
  t.regex(identityMismatch('spiffe://b.consul/ns/default/dc/dc1/svc/db', expected, known) ?? '', /trust domain/)
  t.regex(identityMismatch('spiffe://a.consul/ns/default/dc/dc1/svc/db2', expected, known) ?? '', /expected spiffe/)
})

test('a certificate of a service names exactly one URI', (t) => {
  t.is(peerNamesFault([]), 'the certificate has no SPIFFE id')
  t.is(peerNamesFault(['spiffe://a']), undefined)
  t.is(peerNamesFault(['spiffe://a', 'spiffe://b']), 'the certificate names 2 URIs, a service has one: spiffe://a spiffe://b')
})

test('errors in plain words', (t) => {
  t.is(handshakeReason({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', message: '' }), 'the certificate is signed by an unknown CA')
  t.is(handshakeReason({ code: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', message: '' }), 'the other end refused the handshake: unknown ca')
  t.is(handshakeReason({ code: 'ERR_SSL_OTHER', message: '' }), 'TLS handshake failed: ERR_SSL_OTHER')
  t.is(handshakeReason({ message: 'odd' }), 'TLS handshake failed: odd')
  t.is(dialReason('tcp nowhere:1', { code: 'ENOTFOUND', message: '' }), 'dial tcp nowhere:1: no such host')
  t.deepEqual(failureOf('text'), { message: 'text' })
  t.is(peerSerial('A0B'), '0a:0b')
})
