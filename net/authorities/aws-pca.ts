import { createHash } from 'node:crypto'
import type {
  CertificateAuthority,
  CreateCertificateAuthorityCommandInput,
  IssueCertificateCommandInput,
  KeyAlgorithm,
  SigningAlgorithm,
} from '@aws-sdk/client-acm-pca'
import { authorityCommonName } from '../../actors/spiffe.ts'
import { keyKind, preparedOf, textIn } from '../../src/authorities/built-in.ts'
import { type RootRules, rootFault } from '../../src/authorities/root-rules.ts'
import type {
  AuthorityOutcome,
  AuthorityRequest,
  Device,
  KeyType,
  PreparedAuthority,
  SignerOutcome,
  SignerRequest,
} from '../../src/kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { type Aws, asked, isInProgress, type LoadAwsSdk, loadAwsSdk, openAws, polled } from './aws-pca-client.ts'
import {
  type Ask,
  type Authorities,
  askingSigner,
  certificatesOf,
  checkedLeaf,
  endMs,
  isChain,
  isSelfSigned,
  whenDone,
} from './certificates.ts'

/** How long AWS may take to make a root, and to sign a leaf: whoever waits for one does so for ten seconds. */
export type AwsLimits = { makeMsMax: number; signMsMax: number }
const AWS_LIMITS: AwsLimits = { makeMsMax: 45_000, signMsMax: 8_000 }

/**
 * A CA of AWS Private CA: the one that `ExistingARN` names, which may be below another, or a root that is made. It signs leaves
 * itself and no other roots. State: `arn`; `algorithm`, with which it signs; `made` (`yes`, or '' for one
 * that was there); `rootPem`; `chainPem`, what leads from a leaf to it.
 */
export function createAwsAuthority(
  signer: Device<SignerRequest, SignerOutcome>,
  load: LoadAwsSdk = loadAwsSdk,
  limits = AWS_LIMITS,
): Authorities {
  const ask = askingSigner(signer)
  const open = openAws(load)
  const unfinished = new Map<string, string>()
  const answer = async (request: AuthorityRequest): Promise<Result<AuthorityOutcome>> => {
    if (request.do === 'cross-sign') return refuse('invalid', 'AWS Private CA does not sign other roots')
    const config = readAwsConfig(request.authority.config)
    if (isRefused(config)) return config
    const aws = await open()
    if (isRefused(aws)) return aws
    const reach: Reach = { aws, config, ask, unfinished, limits }
    switch (request.do) {
      case 'prepare':
        return prepare(request, reach)
      case 'sign':
        return sign(request, reach)
      case 'check':
        return check(request, reach)
      case 'retire':
        return retire(request, reach)
    }
  }
  return { perform: (request, done) => whenDone(answer(request), done) }
}

type Asked<Do extends AuthorityRequest['do']> = Extract<AuthorityRequest, { do: Do }>
/** `unfinished`: CAs that were made here and that no state knows of yet, so that a second try does not pay for a second one. */
type Reach = { aws: Aws; config: AwsConfig; ask: Ask; unfinished: Map<string, string>; limits: AwsLimits }
type AwsConfig = { existingArn: string; deleteOnExit: boolean; key: { type: KeyType; bits: number }; algorithm: KeyAlgorithm }

const ROOT_NAME = 'AWS PCA CA Primary Cert'
const ROOT_DAYS = 3_650
/** The least that AWS allows: until then, a deleted CA can be had back. */
const DELETED_AFTER_DAYS = 7
const ARN = /^arn:[a-z0-9-]+:acm-pca:[a-z0-9-]+:\d{12}:certificate-authority\/[A-Za-z0-9-]+$/
const KEY_ALGORITHMS: Readonly<Record<string, KeyAlgorithm>> = {
  'ec-256': 'EC_prime256v1',
  'ec-384': 'EC_secp384r1',
  'rsa-2048': 'RSA_2048',
  'rsa-4096': 'RSA_4096',
}
const SIGNING_ALGORITHMS: Readonly<Record<KeyAlgorithm, SigningAlgorithm>> = {
  EC_prime256v1: 'SHA256WITHECDSA',
  EC_secp384r1: 'SHA384WITHECDSA',
  RSA_2048: 'SHA256WITHRSA',
  RSA_4096: 'SHA256WITHRSA',
}

function readAwsConfig(config: Record<string, unknown>): Result<AwsConfig> {
  const existingArn = textIn(config, 'ExistingARN')
  if (isRefused(existingArn)) return existingArn
  if (existingArn !== '' && !ARN.test(existingArn)) {
    return refuse(
      'invalid',
      `ExistingARN: must be the ARN of a certificate authority of AWS Private CA, got ${JSON.stringify(existingArn)}`,
    )
  }
  const deleteOnExit = config['DeleteOnExit'] ?? false
  if (typeof deleteOnExit !== 'boolean')
    return refuse('invalid', `DeleteOnExit: must be true or false, got ${JSON.stringify(deleteOnExit)}`)
  const key = keyKind(config)
  if (isRefused(key)) return key
  const algorithm = KEY_ALGORITHMS[`${key.type}-${key.bits}`]
  if (algorithm === undefined) return refuse('invalid', `PrivateKeyBits: AWS Private CA has no ${key.type} keys of ${key.bits} bits`)
  return { existingArn, deleteOnExit, key, algorithm }
}

async function prepare(request: Asked<'prepare'>, reach: Reach): Promise<Result<AuthorityOutcome>> {
  const { authority, state, nowMs, rehearse, founds } = request
  const { config, unfinished } = reach
  const place = JSON.stringify([authority.datacenter, config.algorithm])
  const known = config.existingArn || state['arn'] || unfinished.get(place)
  if (known === undefined || known === '') {
    if (rehearse) return rehearsed(request, reach)
    const arn = await create(request, reach)
    if (isRefused(arn)) return arn
    unfinished.set(place, arn)
  }
  const arn = known || unfinished.get(place) || ''
  const made = config.existingArn === ''
  const algorithm = await activated(arn, { made, rehearse }, reach)
  if (isRefused(algorithm)) return algorithm
  const prepared = await preparedAt(
    { arn, algorithm, made: made ? 'yes' : '' },
    { nowMs, trustDomain: founds ? undefined : authority.trustDomain },
    reach,
  )
  if (isRefused(prepared)) return prepared
  unfinished.delete(place)
  return { prepared }
}

/** Nothing is made; but whoever may not even look will not be let do more. */
async function rehearsed({ nowMs }: Asked<'prepare'>, { aws, config }: Reach): Promise<Result<AuthorityOutcome>> {
  const { sdk, client } = aws
  const listed = await asked('AWS Private CA', (options) =>
    client.send(new sdk.ListCertificateAuthoritiesCommand({ MaxResults: 1 }), options),
  )
  if (isRefused(listed)) return listed
  const facts = { keyType: config.key.type, keyBits: config.key.bits, notBeforeMs: nowMs, notAfterMs: nowMs + ROOT_DAYS * 86_400_000 }
  return { prepared: preparedOf(facts, '', { state: {}, crossSigns: false, name: ROOT_NAME }) }
}

async function create({ authority, unique }: Asked<'prepare'>, { aws, config }: Reach): Promise<Result<string>> {
  const { sdk, client } = aws
  const { trustDomain, clusterId, datacenter } = authority
  const input: CreateCertificateAuthorityCommandInput = {
    CertificateAuthorityType: 'ROOT',
    CertificateAuthorityConfiguration: {
      KeyAlgorithm: config.algorithm,
      SigningAlgorithm: SIGNING_ALGORITHMS[config.algorithm],
      Subject: { CommonName: authorityCommonName({ unique, trustDomain, provider: 'aws' }) },
    },
    RevocationConfiguration: { CrlConfiguration: { Enabled: false } },
    IdempotencyToken: tokenOf(clusterId, unique),
    Tags: [
      { Key: 'consul_cluster_id', Value: clusterId },
      { Key: 'consul_datacenter', Value: datacenter },
    ],
  }
  const answer = await asked('a root could not be made in AWS Private CA', (options) =>
    client.send(new sdk.CreateCertificateAuthorityCommand(input), options),
  )
  return isRefused(answer) ? answer : (answer.CertificateAuthorityArn ?? '')
}

/** Waits until a CA can sign, and answers with which algorithm. One that was made here is given its certificate, which it signs itself. */
async function activated(arn: string, { made, rehearse }: { made: boolean; rehearse: boolean }, reach: Reach): Promise<Result<string>> {
  const about = aboutOf(reach.config)
  let isInstalled = false
  return polled({ about, withinMs: reach.limits.makeMsMax }, async () => {
    const authority = await describe(arn, reach)
    if (isRefused(authority)) return authority
    const { Status: status } = authority
    if (status === 'ACTIVE') return authority.CertificateAuthorityConfiguration?.SigningAlgorithm ?? ''
    if (status === 'CREATING' && made) return undefined
    if (status !== 'PENDING_CERTIFICATE' || !made || rehearse) {
      return refuse('invalid', `${about}: the status of ${arn} is ${status}, it must be ACTIVE`)
    }
    if (isInstalled) return undefined
    const installed = await install(arn, reach)
    if (isRefused(installed)) return isInProgress(installed) ? undefined : installed
    isInstalled = true
    return undefined
  })
}

async function install(arn: string, { aws, config, limits }: Reach): Promise<Result<null>> {
  const { sdk, client } = aws
  const about = 'a root could not be made in AWS Private CA'
  const request = await asked(about, (options) =>
    client.send(new sdk.GetCertificateAuthorityCsrCommand({ CertificateAuthorityArn: arn }), options),
  )
  if (isRefused(request)) return request
  const csrPem = request.Csr ?? ''
  const issued = await issue(
    {
      CertificateAuthorityArn: arn,
      Csr: Buffer.from(csrPem),
      SigningAlgorithm: SIGNING_ALGORITHMS[config.algorithm],
      TemplateArn: template(arn, 'RootCACertificate'),
      Validity: { Type: 'DAYS', Value: ROOT_DAYS },
      IdempotencyToken: tokenOf(arn, csrPem),
    },
    { about, withinMs: limits.makeMsMax },
    aws,
  )
  if (isRefused(issued)) return issued
  const input = { CertificateAuthorityArn: arn, Certificate: Buffer.from(issued.certificate) }
  const imported = await asked(about, (options) => client.send(new sdk.ImportCertificateAuthorityCertificateCommand(input), options))
  return isRefused(imported) ? imported : null
}

/** AWS issues certificates by and by. */
async function issue(
  input: IssueCertificateCommandInput,
  { about, withinMs }: { about: string; withinMs: number },
  { sdk, client }: Aws,
): Promise<Result<{ certificate: string; chain: string }>> {
  const issued = await asked(about, (options) => client.send(new sdk.IssueCertificateCommand(input), options))
  if (isRefused(issued)) return issued
  const named = { CertificateAuthorityArn: input.CertificateAuthorityArn, CertificateArn: issued.CertificateArn }
  return polled({ about, withinMs }, async () => {
    const answer = await asked(about, (options) => client.send(new sdk.GetCertificateCommand(named), options))
    if (isRefused(answer)) return isInProgress(answer) ? undefined : answer
    return { certificate: answer.Certificate ?? '', chain: answer.CertificateChain ?? '' }
  })
}

/** A CA that can sign, as it is now. */
async function preparedAt(
  state: { arn: string; algorithm: string; made: string },
  rules: RootRules,
  { aws, config, ask }: Reach,
): Promise<Result<PreparedAuthority>> {
  const { sdk, client } = aws
  const { arn } = state
  const about = aboutOf(config)
  const input = { CertificateAuthorityArn: arn }
  const answer = await asked(about, (options) => client.send(new sdk.GetCertificateAuthorityCertificateCommand(input), options))
  if (isRefused(answer)) return answer
  const chain = certificatesOf(`${answer.Certificate ?? ''}\n${answer.CertificateChain ?? ''}`, about)
  if (isRefused(chain)) return chain
  const rootPem = chain.at(-1) ?? ''
  if (rootPem === '' || !isChain(chain) || !isSelfSigned(rootPem)) {
    return refuse('invalid', `${about}: the certificates of ${arn} do not lead to a root`)
  }
  const signing = await ask({ do: 'read-certificate', certPem: chain[0] ?? '' })
  if (isRefused(signing)) return refuse('invalid', `${about}: the certificate of ${arn} cannot be used: ${signing.why}`)
  const facts = await ask({ do: 'read-certificate', certPem: rootPem })
  if (isRefused(facts)) return refuse('invalid', `${about}: the root of ${arn} cannot be used: ${facts.why}`)
  const fault = rootFault(facts, rules)
  if (fault !== undefined) return refuse('invalid', `${about}: the root of ${arn}: ${fault}`)
  const intermediatesPem = chain.slice(0, -1)
  const prepared = preparedOf(facts, rootPem, {
    state: { ...state, rootPem, chainPem: intermediatesPem.join('') },
    crossSigns: false,
    name: ROOT_NAME,
  })
  const ends = intermediatesPem.length > 0 && { signsUntilMs: Math.min(...intermediatesPem.map(endMs)) }
  return { ...prepared, signingKeyId: signing.keyId ?? '', intermediatesPem, ...ends }
}

async function sign(
  { state, csrPem, uri, serial, notAfterMs }: Asked<'sign'>,
  { aws, ask, limits }: Reach,
): Promise<Result<AuthorityOutcome>> {
  const arn = state['arn'] ?? ''
  const about = 'AWS Private CA did not sign the leaf'
  const issued = await issue(
    {
      CertificateAuthorityArn: arn,
      Csr: Buffer.from(csrPem),
      SigningAlgorithm: state['algorithm'] as SigningAlgorithm,
      TemplateArn: template(arn, 'EndEntityCertificate'),
      Validity: { Type: 'ABSOLUTE', Value: Math.floor(notAfterMs / 1_000) },
      IdempotencyToken: tokenOf(String(serial), csrPem),
    },
    { about, withinMs: limits.signMsMax },
    aws,
  )
  if (isRefused(issued)) return issued
  const certs = certificatesOf(issued.certificate, about)
  if (isRefused(certs)) return certs
  const [certPem = ''] = certs
  const facts = await checkedLeaf(certPem, { uri }, ask)
  if (isRefused(facts)) return facts
  const chain = certificatesOf(issued.chain, about)
  if (isRefused(chain)) return chain
  const chainPem = chain.filter((pem) => !isSelfSigned(pem))
  return { certPem, chainPem, serial: facts.serial ?? '', notBeforeMs: facts.notBeforeMs ?? 0, notAfterMs: facts.notAfterMs ?? 0 }
}

/** Whether the CA can still sign, and with which certificates: an operator may have given one that was there another one. */
async function check({ authority, state, nowMs }: Asked<'check'>, reach: Reach): Promise<Result<AuthorityOutcome>> {
  const { arn = '', algorithm = '', made = '', rootPem, chainPem } = state
  const found = await describe(arn, reach)
  if (isRefused(found)) return found
  if (found.Status !== 'ACTIVE')
    return refuse('invalid', `${aboutOf(reach.config)}: the status of ${arn} is ${found.Status}, it must be ACTIVE`)
  const prepared = await preparedAt({ arn, algorithm, made }, { nowMs, trustDomain: authority.trustDomain }, reach)
  if (isRefused(prepared)) return prepared
  if (prepared.rootPem !== rootPem)
    return refuse('invalid', `${aboutOf(reach.config)}: ${arn} leads to another root than the cluster's; configure it again`)
  const isKnown = prepared.intermediatesPem.join('') === chainPem
  return { ...(!isKnown && { prepared }), facts: { arn, notAfterMs: prepared.signsUntilMs ?? prepared.notAfterMs } }
}

/** With `DeleteOnExit`, a CA that was made here is disabled, and deleted a week later. */
async function retire({ state, staying }: Asked<'retire'>, reach: Reach): Promise<Result<AuthorityOutcome>> {
  const { arn = '', made } = state
  const isUsed = staying.some((other) => other.authority.provider === 'aws-pca' && other.state['arn'] === arn)
  const { config, aws } = reach
  if (made !== 'yes' || !config.deleteOnExit || isUsed) return {}
  const { sdk, client } = aws
  const found = await describe(arn, reach)
  if (isRefused(found)) return found.refused === 'invalid' ? {} : notDeleted(arn, found)
  if (found.Status === 'DELETED') return {}
  const input = { CertificateAuthorityArn: arn }
  if (found.Status === 'ACTIVE') {
    const disabling = new sdk.UpdateCertificateAuthorityCommand({ ...input, Status: 'DISABLED' })
    const disabled = await asked(DELETING, (options) => client.send(disabling, options))
    if (isRefused(disabled)) return notDeleted(arn, disabled)
  }
  const deleting = new sdk.DeleteCertificateAuthorityCommand({ ...input, PermanentDeletionTimeInDays: DELETED_AFTER_DAYS })
  const deleted = await asked(DELETING, (options) => client.send(deleting, options))
  return isRefused(deleted) ? notDeleted(arn, deleted) : {}
}

const DELETING = 'DeleteOnExit'

/** What no second try can change is for people. */
function notDeleted(arn: string, refusal: Refusal): Result<AuthorityOutcome> {
  const { refused, why } = refusal
  return refused === 'busy' || refused === 'late'
    ? refusal
    : { warning: `DeleteOnExit: ${arn} could not be deleted and goes on costing: ${why}` }
}

async function describe(arn: string, { aws, config }: Reach): Promise<Result<CertificateAuthority>> {
  const { sdk, client } = aws
  const input = { CertificateAuthorityArn: arn }
  const answer = await asked(aboutOf(config), (options) => client.send(new sdk.DescribeCertificateAuthorityCommand(input), options))
  return isRefused(answer) ? answer : (answer.CertificateAuthority ?? {})
}

function aboutOf({ existingArn }: AwsConfig): string {
  return existingArn === '' ? 'AWS Private CA' : 'ExistingARN'
}

/** Templates are in the partition of the CA (`aws`, `aws-cn`, …). */
function template(arn: string, name: 'RootCACertificate' | 'EndEntityCertificate'): string {
  return `arn:${arn.split(':')[1] ?? 'aws'}:acm-pca:::template/${name}/V1`
}

/** The same for the same question, so that AWS answers a second try with what it made for the first. */
function tokenOf(...parts: string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, TOKEN_LENGTH)
}

const TOKEN_LENGTH = 36
