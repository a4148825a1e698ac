import test from 'ava'
import { createAuthorities } from '../../net/authorities/index.ts'
import { createSigner } from '../../net/signer.ts'
import { createSimAuthority } from '../../sim/ports/authority.ts'
import { createSimSigner } from '../../sim/ports/signer.ts'
import type { AuthorityConfig, AuthorityState, PreparedAuthority } from '../../src/kernel/ports.ts'
import { asking, granted, refused } from '../kit/asking.ts'
import { seeded } from '../kit/try-actor.ts'

const NOW_MS = Date.UTC(2026, 10, 23)
const HOUR_MS = 3_600_000
const CLUSTER = '11111111-2222-4333-8444-555555555555'
const URI = `spiffe://${CLUSTER}.consul/ns/default/dc/dc1/svc/web`
const LIFETIME = { notBeforeMs: NOW_MS - HOUR_MS, notAfterMs: NOW_MS + HOUR_MS }

for (const [arm, signer, authorities] of [
  ['real', createSigner(), createAuthorities],
  ['simulated', createSimSigner({ random: seeded(1) }), createSimAuthority],
] as const) {
  const ask = asking(authorities(signer))
  const askSigner = asking(signer)

  const authorityOf = (config: Record<string, unknown> = {}): AuthorityConfig => ({
    provider: 'consul',
    config,
    trustDomain: `${CLUSTER}.consul`,
    clusterId: CLUSTER,
    datacenter: 'dc1',
  })
  const preparation = (config: Record<string, unknown> = {}, state: AuthorityState = {}, rehearse = false) =>
    ask({ do: 'prepare', authority: authorityOf(config), state, serial: 7, unique: 'abcdefgh-1', nowMs: NOW_MS, rehearse })
  const prepare = async (
    config: Record<string, unknown> = {},
    state: AuthorityState = {},
    rehearse = false,
  ): Promise<PreparedAuthority> => {
    const { prepared } = granted(await preparation(config, state, rehearse))
    if (!prepared) throw new Error('nothing was prepared')
    return prepared
  }
  const csr = async () =>
    granted(await askSigner({ do: 'key', type: 'ec', bits: 256, request: { commonName: 'web', uri: URI } })).csrPem ?? ''

  test(`${arm}: a root is made once, and found again by its state`, async (t) => {
    const made = await prepare()
    t.like(made, { serial: '07', keyType: 'ec', keyBits: 256, crossSigns: true, name: 'Consul CA Primary Cert', intermediatesPem: [] })
    t.is(made.commonName, 'pri-abcdefgh.consul.ca.11111111.consul')
    t.is(made.trustDomain, `${CLUSTER}.consul`)
    t.deepEqual(await prepare({}, made.state), made)
    t.not((await prepare()).rootId, made.rootId)
  })

  test(`${arm}: a rehearsal makes nothing, but reads what is given`, async (t) => {
    t.like(await prepare({ PrivateKeyBits: 384 }, {}, true), { rootPem: '', rootId: '', keyBits: 384, state: {} })
    const { state, rootId } = await prepare()
    t.is((await prepare({ PrivateKey: state['keyPem'], RootCert: state['certPem'] }, {}, true)).rootId, rootId)
  })

  test(`${arm}: it signs leaves with the serial number that was asked for`, async (t) => {
    const { state, signingKeyId } = await prepare()
    const request = { authority: authorityOf(), state, csrPem: await csr(), commonName: 'web', uri: URI, serial: 0x1234, ...LIFETIME }
    const { certPem = '', chainPem, serial } = granted(await ask({ do: 'sign', ...request }))
    t.deepEqual([serial, chainPem], ['12:34', []])
    t.like(granted(await askSigner({ do: 'read-certificate', certPem })), {
      serial: '12:34',
      authorityKeyId: signingKeyId,
      uris: [URI],
      isCa: false,
    })
    t.is(refused(await ask({ do: 'sign', ...request, state: {} })).refused, 'invalid')
  })

  test(`${arm}: it signs the key of another root, unless it must not`, async (t) => {
    const [old, next] = [await prepare(), await prepare({ PrivateKeyBits: 384 })]
    const request = { state: old.state, certPem: next.rootPem, serial: 9, ...LIFETIME }
    const { certPem = '' } = granted(await ask({ do: 'cross-sign', authority: authorityOf(), ...request }))
    const facts = granted(await askSigner({ do: 'read-certificate', certPem }))
    t.like(facts, { authorityKeyId: old.signingKeyId, keyId: next.signingKeyId, isCa: true, isSelfSigned: false })
    t.is(refused(await ask({ do: 'cross-sign', authority: authorityOf({ DisableCrossSigning: true }), ...request })).refused, 'invalid')
    t.false((await prepare({ DisableCrossSigning: true })).crossSigns)
  })

  test(`${arm}: a key and a root that do not fit are named, and so are unknown kinds of keys`, async (t) => {
    const [one, other] = [await prepare(), await prepare()]
    const why = async (config: Record<string, unknown>) => refused(await preparation(config)).why
    t.is(await why({ PrivateKey: one.state['keyPem'], RootCert: other.rootPem }), 'PrivateKey: not the key of RootCert')
    t.is(await why({ RootCert: other.rootPem }), 'RootCert: cannot be given without its PrivateKey')
    t.is(await why({ PrivateKeyType: 'dsa' }), "private key type must be either 'ec' or 'rsa'")
    t.is(await why({ PrivateKeyBits: 1 }), 'EC key length must be one of (224, 256, 384, 521) bits')
    t.regex(await why({ PrivateKey: 'x', RootCert: one.rootPem }), /^PrivateKey: /)
  })

  test(`${arm}: a given root of another trust domain is refused, but founds a cluster`, async (t) => {
    const { keyPem = '' } = granted(await askSigner({ do: 'key', type: 'ec', bits: 256 }))
    const names = { commonName: 'other', uri: 'spiffe://99999999-2222-4333-8444-555555555555.consul' }
    const { certPem = '' } = granted(await askSigner({ do: 'root', keyPem, ...names, serial: 1, ...LIFETIME }))
    const config = { PrivateKey: keyPem, RootCert: certPem }
    t.regex(refused(await preparation(config)).why, /^RootCert: belongs to the trust domain 99999999-/)
    const request = { authority: authorityOf(config), state: {}, serial: 1, unique: 'u', nowMs: NOW_MS, rehearse: false, founds: true }
    const { prepared } = granted(await ask({ do: 'prepare', ...request }))
    t.is(prepared?.trustDomain, '99999999-2222-4333-8444-555555555555.consul')
  })

  test(`${arm}: it has nothing that must be looked after or removed`, async (t) => {
    const { state } = await prepare()
    t.deepEqual(granted(await ask({ do: 'check', authority: authorityOf(), state, nowMs: NOW_MS })), {})
    t.deepEqual(granted(await ask({ do: 'retire', authority: authorityOf(), state, staying: [] })), {})
  })
}
