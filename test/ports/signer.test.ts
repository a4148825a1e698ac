import test from 'ava'
import { createSigner } from '../../net/signer.ts'
import { createSimSigner } from '../../sim/ports/signer.ts'
import type { CertificateAuthority, KeyType, Random, SignerRequest } from '../../src/kernel/ports.ts'
import { asking, granted, refused } from '../kit/asking.ts'

const NOW_MS = 1_700_000_000_000
const DAY_MS = 86_400_000
const WEB = { commonName: 'web.svc.default.11111111.consul', uri: 'spiffe://11111111.consul/ns/default/dc/dc1/svc/web' }
const ROOT = { commonName: 'pri-1.consul.ca.11111111.consul', uri: 'spiffe://11111111.consul' }

for (const [arm, create] of [
  ['real', createSigner],
  ['simulated', () => createSimSigner({ random: counting() })],
] as const) {
  const ask = asking(create())

  async function authority(serial = 7): Promise<CertificateAuthority> {
    const { keyPem = '' } = granted(await ask({ do: 'key', type: 'ec', bits: 256 }))
    const { certPem = '' } = granted(await ask({ do: 'root', keyPem, ...ROOT, ...lifetime(serial) }))
    return { certPem, keyPem }
  }

  async function csr(): Promise<string> {
    return granted(await ask({ do: 'key', type: 'ec', bits: 256, request: WEB })).csrPem ?? ''
  }

  for (const [type, bits, label] of [
    ['ec', 224, 'EC PRIVATE KEY'],
    ['ec', 256, 'EC PRIVATE KEY'],
    ['ec', 384, 'EC PRIVATE KEY'],
    ['ec', 521, 'EC PRIVATE KEY'],
    ['rsa', 2048, 'RSA PRIVATE KEY'],
  ] as const) {
    test(`${arm}: a request is made with a new ${type} key of ${bits} bits and read back`, async (t) => {
      const made = granted(await ask({ do: 'key', type, bits, request: WEB }))
      t.true(made.keyPem?.startsWith(`-----BEGIN ${label}-----\n`))
      t.true(made.csrPem?.startsWith('-----BEGIN CERTIFICATE REQUEST-----\n'))
      const read = granted(await ask({ do: 'read-request', csrPem: made.csrPem ?? '' }))
      t.like(read, { commonName: WEB.commonName, uris: [WEB.uri], keyType: type, keyBits: bits })
    })
  }

  test(`${arm}: no request is made unless one is wanted, and no key comes twice`, async (t) => {
    const one = granted(await ask({ do: 'key', type: 'ec', bits: 256 }))
    const other = granted(await ask({ do: 'key', type: 'ec', bits: 256 }))
    t.is(one.csrPem, undefined)
    t.not(one.keyPem, other.keyPem)
  })

  test(`${arm}: a root names itself as its issuer`, async (t) => {
    const { certPem } = await authority()
    const facts = granted(await ask({ do: 'read-certificate', certPem }))
    t.like(facts, { commonName: ROOT.commonName, uris: [ROOT.uri], isCa: true, serial: '07', keyType: 'ec', keyBits: 256 })
    t.like(facts, { notBeforeMs: NOW_MS, notAfterMs: NOW_MS + DAY_MS, authorityKeyId: facts.keyId ?? '' })
    t.regex(facts.id ?? '', /^[0-9a-f]{2}(:[0-9a-f]{2}){19}$/)
    t.regex(facts.keyId ?? '', /^[0-9a-f]{2}(:[0-9a-f]{2}){31}$/)
  })

  test(`${arm}: a leaf has what was decided, not what its request asked for`, async (t) => {
    const by = await authority()
    const decided = { commonName: 'db.svc', uri: 'spiffe://11111111.consul/ns/default/dc/dc1/svc/db' }
    const csrPem = await csr()
    const { certPem = '' } = granted(await ask({ do: 'leaf', csrPem, by, ...decided, ...lifetime(3_866) }))
    const root = granted(await ask({ do: 'read-certificate', certPem: by.certPem }))
    const facts = granted(await ask({ do: 'read-certificate', certPem }))
    t.like(facts, { commonName: 'db.svc', uris: [decided.uri], isCa: false, serial: '0f:1a', authorityKeyId: root.keyId ?? '' })
    t.not(facts.keyId, root.keyId)
  })

  test(`${arm}: times are kept in whole seconds, before and after 2050`, async (t) => {
    const by = await authority()
    const late = { serial: 1, notBeforeMs: Date.UTC(2049, 11, 31, 23, 59, 59) + 999, notAfterMs: Date.UTC(2050, 0, 1) }
    const { certPem = '' } = granted(await ask({ do: 'leaf', csrPem: await csr(), by, ...WEB, ...late }))
    const facts = granted(await ask({ do: 'read-certificate', certPem }))
    t.like(facts, { notBeforeMs: Date.UTC(2049, 11, 31, 23, 59, 59), notAfterMs: Date.UTC(2050, 0, 1) })
  })

  test(`${arm}: cross-signing keeps subject and key and changes the issuer`, async (t) => {
    const old = await authority(7)
    const fresh = await authority(8)
    const { certPem = '' } = granted(await ask({ do: 'cross-sign', certPem: fresh.certPem, by: old, ...lifetime(9) }))
    const [before, after, issuer] = await Promise.all(
      [fresh.certPem, certPem, old.certPem].map(async (pem) => granted(await ask({ do: 'read-certificate', certPem: pem }))),
    )
    t.like(after, { commonName: ROOT.commonName, uris: [ROOT.uri], isCa: true, serial: '09', keyId: before?.keyId ?? '' })
    t.is(after?.authorityKeyId, issuer?.keyId)
    t.not(after?.id, before?.id)
  })

  const broken: [name: string, change: (by: CertificateAuthority, csrPem: string) => Partial<LeafRequest>, why: RegExp][] = [
    ['a serial number of zero', () => ({ serial: 0 }), /^serial: must be a whole number from 1 to/],
    ['a serial number with a fraction', () => ({ serial: 1.5 }), /^serial: /],
    ['an end before the beginning', () => ({ notAfterMs: NOW_MS }), /^notAfterMs: must be after notBeforeMs/],
    ['a time that is none', () => ({ notBeforeMs: Number.NaN }), /^notBeforeMs: must be between the years 1950 and 9999/],
    ['an empty common name', () => ({ commonName: '' }), /^commonName: must have 1 to 64 characters, has 0/],
    ['a common name that is too long', () => ({ commonName: 'x'.repeat(65) }), /^commonName: must have 1 to 64 characters, has 65/],
    ['a URI with a space', () => ({ uri: 'spiffe://a b' }), /^uri: must be printable ASCII/],
    ['a request that is none', () => ({ csrPem: 'hello' }), /^csrPem: no PEM-encoded data found/],
    [
      'a certificate as request',
      (by) => ({ csrPem: by.certPem }),
      /^csrPem: first PEM block should be CERTIFICATE REQUEST, found "CERTIFICATE"/,
    ],
    ['a request that was cut', (_by, csrPem) => ({ csrPem: csrPem.slice(0, 90) }), /^csrPem: /],
    ['a CA without its certificate', (by) => ({ by: { ...by, certPem: '' } }), /^by\.certPem: no PEM-encoded data found/],
    ['a CA without its key', (by) => ({ by: { ...by, keyPem: '' } }), /^by\.keyPem: /],
  ]
  for (const [name, change, why] of broken) {
    test(`${arm}: ${name} is refused`, async (t) => {
      const by = await authority()
      const csrPem = await csr()
      const no = refused(await ask({ do: 'leaf', csrPem, by, ...WEB, ...lifetime(1), ...change(by, csrPem) }))
      t.is(no.refused, 'invalid')
      t.regex(no.why, why)
    })
  }

  test(`${arm}: the key of another CA and a leaf as CA are refused`, async (t) => {
    const by = await authority()
    const other = await authority()
    const mixed = { certPem: by.certPem, keyPem: other.keyPem }
    const csrPem = await csr()
    t.deepEqual(await ask({ do: 'leaf', csrPem, by: mixed, ...WEB, ...lifetime(1) }), {
      refused: 'invalid',
      why: 'by.keyPem: not the key of by.certPem',
    })
    const own = granted(await ask({ do: 'key', type: 'ec', bits: 256, request: WEB }))
    const issued = granted(await ask({ do: 'leaf', csrPem: own.csrPem ?? '', by, ...WEB, ...lifetime(1) }))
    const asAuthority = { certPem: issued.certPem ?? '', keyPem: own.keyPem ?? '' }
    t.deepEqual(await ask({ do: 'leaf', csrPem, by: asAuthority, ...WEB, ...lifetime(1) }), {
      refused: 'invalid',
      why: 'by.certPem: not a CA certificate',
    })
    t.deepEqual(await ask({ do: 'cross-sign', certPem: asAuthority.certPem, by, ...lifetime(1) }), {
      refused: 'invalid',
      why: 'certPem: not a CA certificate',
    })
  })

  test(`${arm}: keys of other kinds and sizes are refused`, async (t) => {
    const ofKind = (type: string, bits: number) => ask({ do: 'key', type: type as KeyType, bits })
    t.deepEqual(await ofKind('ec', 255), { refused: 'invalid', why: 'bits: EC key length must be one of (224, 256, 384, 521) bits' })
    t.deepEqual(await ofKind('rsa', 1024), { refused: 'invalid', why: 'bits: RSA key length must be 2048 or 4096 bits' })
    t.deepEqual(await ofKind('dsa', 2048), { refused: 'invalid', why: "type: private key type must be either 'ec' or 'rsa'" })
  })

  test(`${arm}: a text that is no certificate is refused`, async (t) => {
    t.deepEqual(await ask({ do: 'read-certificate', certPem: 'x' }), { refused: 'invalid', why: 'certPem: no PEM-encoded data found' })
    t.regex(
      refused(await ask({ do: 'read-certificate', certPem: await csr() })).why,
      /^certPem: first PEM block should be CERTIFICATE, found/,
    )
  })
}

type LeafRequest = Extract<SignerRequest, { do: 'leaf' }>

function lifetime(serial: number): { serial: number; notBeforeMs: number; notAfterMs: number } {
  return { serial, notBeforeMs: NOW_MS, notAfterMs: NOW_MS + DAY_MS }
}

function counting(): Random {
  let count = 0
  return {
    next: () => 0.5,
    int: (from) => from,
    uuid: () => `00000000-0000-4000-8000-${String((count += 1)).padStart(12, '0')}`,
  }
}
