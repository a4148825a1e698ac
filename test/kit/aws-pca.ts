import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { PrivateKey } from '../../net/pki/keys.ts'
import { makeRequest, readRequest } from '../../net/pki/request.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { certificateIn, type Issuer, isOfKey, issued, newKey } from './issue.ts'

/** A CA as AWS Private CA keeps it. */
export type AwsCa = {
  arn: string
  type: 'ROOT' | 'SUBORDINATE'
  status: 'CREATING' | 'PENDING_CERTIFICATE' | 'ACTIVE' | 'DISABLED' | 'DELETED'
  keyAlgorithm: string
  signingAlgorithm: string
  commonName: string
  key: PrivateKey
  csrPem: string
  tags: Record<string, string>
  issuer: Issuer | undefined
}
export type AwsTrouble = {
  /** So many questions are answered with `in progress` before a certificate is there. */
  waits: number
  /** The next requests are answered with an error of this name. */
  error: string
  errors: number
  /** Actions that the credentials may not use. */
  denied: string[]
  hangs: boolean
}

/**
 * AWS Private CA, as far as a mesh needs it: JSON 1.1 over HTTP with real certificates. It looks for the key's name in the signature, and
 * does not check that. It is written from AWS's documented API; docs/authorities.md says what that proves.
 */
export async function startAws() {
  const authorities = new Map<string, AwsCa>()
  const certificates = new Map<string, { pem: string; asked: number; issuer: string[] }>()
  const tokens = new Map<string, string>()
  const trouble: AwsTrouble = { waits: 1, error: '', errors: 0, denied: [], hangs: false }
  const asked: string[] = []
  const state: State = { authorities, certificates, tokens, trouble }
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await bodyOf(request)
    const action = String(request.headers['x-amz-target']).replace('ACMPrivateCA.', '')
    asked.push(action)
    if (trouble.hangs) return
    if (!String(request.headers.authorization).startsWith(`AWS4-HMAC-SHA256 Credential=${AWS_KEY_ID}/`)) {
      return send(response, failure('UnrecognizedClientException', 'The security token included in the request is invalid.'))
    }
    if (trouble.denied.includes(action)) {
      return send(response, failure('AccessDeniedException', `User: mesh is not authorized to perform: acm-pca:${action}`))
    }
    if (trouble.errors > 0) {
      trouble.errors--
      return send(response, failure(trouble.error, 'told to say so'))
    }
    const act = ACTIONS[action]
    send(response, act ? await act(state, body) : failure('UnknownOperationException', action))
  }
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => send(response, failure('InternalFailure', String(error), 500)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    /** What the SDK is to find in its environment. */
    environment: {
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: AWS_KEY_ID,
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    },
    authorities,
    asked,
    trouble,
    /** A CA that somebody made before, below `above` if that is given. */
    async bring({ above, active = true }: { above?: Issuer; active?: boolean } = {}): Promise<AwsCa> {
      const authority = await newCa({ type: above ? 'SUBORDINATE' : 'ROOT', commonName: 'CA of the house', keyAlgorithm: 'EC_prime256v1' })
      authorities.set(authority.arn, authority)
      const { key } = authority
      const subject = { commonName: 'CA of the house', uris: [], spki: key.publicKey.spki, isCa: true, ...lasting(1_000) }
      const certPem = issued(above ? { ...subject, pathLength: 0 } : subject, above ? { issuer: above } : { key })
      if (active)
        Object.assign(authority, { status: 'ACTIVE', issuer: { certPem, key, chain: above ? [above.certPem, ...above.chain] : [] } })
      else authority.status = 'PENDING_CERTIFICATE'
      return authority
    },
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

export type AwsDouble = Awaited<ReturnType<typeof startAws>>
export const AWS_KEY_ID = 'AKIATEST'

type State = {
  authorities: Map<string, AwsCa>
  certificates: Map<string, { pem: string; asked: number; issuer: string[] }>
  tokens: Map<string, string>
  trouble: AwsTrouble
}
type Body = Record<string, unknown>
type Reply = { status: number; body: Body }
type Action = (state: State, body: Body) => Reply | Promise<Reply>

const DAY_MS = 86_400_000
const TEMPLATE = /^arn:aws:acm-pca:::template\/(RootCACertificate|SubordinateCACertificate_PathLen0|EndEntityCertificate)\/V1$/

const ACTIONS: Readonly<Record<string, Action>> = {
  async CreateCertificateAuthority({ authorities, tokens }, body) {
    const known = tokens.get(String(body['IdempotencyToken']))
    if (known) return done({ CertificateAuthorityArn: known })
    const {
      KeyAlgorithm: keyAlgorithm = '',
      SigningAlgorithm: signingAlgorithm = '',
      Subject = {},
    } = body['CertificateAuthorityConfiguration'] as {
      KeyAlgorithm?: string
      SigningAlgorithm?: string
      Subject?: { CommonName?: string }
    }
    const { CommonName: commonName = '' } = Subject
    if (keyAlgorithm.startsWith('EC') !== signingAlgorithm.endsWith('ECDSA')) {
      return failure('ValidationException', 'The signing algorithm does not fit the key')
    }
    const authority = await newCa({ type: body['CertificateAuthorityType'] as AwsCa['type'], commonName, keyAlgorithm })
    for (const { Key, Value } of (body['Tags'] ?? []) as { Key: string; Value: string }[]) authority.tags[Key] = Value
    authorities.set(authority.arn, { ...authority, signingAlgorithm })
    tokens.set(String(body['IdempotencyToken']), authority.arn)
    return done({ CertificateAuthorityArn: authority.arn })
  },

  DescribeCertificateAuthority: (state, body) =>
    withCa(state, body, (authority) => {
      const { arn, type, status, keyAlgorithm, signingAlgorithm, commonName } = authority
      // By the time that one is looked at again, it was made.
      if (status === 'CREATING') authority.status = 'PENDING_CERTIFICATE'
      const config = { KeyAlgorithm: keyAlgorithm, SigningAlgorithm: signingAlgorithm, Subject: { CommonName: commonName } }
      return done({ CertificateAuthority: { Arn: arn, Type: type, Status: status, CertificateAuthorityConfiguration: config } })
    }),

  GetCertificateAuthorityCsr: (state, body) => withCa(state, body, ({ csrPem }) => done({ Csr: csrPem })),

  IssueCertificate: (state, body) => withCa(state, body, (authority) => issueBy(state, authority, body)),

  GetCertificate({ certificates, trouble }, body) {
    const certificate = certificates.get(String(body['CertificateArn']))
    if (!certificate) return failure('ResourceNotFoundException', 'Could not find the certificate')
    if (certificate.asked++ < trouble.waits) return failure('RequestInProgressException', 'The certificate is not ready')
    return done({ Certificate: certificate.pem.trimEnd(), CertificateChain: certificate.issuer.join('').trimEnd() })
  },

  ImportCertificateAuthorityCertificate: (state, body) =>
    withCa(state, body, (authority) => {
      const pem = Buffer.from(String(body['Certificate']), 'base64').toString()
      if (authority.status !== 'PENDING_CERTIFICATE') return failure('InvalidStateException', `The CA is ${authority.status}`)
      if (!isOfKey(pem, authority.key)) return failure('CertificateMismatchException', 'The certificate is not that of the CA')
      Object.assign(authority, { status: 'ACTIVE', issuer: { certPem: pem, key: authority.key, chain: [] } })
      return done({})
    }),

  GetCertificateAuthorityCertificate: (state, body) =>
    withCa(state, body, ({ issuer }) => {
      if (!issuer) return failure('InvalidStateException', 'The CA has no certificate')
      const chain = issuer.chain.length > 0 ? { CertificateChain: issuer.chain.join('').trimEnd() } : {}
      return done({ Certificate: issuer.certPem.trimEnd(), ...chain })
    }),

  ListCertificateAuthorities: ({ authorities }) => done({ CertificateAuthorities: [...authorities.keys()].map((Arn) => ({ Arn })) }),

  UpdateCertificateAuthority: (state, body) =>
    withCa(state, body, (authority) => {
      authority.status = body['Status'] as AwsCa['status']
      return done({})
    }),

  DeleteCertificateAuthority: (state, body) =>
    withCa(state, body, (authority) => {
      if (authority.status === 'ACTIVE') return failure('InvalidStateException', 'The CA must be disabled first')
      if (Number(body['PermanentDeletionTimeInDays']) < 7) return failure('ValidationException', 'At least 7 days')
      authority.status = 'DELETED'
      return done({})
    }),
}

function issueBy({ certificates, tokens }: State, authority: AwsCa, body: Body): Reply {
  const known = tokens.get(String(body['IdempotencyToken']))
  if (known) return done({ CertificateArn: known })
  const [, template = ''] = TEMPLATE.exec(String(body['TemplateArn'])) ?? []
  if (template === '') return failure('ValidationException', `Unknown template ${body['TemplateArn']}`)
  const csrPem = Buffer.from(String(body['Csr']), 'base64').toString()
  const request = readRequest(csrPem, 'csr')
  if (isRefused(request)) return failure('MalformedCSRException', request.why)
  if (body['SigningAlgorithm'] !== authority.signingAlgorithm)
    return failure('ValidationException', 'The signing algorithm does not fit the CA')
  const notAfterMs = endOf(body['Validity'] as { Type: string; Value: number })
  if (notAfterMs === undefined || notAfterMs <= Date.now()) return failure('ValidationException', 'The validity is not in the future')
  const { issuer, key } = authority
  const isRoot = template === 'RootCACertificate'
  if (isRoot ? csrPem !== authority.csrPem : authority.status !== 'ACTIVE') {
    return failure('InvalidStateException', `The CA is ${authority.status}`)
  }
  if (issuer && notAfterMs > certificateIn(issuer.certPem).notAfterMs)
    return failure('ValidationException', 'The validity ends after that of the CA')
  const { commonName, uris, publicKey } = request
  const subject = {
    commonName,
    uris: isRoot ? [] : uris,
    spki: publicKey.spki,
    isCa: isRoot,
    notBeforeMs: Date.now() - 3_600_000,
    notAfterMs,
  }
  const pem = issued(subject, issuer && !isRoot ? { issuer } : { key })
  const arn = `${authority.arn}/certificate/${randomUUID().replaceAll('-', '')}`
  certificates.set(arn, { pem, asked: 0, issuer: issuer ? [issuer.certPem, ...issuer.chain] : [] })
  tokens.set(String(body['IdempotencyToken']), arn)
  return done({ CertificateArn: arn })
}

function endOf({ Type: type, Value: value }: { Type: string; Value: number }): number | undefined {
  if (type === 'DAYS' && Number.isInteger(value) && value > 0) return Date.now() + value * DAY_MS
  return type === 'ABSOLUTE' && Number.isInteger(value) ? value * 1_000 : undefined
}

async function newCa({ type, commonName, keyAlgorithm }: Pick<AwsCa, 'type' | 'commonName' | 'keyAlgorithm'>): Promise<AwsCa> {
  const bits = { EC_prime256v1: 256, EC_secp384r1: 384, RSA_2048: 2_048, RSA_4096: 4_096 }[keyAlgorithm] ?? 0
  const isEc = keyAlgorithm.startsWith('EC')
  const key = await newKey(isEc ? 'ec' : 'rsa', bits)
  return {
    arn: `arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority/${randomUUID()}`,
    type,
    status: 'CREATING',
    keyAlgorithm,
    signingAlgorithm: isEc ? 'SHA256WITHECDSA' : 'SHA256WITHRSA',
    commonName,
    key,
    csrPem: makeRequest({ commonName, uri: 'urn:none' }, key),
    tags: {},
    issuer: undefined,
  }
}

function withCa({ authorities }: State, body: Body, work: (authority: AwsCa) => Reply): Reply {
  const arn = String(body['CertificateAuthorityArn'])
  const authority = authorities.get(arn)
  return authority ? work(authority) : failure('ResourceNotFoundException', `Could not find Certificate Authority ${arn}`)
}

function lasting(days: number): { notBeforeMs: number; notAfterMs: number } {
  return { notBeforeMs: Date.now() - DAY_MS, notAfterMs: Date.now() + days * DAY_MS }
}

function done(body: Body): Reply {
  return { status: 200, body }
}

function failure(name: string, message: string, status = 400): Reply {
  return { status, body: { __type: name, message } }
}

function send(response: ServerResponse, { status, body }: Reply): void {
  response.writeHead(status, { 'Content-Type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
}

async function bodyOf(request: IncomingMessage): Promise<Body> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return text === '' ? {} : (JSON.parse(text) as Body)
}
