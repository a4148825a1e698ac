import { keySizeFault, namesFault, numbersFault } from '../../actors/certificate-rules.ts'
import { colonHex, serialText } from '../../actors/spiffe.ts'
import type { CertificateAuthority, Device, KeyType, Random, SignerOutcome, SignerRequest } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { readSimPem, simDigest, simPem, withSeal } from './sim-pem.ts'

export type SimSignerOptions = {
  /** Where keys are drawn from. */
  random: Random
  /** Calls `work` once, when the next answer is ready. Default: at once. */
  soon?(work: () => void): void
  /** While it says so, everything is refused with `busy`. */
  isBusy?(): boolean
}

/**
 * The signer without cryptography: keys are drawn from `random`, and PEM bodies are the facts themselves. It checks what the
 * real one checks, so a wrong key, a certificate that is no CA and changed bytes are refused.
 */
export function createSimSigner({ random, soon = atOnce, isBusy = never }: SimSignerOptions): Device<SignerRequest, SignerOutcome> {
  return {
    perform(request, done) {
      const outcome = isBusy() ? BUSY : answer(request, random)
      soon(() => done(outcome))
    },
  }
}

/** The facts of a simulated certificate, as `read-certificate` gives them. */
export function readSimCertificate(certPem: string): Result<SignerOutcome> {
  const certificate = readCertificate(certPem, 'certPem')
  if (isRefused(certificate)) return certificate
  const { issuer, serial, commonName, uris, isCa, keyType, keyBits, keyId, authorityKeyId, notBeforeMs, notAfterMs } = certificate
  return {
    id: colonHex(simDigest(certPem.trim(), ID_BYTES)),
    serial: serialText(serial),
    commonName,
    uris,
    isCa,
    isSelfSigned: issuer === commonName && authorityKeyId === keyId,
    keyType,
    keyBits,
    keyId,
    authorityKeyId,
    notBeforeMs,
    notAfterMs,
  }
}

/** The key identifier of a simulated private key. */
export function readSimKey(keyPem: string): Result<string> {
  const own = readKey(keyPem, 'keyPem')
  return isRefused(own) ? own : own.keyId
}

type Asked<Do extends SignerRequest['do']> = Extract<SignerRequest, { do: Do }>
type PublicFacts = { keyType: KeyType; keyBits: number; keyId: string }
type KeyFacts = PublicFacts & { secret: string }
type RequestFacts = PublicFacts & { commonName: string; uris: string[] }
type CertificateFacts = PublicFacts & {
  serial: number
  commonName: string
  issuer: string
  uris: string[]
  isCa: boolean
  authorityKeyId: string
  notBeforeMs: number
  notAfterMs: number
}

const BUSY = refuse('busy', 'no keys and no signatures: simulated')
const ID_BYTES = 20
const KEY_ID_BYTES = 32
const KEY_LABELS: Readonly<Record<KeyType, string>> = { ec: 'EC PRIVATE KEY', rsa: 'RSA PRIVATE KEY' }

function atOnce(work: () => void): void {
  work()
}

function never(): boolean {
  return false
}

function answer(request: SignerRequest, random: Random): Result<SignerOutcome> {
  switch (request.do) {
    case 'key':
      return key(request, random)
    case 'root':
      return root(request)
    case 'cross-sign':
      return crossSign(request)
    case 'read-request':
      return readRequest(request.csrPem)
    case 'leaf':
      return leaf(request)
    case 'read-certificate':
      return readSimCertificate(request.certPem)
    case 'read-authority': {
      const authority = readAuthority(request.by)
      return isRefused(authority) ? authority : readSimCertificate(request.by.certPem)
    }
  }
}

function key({ type, bits, request }: Asked<'key'>, random: Random): Result<SignerOutcome> {
  const fault = request && namesFault(request)
  if (fault !== undefined) return refuse('invalid', `request.${fault}`)
  const sizeFault = keySizeFault(type, bits)
  if (sizeFault !== undefined) return refuse('invalid', sizeFault)
  const secret = random.uuid()
  const facts: PublicFacts = { keyType: type, keyBits: bits, keyId: colonHex(simDigest(secret, KEY_ID_BYTES)) }
  const outcome: SignerOutcome = { ...facts, keyPem: simPem(KEY_LABELS[type], withSeal({ ...facts, secret })) }
  if (!request) return outcome
  const asked: RequestFacts = { ...facts, commonName: request.commonName, uris: [request.uri] }
  return { ...outcome, csrPem: simPem('CERTIFICATE REQUEST', withSeal(asked)) }
}

function root(request: Asked<'root'>): Result<SignerOutcome> {
  const fault = namesFault(request) ?? numbersFault(request)
  if (fault !== undefined) return refuse('invalid', fault)
  const own = readKey(request.keyPem, 'keyPem')
  if (isRefused(own)) return own
  const { commonName, uri } = request
  return certificatePem({
    ...publicOf(own),
    commonName,
    issuer: commonName,
    uris: [uri],
    isCa: true,
    authorityKeyId: own.keyId,
    ...numbers(request),
  })
}

function crossSign(request: Asked<'cross-sign'>): Result<SignerOutcome> {
  const by = readAuthority(request.by)
  if (isRefused(by)) return by
  const fault = numbersFault(request)
  if (fault !== undefined) return refuse('invalid', fault)
  const certificate = readCertificate(request.certPem, 'certPem')
  if (isRefused(certificate)) return certificate
  if (!certificate.isCa) return refuse('invalid', 'certPem: not a CA certificate')
  return certificatePem({ ...certificate, issuer: by.commonName, authorityKeyId: by.keyId, ...numbers(request) })
}

function leaf(request: Asked<'leaf'>): Result<SignerOutcome> {
  const by = readAuthority(request.by)
  if (isRefused(by)) return by
  const fault = namesFault(request) ?? numbersFault(request)
  if (fault !== undefined) return refuse('invalid', fault)
  const asked = readRequest(request.csrPem)
  if (isRefused(asked)) return asked
  const { commonName, uri } = request
  const issued = { issuer: by.commonName, authorityKeyId: by.keyId, ...numbers(request) }
  return certificatePem({ ...publicOf(asked), commonName, uris: [uri], isCa: false, ...issued })
}

function readRequest(csrPem: string): Result<RequestFacts> {
  return readSimPem(csrPem, 'CERTIFICATE REQUEST', 'csrPem') as Result<RequestFacts>
}

function readCertificate(certPem: string, what: string): Result<CertificateFacts> {
  return readSimPem(certPem, 'CERTIFICATE', what) as Result<CertificateFacts>
}

function readKey(keyPem: string, what: string): Result<KeyFacts> {
  const label = keyPem.includes(KEY_LABELS.rsa) ? KEY_LABELS.rsa : KEY_LABELS.ec
  return readSimPem(keyPem, label, what) as Result<KeyFacts>
}

function readAuthority({ certPem, keyPem }: CertificateAuthority): Result<CertificateFacts> {
  const certificate = readCertificate(certPem, 'by.certPem')
  if (isRefused(certificate)) return certificate
  const own = readKey(keyPem, 'by.keyPem')
  if (isRefused(own)) return own
  if (own.keyId !== certificate.keyId) return refuse('invalid', 'by.keyPem: not the key of by.certPem')
  return certificate.isCa ? certificate : refuse('invalid', 'by.certPem: not a CA certificate')
}

function publicOf({ keyType, keyBits, keyId }: PublicFacts): PublicFacts {
  return { keyType, keyBits, keyId }
}

/** Times in whole seconds, which is all that a certificate can hold. */
function numbers({ serial, notBeforeMs, notAfterMs }: { serial: number; notBeforeMs: number; notAfterMs: number }) {
  return { serial, notBeforeMs: wholeSeconds(notBeforeMs), notAfterMs: wholeSeconds(notAfterMs) }
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1_000) * 1_000
}

function certificatePem(facts: CertificateFacts): Result<SignerOutcome> {
  return { certPem: simPem('CERTIFICATE', withSeal(facts)) }
}
