import test, { type ExecutionContext } from 'ava'
import { createAwsAuthority } from '../../../net/authorities/aws-pca.ts'
import { loadAwsSdk } from '../../../net/authorities/aws-pca-client.ts'
import { createSigner } from '../../../net/signer.ts'
import type { AuthorityConfig, AuthorityState, PreparedAuthority } from '../../../src/kernel/ports.ts'
import type { Result } from '../../../src/kernel/refusal.ts'
import { asking, granted, refused } from '../../kit/asking.ts'
import { lifetime, newRoot, TRUST_DOMAIN, uriOf } from '../../kit/authority.ts'
import { type AwsDouble, startAws } from '../../kit/aws-pca.ts'
import { issued, newKey } from '../../kit/issue.ts'

const DAY_MS = 86_400_000
const signer = createSigner()
const askSigner = asking(signer)

/** The SDK looks into the process's environment, so tests that change it run one after the other. */
async function awsFor(t: ExecutionContext) {
  const aws = await startAws()
  t.teardown(aws.close)
  environment(t, { ...aws.environment, AWS_MAX_ATTEMPTS: undefined, AWS_EC2_METADATA_DISABLED: 'true' })
  return tryAws(aws)
}

function environment(t: ExecutionContext, wanted: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(wanted)) {
    const before = process.env[name]
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
    t.teardown(() => {
      if (before === undefined) delete process.env[name]
      else process.env[name] = before
    })
  }
}

function tryAws(aws: AwsDouble) {
  const ask = asking(createAwsAuthority(signer, loadAwsSdk, { makeMsMax: 2_000, signMsMax: 1_000 }))
  type Preparing = { state?: AuthorityState; rehearse?: boolean; founds?: boolean }
  const prepare = async (config: Record<string, unknown> = {}, options: Preparing = {}): Promise<Result<PreparedAuthority>> => {
    const { state = {}, rehearse = false, founds = false } = options
    const request = { authority: authorityOf(config), state, serial: 1, unique: 'abcdefgh', nowMs: Date.now(), rehearse, founds }
    const outcome = await ask({ do: 'prepare', ...request })
    return 'refused' in outcome ? outcome : (outcome.prepared ?? { refused: 'missing', why: 'nothing was prepared' })
  }
  const sign = async (state: AuthorityState, config: Record<string, unknown> = {}, uri = uriOf('web'), times = lifetime(3)) => {
    const names = { commonName: 'web', uri: uriOf('web') }
    const { csrPem = '' } = granted(await askSigner({ do: 'key', type: 'ec', bits: 256, request: names }))
    return ask({ do: 'sign', authority: authorityOf(config), state, csrPem, commonName: 'web', uri, serial: 5, ...times })
  }
  const check = (state: AuthorityState, config: Record<string, unknown> = {}) =>
    ask({ do: 'check', authority: authorityOf(config), state, nowMs: Date.now() })
  const retire = (
    state: AuthorityState,
    config: Record<string, unknown>,
    staying: { authority: AuthorityConfig; state: AuthorityState }[] = [],
  ) => ask({ do: 'retire', authority: authorityOf(config), state, staying })
  return { aws, ask, prepare, sign, check, retire }
}

function authorityOf(config: Record<string, unknown>): AuthorityConfig {
  return { provider: 'aws-pca', config, trustDomain: TRUST_DOMAIN, clusterId: TRUST_DOMAIN.replace('.consul', ''), datacenter: 'dc1' }
}

async function factsOf(certPem: string) {
  return granted(await askSigner({ do: 'read-certificate', certPem }))
}

for (const [config, kind, algorithm] of [
  [{}, 'ec-256', 'EC_prime256v1'],
  [{ PrivateKeyBits: 384 }, 'ec-384', 'EC_secp384r1'],
  [{ PrivateKeyType: 'rsa', PrivateKeyBits: 2048 }, 'rsa-2048', 'RSA_2048'],
] as const) {
  test.serial(`a root with ${kind} is made once, and signs leaves`, async (t) => {
    const { aws, prepare, sign } = await awsFor(t)
    const made = granted(await prepare(config))
    t.is(`${made.keyType}-${made.keyBits}`, kind)
    t.like(made, { name: 'AWS PCA CA Primary Cert', crossSigns: false, intermediatesPem: [] })
    const [authority] = [...aws.authorities.values()]
    t.like(authority, { keyAlgorithm: algorithm, commonName: 'pri-abcdefgh.aws.ca.11111111.consul', status: 'ACTIVE', type: 'ROOT' })
    t.deepEqual(authority?.tags, { consul_cluster_id: TRUST_DOMAIN.replace('.consul', ''), consul_datacenter: 'dc1' })
    t.true(made.notAfterMs > Date.now() + 3_600 * DAY_MS)
    t.deepEqual(granted(await prepare(config, { state: made.state })), made)
    t.is(aws.authorities.size, 1)

    const times = lifetime(3)
    const leaf = granted(await sign(made.state, config, uriOf('web'), times))
    const facts = await factsOf(leaf.certPem ?? '')
    t.like(facts, { uris: [uriOf('web')], isCa: false, authorityKeyId: made.signingKeyId })
    t.like(leaf, { chainPem: [], serial: facts.serial ?? '', notAfterMs: facts.notAfterMs ?? 0 })
    t.is(facts.notAfterMs, Math.floor(times.notAfterMs / 1_000) * 1_000)
  })
}

test.serial('a CA that is there is used, also one below another', async (t) => {
  const { aws, prepare, sign, check, retire } = await awsFor(t)
  const root = await aws.bring()
  const own = granted(await prepare({ ExistingARN: root.arn }))
  t.deepEqual([own.rootPem, own.intermediatesPem], [root.issuer?.certPem ?? '', []])

  const key = await newKey('ec', 384)
  const subject = { commonName: 'House', uris: [], spki: key.publicKey.spki, isCa: true, ...lifetime(4_000) }
  const house = { certPem: issued(subject, { key }), key, chain: [] }
  const below = await aws.bring({ above: house })
  const config = { ExistingARN: below.arn, DeleteOnExit: true }
  const made = granted(await prepare(config))
  t.is(made.rootPem, house.certPem)
  t.deepEqual(made.intermediatesPem, [below.issuer?.certPem ?? ''])
  t.like(made, { keyBits: 384, signsUntilMs: (await factsOf(below.issuer?.certPem ?? '')).notAfterMs ?? 0 })
  t.deepEqual(granted(await sign(made.state, config)).chainPem, made.intermediatesPem)

  t.is(granted(await check(made.state, config)).prepared, undefined)
  const renewedPem = issued({ ...subject, commonName: 'renewed', spki: below.key.publicKey.spki, ...lifetime(2_000) }, { issuer: house })
  Object.assign(below, { issuer: { certPem: renewedPem, key: below.key, chain: [house.certPem] } })
  t.deepEqual(granted(await check(made.state, config)).prepared?.intermediatesPem, [renewedPem])
  t.deepEqual(granted(await retire(made.state, config)), {})
  t.is(below.status, 'ACTIVE', 'what was there before stays')
})

test.serial('a rehearsal makes nothing, but finds credentials that do not do', async (t) => {
  const { aws, prepare } = await awsFor(t)
  t.like(granted(await prepare({ PrivateKeyBits: 384 }, { rehearse: true })), { rootPem: '', keyBits: 384, crossSigns: false, state: {} })
  t.is(aws.authorities.size, 0)
  const existing = await aws.bring()
  t.is(granted(await prepare({ ExistingARN: existing.arn }, { rehearse: true })).rootPem, existing.issuer?.certPem ?? '')
  aws.trouble.denied = ['ListCertificateAuthorities']
  t.deepEqual(refused(await prepare({}, { rehearse: true })), {
    refused: 'forbidden',
    why: 'AWS Private CA: User: mesh is not authorized to perform: acm-pca:ListCertificateAuthorities',
  })
})

test.serial('what is wrong is named', async (t) => {
  const { aws, prepare, sign, check } = await awsFor(t)
  const why = async (config: Record<string, unknown>) => refused(await prepare(config)).why
  t.is(
    await why({ ExistingARN: 'arn:aws:s3:::bucket' }),
    'ExistingARN: must be the ARN of a certificate authority of AWS Private CA, got "arn:aws:s3:::bucket"',
  )
  t.is(await why({ ExistingARN: 5 }), 'ExistingARN: must be a text, got 5')
  t.is(await why({ DeleteOnExit: 'yes' }), 'DeleteOnExit: must be true or false, got "yes"')
  t.is(await why({ PrivateKeyBits: 521 }), 'PrivateKeyBits: AWS Private CA has no ec keys of 521 bits')
  t.deepEqual(aws.asked, [])
  const nowhere = 'arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority/11111111-2222-3333-4444-555555555555'
  t.is(await why({ ExistingARN: nowhere }), `ExistingARN: Could not find Certificate Authority ${nowhere}`)
  const pending = await aws.bring({ active: false })
  t.is(await why({ ExistingARN: pending.arn }), `ExistingARN: the status of ${pending.arn} is PENDING_CERTIFICATE, it must be ACTIVE`)
  const { state } = granted(await prepare())
  t.is(
    refused(await sign(state, {}, uriOf('db'))).why,
    `the provider's certificate names ${uriOf('web')}, it must name ${uriOf('db')} alone`,
  )
  const made = aws.authorities.get(state['arn'] ?? '')
  Object.assign(made ?? {}, { status: 'DISABLED' })
  t.is(refused(await check(state)).why, `AWS Private CA: the status of ${state['arn']} is DISABLED, it must be ACTIVE`)
  t.is(refused(await sign(state)).why, 'AWS Private CA did not sign the leaf: The CA is DISABLED')
  Object.assign(made ?? {}, { status: 'ACTIVE', issuer: (await aws.bring()).issuer })
  t.is(refused(await check(state)).why, `AWS Private CA: ${state['arn']} leads to another root than the cluster's; configure it again`)
})

test.serial('it signs no other roots', async (t) => {
  const { ask, prepare } = await awsFor(t)
  const { state } = granted(await prepare())
  const { certPem } = await newRoot(askSigner)
  t.deepEqual(await ask({ do: 'cross-sign', authority: authorityOf({}), state, certPem, serial: 2, ...lifetime(7) }), {
    refused: 'invalid',
    why: 'AWS Private CA does not sign other roots',
  })
})

test.serial('credentials, the region and what the credentials may do', async (t) => {
  const { aws, prepare } = await awsFor(t)
  environment(t, { AWS_ACCESS_KEY_ID: 'AKIAOTHER' })
  t.deepEqual(refused(await tryAws(aws).prepare({}, { rehearse: true })), {
    refused: 'forbidden',
    why: 'AWS Private CA: AWS credentials (environment, files or role): The security token included in the request is invalid.',
  })
  environment(t, { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, HOME: '/nowhere' })
  const { refused: code, why } = refused(await tryAws(aws).prepare({}, { rehearse: true }))
  t.is(code, 'forbidden')
  t.regex(why, /^AWS Private CA: AWS credentials \(environment, files or role\): Could not load credentials/)
  environment(t, { ...aws.environment, AWS_REGION: undefined })
  const missing = refused(await tryAws(aws).prepare({}, { rehearse: true }))
  t.is(missing.refused, 'invalid')
  t.regex(missing.why, /AWS_REGION is not set/)
  environment(t, aws.environment)
  aws.trouble.denied = ['CreateCertificateAuthority']
  t.deepEqual(refused(await prepare()), {
    refused: 'forbidden',
    why: 'a root could not be made in AWS Private CA: User: mesh is not authorized to perform: acm-pca:CreateCertificateAuthority',
  })
})

test.serial('a root that was not finished is finished by the next try, and not made twice', async (t) => {
  const { aws, prepare } = await awsFor(t)
  for (const action of [
    'GetCertificateAuthorityCsr',
    'IssueCertificate',
    'ImportCertificateAuthorityCertificate',
    'DescribeCertificateAuthority',
  ]) {
    aws.trouble.denied = [action]
    t.is(refused(await prepare()).refused, 'forbidden')
  }
  aws.trouble.denied = []
  granted(await prepare())
  t.is(aws.authorities.size, 1)
})

test.serial('AWS that is slow or throttles is asked again; one that never answers is said to be late', async (t) => {
  const { aws, prepare, sign } = await awsFor(t)
  aws.trouble.waits = 4
  const { state } = granted(await prepare())
  Object.assign(aws.trouble, { error: 'ThrottlingException', errors: 2 })
  granted(await sign(state))
  Object.assign(aws.trouble, { error: 'ThrottlingException', errors: 99 })
  t.deepEqual(refused(await sign(state)), { refused: 'busy', why: 'AWS Private CA did not sign the leaf: told to say so' })
  Object.assign(aws.trouble, { errors: 0, waits: 9_999 })
  t.deepEqual(refused(await sign(state)), {
    refused: 'late',
    why: 'AWS Private CA did not sign the leaf: AWS was not done within 1000 ms',
  })
})

test.serial('DeleteOnExit deletes the CA that was made, once nobody needs it', async (t) => {
  const { aws, prepare, retire } = await awsFor(t)
  const config = { DeleteOnExit: true }
  const { state } = granted(await prepare(config))
  const made = aws.authorities.get(state['arn'] ?? '')
  t.deepEqual(granted(await retire(state, {})), {})
  t.deepEqual(granted(await retire(state, config, [{ authority: authorityOf({}), state }])), {})
  t.is(made?.status, 'ACTIVE')
  aws.trouble.denied = ['DeleteCertificateAuthority']
  t.is(
    granted(await retire(state, config)).warning,
    `DeleteOnExit: ${state['arn']} could not be deleted and goes on costing: DeleteOnExit: User: mesh is not authorized to perform: acm-pca:DeleteCertificateAuthority`,
  )
  aws.trouble.denied = []
  t.deepEqual(granted(await retire(state, config)), {})
  t.is(made?.status, 'DELETED')
  t.deepEqual(granted(await retire(state, config)), {})
  aws.authorities.clear()
  t.deepEqual(granted(await retire(state, config)), {})
})

test('without the SDK it is said what to install', async (t) => {
  const absent = async () => {
    throw Object.assign(new Error("Cannot find package '@aws-sdk/client-acm-pca'"), { code: 'ERR_MODULE_NOT_FOUND' })
  }
  const ask = asking(createAwsAuthority(signer, absent))
  const request = { authority: authorityOf({}), state: {}, serial: 1, unique: 'u', nowMs: Date.now(), rehearse: false }
  t.deepEqual(await ask({ do: 'prepare', ...request }), {
    refused: 'invalid',
    why: 'the provider aws-pca needs a package that is not installed: npm install @aws-sdk/client-acm-pca',
  })
  t.is(typeof (await loadAwsSdk()).ACMPCAClient, 'function')
})
