import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { createAuthorities } from '../../../net/authorities/index.ts'
import { createSigner } from '../../../net/signer.ts'
import type { AuthorityConfig, CertificateAuthority, PreparedAuthority, SignerRequest } from '../../../src/kernel/ports.ts'
import type { Result } from '../../../src/kernel/refusal.ts'
import { asking, granted, refused } from '../../kit/asking.ts'
import { lifetime, newRoot, TRUST_DOMAIN, uriOf } from '../../kit/authority.ts'
import { temporaryDirectory } from '../../kit/temporary-directory.ts'

const signer = createSigner()
const askSigner = asking(signer)
const ask = asking(createAuthorities(signer))

async function made(request: SignerRequest) {
  return granted(await askSigner(request))
}

/** A CA that another one signed. */
async function below(by: CertificateAuthority, serial = 9): Promise<CertificateAuthority> {
  const own = await newRoot(askSigner, 'ec', 256, serial)
  const { certPem = '' } = await made({ do: 'cross-sign', certPem: own.certPem, by, serial, ...lifetime(5) })
  return { certPem, keyPem: own.keyPem }
}

function files(t: ExecutionContext, texts: { CertFile?: string; KeyFile?: string; RootFile?: string }): Record<string, unknown> {
  const folder = temporaryDirectory(t)
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => {
      const path = join(folder, name)
      writeFileSync(path, text)
      return [name, path]
    }),
  )
}

function authorityOf(config: Record<string, unknown>): AuthorityConfig {
  return { provider: 'external', config, trustDomain: TRUST_DOMAIN, clusterId: TRUST_DOMAIN.replace('.consul', ''), datacenter: 'dc1' }
}

async function prepare(config: Record<string, unknown>, trustDomain = TRUST_DOMAIN): Promise<Result<PreparedAuthority>> {
  const authority = { ...authorityOf(config), trustDomain }
  const outcome = await ask({ do: 'prepare', authority, state: {}, serial: 1, unique: 'u', nowMs: Date.now(), rehearse: false })
  return 'refused' in outcome ? outcome : (outcome.prepared ?? { refused: 'missing', why: 'nothing was prepared' })
}

test('an intermediate signs leaves, which lead over it to the root', async (t) => {
  const root = await newRoot(askSigner)
  const intermediate = await below(root)
  const config = files(t, { CertFile: intermediate.certPem, KeyFile: intermediate.keyPem, RootFile: root.certPem })
  const prepared = granted(await prepare(config))
  const facts = await made({ do: 'read-certificate', certPem: intermediate.certPem })
  t.like(prepared, { rootPem: root.certPem, intermediatesPem: [intermediate.certPem], signingKeyId: facts.keyId ?? '', crossSigns: true })
  t.is(prepared.signsUntilMs, facts.notAfterMs, 'no leaf outlives the intermediate')
  t.like(prepared, { name: 'External CA Primary Cert', trustDomain: TRUST_DOMAIN, keyType: 'ec', keyBits: 256 })

  const { csrPem = '' } = await made({ do: 'key', type: 'ec', bits: 256, request: { commonName: 'web', uri: uriOf('web') } })
  const authority = authorityOf(config)
  const { state } = prepared
  const names = { commonName: 'web', uri: uriOf('web') }
  const leaf = granted(await ask({ do: 'sign', authority, state, csrPem, ...names, serial: 255, ...lifetime(1) }))
  t.like(await made({ do: 'read-certificate', certPem: leaf.certPem ?? '' }), { authorityKeyId: facts.keyId ?? '', uris: [uriOf('web')] })
  t.deepEqual([leaf.serial, leaf.chainPem], ['ff', []])

  const next = await newRoot(askSigner, 'ec', 384)
  const crossed = granted(await ask({ do: 'cross-sign', authority, state, certPem: next.certPem, serial: 8, ...lifetime(7) }))
  t.like(await made({ do: 'read-certificate', certPem: crossed.certPem ?? '' }), { authorityKeyId: facts.keyId ?? '', keyBits: 384 })
  t.deepEqual(crossed.chainPem, [intermediate.certPem])
})

test('a file may hold the whole chain, or a root that signs itself', async (t) => {
  const root = await newRoot(askSigner)
  const upper = await below(root, 10)
  const lower = await below(upper, 11)
  const chain = [lower, upper, root].map(({ certPem }) => certPem).join('')
  t.like(granted(await prepare(files(t, { CertFile: chain, KeyFile: lower.keyPem }))), {
    rootPem: root.certPem,
    intermediatesPem: [lower.certPem, upper.certPem],
  })
  t.like(granted(await prepare(files(t, { CertFile: root.certPem, KeyFile: root.keyPem }))), {
    rootPem: root.certPem,
    intermediatesPem: [],
  })
})

test('what does not fit together is named', async (t) => {
  const root = await newRoot(askSigner)
  const other = await newRoot(askSigner, 'ec', 256, 8)
  const intermediate = await below(root)
  const good = { CertFile: intermediate.certPem, KeyFile: intermediate.keyPem, RootFile: root.certPem }
  const why = async (changes: Partial<typeof good>) => refused(await prepare(files(t, { ...good, ...changes }))).why
  t.is(await why({ KeyFile: other.keyPem }), 'KeyFile: not the key of CertFile')
  t.regex(await why({ KeyFile: 'x' }), /^KeyFile: not a usable private key/)
  t.is(await why({ CertFile: 'x' }), 'CertFile: no PEM certificate in the file')
  t.is(await why({ RootFile: other.certPem }), 'CertFile: certificate 1 of 1: not signed by the certificate after it (the root)')
  t.is(await why({ RootFile: root.certPem + other.certPem }), 'RootFile: must hold one certificate, holds 2')
  t.regex(await why({ RootFile: intermediate.certPem }), /^RootFile: not self-signed/)
  t.is(
    refused(await prepare({ ...files(t, good), KeyFile: '/nowhere' })).why,
    "KeyFile: ENOENT: no such file or directory, stat '/nowhere'",
  )
  t.is(refused(await prepare({ KeyFile: 'x' })).why, 'CertFile: must name a file')
  t.is(refused(await prepare({ CertFile: 5 })).why, 'CertFile: must be a text, got 5')
  t.is(
    refused(await prepare(files(t, good), 'other.consul')).why,
    `CertFile: certificate 1 of 1: belongs to the trust domain ${TRUST_DOMAIN}, this cluster's is other.consul`,
  )
})
