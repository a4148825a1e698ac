import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { createSigner } from '../../net/signer.ts'
import type { KeyType } from '../../src/kernel/ports.ts'
import { asking, granted } from '../kit/asking.ts'
import { lifetime, newLeaf, newRoot, TRUST_DOMAIN, uriOf } from '../kit/authority.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'

const run = promisify(execFile)
const ask = asking(createSigner())

const KINDS: [KeyType, number][] = [
  ['ec', 224],
  ['ec', 256],
  ['ec', 384],
  ['ec', 521],
  ['rsa', 2048],
]

for (const [type, bits] of KINDS) {
  test(`OpenSSL accepts a leaf of a root with a ${type} key of ${bits} bits`, async (t) => {
    const root = await newRoot(ask, type, bits)
    const leaf = await newLeaf(ask, root, 'web')
    const files = await saved(t, { 'root.pem': root.certPem, 'leaf.pem': leaf.certPem })
    for (const purpose of ['sslclient', 'sslserver']) {
      const { stdout } = await openssl('verify', '-x509_strict', '-purpose', purpose, '-CAfile', files('root.pem'), files('leaf.pem'))
      t.regex(stdout, /leaf\.pem: OK/)
    }
    t.regex((await openssl('verify', '-x509_strict', '-CAfile', files('root.pem'), files('root.pem'))).stdout, /root\.pem: OK/)
  })

  test(`OpenSSL accepts a request and a leaf with a ${type} key of ${bits} bits`, async (t) => {
    const root = await newRoot(ask)
    const names = { commonName: 'web', uri: uriOf('web') }
    const { csrPem = '', keyPem = '' } = granted(await ask({ do: 'key', type, bits, request: names }))
    const issued = granted(await ask({ do: 'leaf', csrPem, by: root, ...names, serial: 1, ...lifetime(1) }))
    const files = await saved(t, { 'web.csr': csrPem, 'web.key': keyPem, 'root.pem': root.certPem, 'leaf.pem': issued.certPem ?? '' })
    t.regex((await openssl('req', '-verify', '-noout', '-in', files('web.csr'))).stderr, /verify OK/)
    await openssl('pkey', '-check', '-noout', '-in', files('web.key'))
    t.regex((await openssl('verify', '-x509_strict', '-CAfile', files('root.pem'), files('leaf.pem'))).stdout, /OK/)
  })
}

test('a root has the fields of Consul 1.10', async (t) => {
  const root = await newRoot(ask)
  const text = await textOf(t, root.certPem)
  t.regex(text, /Version: 3 \(0x2\)\s+Serial Number: 7 \(0x7\)\s+Signature Algorithm: ecdsa-with-SHA256/)
  const keyId = /Subject Key Identifier: \n\s+([0-9A-F:]{95})\n/.exec(text)?.[1]
  t.truthy(keyId)
  t.is(
    extensionsOf(text),
    [
      'X509v3 Key Usage: critical',
      'Digital Signature, Certificate Sign, CRL Sign',
      'X509v3 Basic Constraints: critical',
      'CA:TRUE',
      'X509v3 Subject Key Identifier: ',
      keyId,
      'X509v3 Authority Key Identifier: ',
      keyId,
      'X509v3 Subject Alternative Name: ',
      `URI:spiffe://${TRUST_DOMAIN}`,
    ].join('\n'),
  )
})

test('a leaf has the fields of Consul 1.10', async (t) => {
  const root = await newRoot(ask)
  const leaf = await newLeaf(ask, root, 'web')
  const rootFacts = granted(await ask({ do: 'read-certificate', certPem: root.certPem }))
  const facts = granted(await ask({ do: 'read-certificate', certPem: leaf.certPem }))
  t.is(
    extensionsOf(await textOf(t, leaf.certPem)),
    [
      'X509v3 Key Usage: critical',
      'Digital Signature, Key Encipherment, Data Encipherment, Key Agreement',
      'X509v3 Extended Key Usage: ',
      'TLS Web Client Authentication, TLS Web Server Authentication',
      'X509v3 Basic Constraints: critical',
      'CA:FALSE',
      'X509v3 Subject Key Identifier: ',
      facts.keyId?.toUpperCase(),
      'X509v3 Authority Key Identifier: ',
      rootFacts.keyId?.toUpperCase(),
      'X509v3 Subject Alternative Name: ',
      `URI:${uriOf('web')}`,
    ].join('\n'),
  )
})

test('the facts of a certificate are those that OpenSSL sees', async (t) => {
  const leaf = await newLeaf(ask, await newRoot(ask), 'web')
  const facts = granted(await ask({ do: 'read-certificate', certPem: leaf.certPem }))
  const files = await saved(t, { 'leaf.pem': leaf.certPem })
  const shown = await openssl('x509', '-in', files('leaf.pem'), '-noout', '-fingerprint', '-sha1', '-serial', '-enddate', '-subject')
  t.regex(shown.stdout, new RegExp(`Fingerprint=${facts.id?.toUpperCase()}\n`))
  t.regex(shown.stdout, /serial=0F1A\n/)
  t.is(facts.serial, '0f:1a')
  t.is(Date.parse(/notAfter=(.*)\n/.exec(shown.stdout)?.[1] ?? ''), facts.notAfterMs ?? 0)
  t.regex(shown.stdout, /subject=CN = web\.svc\.default\.11111111\.consul\n/)
})

test('the subject key identifier is the SHA-256 of the public key', async (t) => {
  const leaf = await newLeaf(ask, await newRoot(ask), 'web')
  const files = await saved(t, { 'web.key': leaf.keyPem })
  await openssl('pkey', '-in', files('web.key'), '-pubout', '-outform', 'DER', '-out', files('web.der'))
  const { stdout } = await openssl('dgst', '-sha256', '-c', files('web.der'))
  const facts = granted(await ask({ do: 'read-certificate', certPem: leaf.certPem }))
  t.is(stdout.trim().split('= ')[1], facts.keyId)
})

test('who trusts only the old root accepts a leaf of the new one through the cross-signed certificate', async (t) => {
  const old = await newRoot(ask, 'ec', 256, 7)
  for (const fresh of [await newRoot(ask, 'ec', 384, 8), await newRoot(ask, 'rsa', 2048, 8)]) {
    const leaf = await newLeaf(ask, fresh, 'web')
    const crossed = granted(await ask({ do: 'cross-sign', certPem: fresh.certPem, by: old, serial: 9, ...lifetime(7) }))
    const files = await saved(t, { 'old.pem': old.certPem, 'crossed.pem': crossed.certPem ?? '', 'leaf.pem': leaf.certPem })
    const trusted = ['verify', '-x509_strict', '-CAfile', files('old.pem')]
    t.regex((await openssl(...trusted, '-untrusted', files('crossed.pem'), files('leaf.pem'))).stdout, /leaf\.pem: OK/)
    await t.throwsAsync(openssl(...trusted, files('leaf.pem')), { message: /unable to get local issuer certificate/ })
    t.is(await nameOf(files('crossed.pem'), '-issuer'), (await nameOf(files('old.pem'), '-subject')).replace('subject', 'issuer'))
  }
})

test('a CA that OpenSSL made can sign, also with a key in PKCS #8', async (t) => {
  const files = await saved(t, {})
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', files('ca.key')]
  const constraints = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign', '-addext', 'subjectAltName=URI:spiffe://t.consul']
  await openssl(
    'req',
    '-x509',
    ...key,
    ...constraints,
    '-subj',
    '/C=AT/O=Ein Bäcker/CN=own',
    '-utf8',
    '-days',
    '30',
    '-out',
    files('ca.pem'),
  )
  const by = { certPem: await read(files('ca.pem')), keyPem: await read(files('ca.key')) }
  t.regex(by.keyPem, /BEGIN PRIVATE KEY/)
  const leaf = await newLeaf(ask, by, 'web')
  await writeFile(files('leaf.pem'), leaf.certPem)
  t.regex((await openssl('verify', '-x509_strict', '-CAfile', files('ca.pem'), files('leaf.pem'))).stdout, /OK/)
  t.like(granted(await ask({ do: 'read-certificate', certPem: by.certPem })), {
    commonName: 'own',
    uris: ['spiffe://t.consul'],
    isCa: true,
  })
})

test('requests that OpenSSL made are read, with each digest', async (t) => {
  const files = await saved(t, {})
  for (const digest of ['sha256', 'sha384', 'sha512']) {
    for (const key of [['rsa:2048'], ['ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1']]) {
      const names = ['-subj', '/O=x/CN=web', '-addext', `subjectAltName=DNS:web,URI:${uriOf('web')}`]
      await openssl('req', '-new', `-${digest}`, '-newkey', ...key, '-nodes', '-keyout', files('k'), ...names, '-out', files('csr'))
      const facts = granted(await ask({ do: 'read-request', csrPem: await read(files('csr')) }))
      t.like(facts, { commonName: 'web', uris: [uriOf('web')] })
    }
  }
})

for (const [name, options, why] of [
  ['without a URI', ['-newkey', 'rsa:2048', '-addext', 'subjectAltName=DNS:web'], 'csrPem: has no URI among its alternative names'],
  [
    'with a weak key',
    ['-newkey', 'rsa:1024', ...uriOption()],
    'csrPem: public key: RSA keys must have 2048 to 8192 bits, this one has 1024',
  ],
  [
    'with a weak digest',
    ['-sha1', '-newkey', 'rsa:2048', ...uriOption()],
    /^csrPem: signature algorithm .* is not supported for rsa keys$/,
  ],
  ['with an Ed25519 key', ['-newkey', 'ed25519', ...uriOption()], /^csrPem: public key: keys of the kind 1\.3\.101\.112 are not supported/],
  [
    'with a short key on a curve',
    ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime192v1', ...uriOption()],
    /keys on the curve prime192v1 are not supported/,
  ],
  [
    'on another curve',
    ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1', ...uriOption()],
    /keys on the curve secp256k1 are not supported/,
  ],
] as const) {
  test(`a request ${name} is refused with the reason`, async (t) => {
    const files = await saved(t, {})
    await openssl('req', '-new', ...options, '-nodes', '-keyout', files('k'), '-subj', '/CN=web', '-out', files('csr'))
    const outcome = await ask({ do: 'read-request', csrPem: await read(files('csr')) })
    const refusal = t.like(outcome, { refused: 'invalid' }) && 'why' in outcome ? outcome.why : ''
    t.true(typeof why === 'string' ? refusal === why : why.test(refusal), refusal)
  })
}

test('years from 2050 are written in four digits', async (t) => {
  const { keyPem = '' } = granted(await ask({ do: 'key', type: 'ec', bits: 256 }))
  const times = { notBeforeMs: Date.UTC(2049, 11, 31, 23, 59, 59), notAfterMs: Date.UTC(2050, 0, 1) }
  const { certPem = '' } = granted(await ask({ do: 'root', keyPem, commonName: 'ca', uri: 'spiffe://t.consul', serial: 128, ...times }))
  const files = await saved(t, { 'ca.pem': certPem })
  const { stdout } = await openssl('asn1parse', '-in', files('ca.pem'))
  t.regex(stdout, /UTCTIME\s+:491231235959Z/)
  t.regex(stdout, /GENERALIZEDTIME\s+:20500101000000Z/)
  t.regex(stdout, /INTEGER\s+:80\n/)
})

function openssl(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return run('openssl', args)
}

async function saved(t: ExecutionContext, texts: Record<string, string>): Promise<(name: string) => string> {
  const folder = temporaryDirectory(t)
  await Promise.all(Object.entries(texts).map(([name, text]) => writeFile(join(folder, name), text)))
  return (name) => join(folder, name)
}

async function textOf(t: ExecutionContext, certPem: string): Promise<string> {
  const files = await saved(t, { 'certificate.pem': certPem })
  return (await openssl('x509', '-in', files('certificate.pem'), '-noout', '-text')).stdout
}

function extensionsOf(text: string): string {
  const [, rest = ''] = text.split('X509v3 extensions:\n')
  const [lines = ''] = rest.split('    Signature Algorithm')
  return lines.replace(/^ +/gm, '').trimEnd()
}

async function nameOf(file: string, which: string): Promise<string> {
  return (await openssl('x509', '-in', file, '-noout', which)).stdout
}

function read(file: string): Promise<string> {
  return readFile(file, 'utf8')
}

function uriOption(): string[] {
  return ['-addext', `subjectAltName=URI:${uriOf('web')}`]
}
