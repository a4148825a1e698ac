import { hash, X509Certificate } from 'node:crypto'
import { type CertificateNumbers, namesFault, numbersFault } from '../actors/certificate-rules.ts'
import { colonHex } from '../actors/spiffe.ts'
import type { Device, SignerOutcome, SignerRequest } from '../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../src/kernel/refusal.ts'
import { type Authority, authorities } from './pki/authority.ts'
import { CERTIFICATE_LABEL, type Certificate, readCertificatePem, signCertificate } from './pki/certificate.ts'
import { encoded, type Part } from './pki/encode.ts'
import {
  AUTHORITY_USAGE,
  alternativeUri,
  authorityKeyId,
  EXTENSION,
  LEAF_USAGE,
  readAuthorityKeyId,
  readIsAuthority,
  readSubjectKeyId,
  readUris,
  sameExtension,
  subjectKeyId,
} from './pki/extensions.ts'
import { attempt, makeKey, privateKeyPem, readPrivateKey, readPublicKey } from './pki/keys.ts'
import { nameOf, readCommonName } from './pki/names.ts'
import { pemOf } from './pki/pem.ts'
import { makeRequest, readRequest, type SigningRequest } from './pki/request.ts'

/** Signs with the keys it is handed and keeps none but a few that were used last. RSA keys are answered later, all else at once. */
export function createSigner(): Device<SignerRequest, SignerOutcome> {
  const authorityOf = authorities()
  const { requestOf, prove } = provenRequests()
  return {
    perform(request, done) {
      switch (request.do) {
        case 'key':
          return key(request, prove, done)
        case 'root':
          return done(root(request))
        case 'cross-sign':
          return done(withAuthority(authorityOf(request.by), (by) => crossSign(request, by)))
        case 'read-request':
          return done(describeRequest(requestOf(request.csrPem)))
        case 'leaf':
          return done(withAuthority(authorityOf(request.by), (by) => leaf(request, by, requestOf)))
        case 'read-certificate':
          return done(readCertificateFacts(request.certPem, 'certPem'))
        case 'read-authority':
          return done(withAuthority(authorityOf(request.by), () => readCertificateFacts(request.by.certPem, 'by.certPem')))
      }
    },
  }
}

type Asked<Do extends SignerRequest['do']> = Extract<SignerRequest, { do: Do }>
type RequestReader = (csrPem: string) => Result<SigningRequest>

/** How many CSRs that were proven are remembered: a CSR is read before it is signed, and proving it again would cost more than signing. */
const PROVEN_MAX = 1_024

/** Requests whose sender has the key: those that were read, and those that were made here with the key at hand. */
function provenRequests(): { requestOf: RequestReader; prove: (csrPem: string, request: SigningRequest) => void } {
  const proven = new Map<string, SigningRequest>()
  const prove = (csrPem: string, request: SigningRequest) => {
    const [oldest] = proven.keys()
    if (oldest !== undefined && proven.size >= PROVEN_MAX) proven.delete(oldest)
    proven.set(csrPem, request)
  }
  const requestOf = (csrPem: string) => {
    const remembered = proven.get(csrPem)
    if (remembered) return remembered
    const request = readRequest(csrPem, 'csrPem')
    if (!isRefused(request)) prove(csrPem, request)
    return request
  }
  return { requestOf, prove }
}

function key(
  { type, bits, request }: Asked<'key'>,
  prove: (csrPem: string, request: SigningRequest) => void,
  done: (outcome: Result<SignerOutcome>) => void,
): void {
  const fault = request && namesFault(request)
  if (fault !== undefined) return done(refuse('invalid', `request.${fault}`))
  makeKey(type, bits, (made) => {
    if (isRefused(made)) return done(made)
    const outcome: SignerOutcome = { keyPem: privateKeyPem(made), keyType: type, keyBits: bits, keyId: colonHex(made.publicKey.keyId) }
    if (!request) return done(outcome)
    const csrPem = makeRequest(request, made)
    prove(csrPem, { publicKey: made.publicKey, commonName: request.commonName, uris: [request.uri] })
    done({ ...outcome, csrPem })
  })
}

function root(request: Asked<'root'>): Result<SignerOutcome> {
  const fault = namesFault(request) ?? numbersFault(request)
  if (fault !== undefined) return refuse('invalid', fault)
  const own = readPrivateKey(request.keyPem, 'keyPem')
  if (isRefused(own)) return own
  const name = nameOf(request.commonName)
  const { spki, keyId } = own.publicKey
  const extensions = [...AUTHORITY_USAGE, subjectKeyId(keyId), authorityKeyId(keyId), alternativeUri(request.uri)]
  return certPem(signCertificate({ ...numbers(request), issuer: name, subject: name, spki: encoded(spki), extensions }, own))
}

/** Subject, key, usage, constraints and names are those of the certificate, byte for byte. */
function crossSign(request: Asked<'cross-sign'>, by: Authority): Result<SignerOutcome> {
  const fault = numbersFault(request)
  if (fault !== undefined) return refuse('invalid', fault)
  const certificate = readCertificatePem(request.certPem, 'certPem')
  if (isRefused(certificate)) return certificate
  const isAuthority = readIsAuthority(certificate.extensions, 'certPem')
  if (isRefused(isAuthority)) return isAuthority
  if (!isAuthority) return refuse('invalid', 'certPem: not a CA certificate')
  const publicKey = readPublicKey(certificate.spki, 'certPem: public key')
  if (isRefused(publicKey)) return publicKey
  const keyId = readSubjectKeyId(certificate.extensions, 'certPem')
  if (isRefused(keyId)) return keyId
  const extensions = [
    ...kept(certificate, [EXTENSION.keyUsage, EXTENSION.basicConstraints]),
    subjectKeyId(keyId ?? publicKey.keyId),
    by.keyId,
    ...kept(certificate, [EXTENSION.alternativeName]),
  ]
  const { subject, spki } = certificate
  const fields = { ...numbers(request), issuer: by.name, subject: encoded(subject.whole), spki: encoded(spki.whole), extensions }
  return certPem(signCertificate(fields, by.key))
}

function leaf(request: Asked<'leaf'>, by: Authority, requestOf: RequestReader): Result<SignerOutcome> {
  const fault = namesFault(request) ?? numbersFault(request)
  if (fault !== undefined) return refuse('invalid', fault)
  const asked = requestOf(request.csrPem)
  if (isRefused(asked)) return asked
  const { spki, keyId } = asked.publicKey
  const extensions = [...LEAF_USAGE, subjectKeyId(keyId), by.keyId, alternativeUri(request.uri)]
  const fields = { ...numbers(request), issuer: by.name, subject: nameOf(request.commonName), spki: encoded(spki), extensions }
  return certPem(signCertificate(fields, by.key))
}

function describeRequest(request: Result<SigningRequest>): Result<SignerOutcome> {
  if (isRefused(request)) return request
  const { publicKey, commonName, uris } = request
  return { commonName, uris: [...uris], keyType: publicKey.type, keyBits: publicKey.bits, keyId: colonHex(publicKey.keyId) }
}

function readCertificateFacts(pem: string, what: string): Result<SignerOutcome> {
  const certificate = readCertificatePem(pem, what)
  if (isRefused(certificate)) return certificate
  const { der, extensions, notBeforeMs, notAfterMs } = certificate
  const known = attempt(() => new X509Certificate(der), `${what}: not a usable certificate`)
  if (isRefused(known)) return known
  const publicKey = readPublicKey(certificate.spki, `${what}: public key`)
  if (isRefused(publicKey)) return publicKey
  const commonName = readCommonName(certificate.subject, `${what}: subject`)
  if (isRefused(commonName)) return commonName
  const uris = readUris(extensions, what)
  if (isRefused(uris)) return uris
  const keyId = readSubjectKeyId(extensions, what)
  if (isRefused(keyId)) return keyId
  const issuerKeyId = readAuthorityKeyId(extensions, what)
  if (isRefused(issuerKeyId)) return issuerKeyId
  return {
    id: colonHex(hash('sha1', der, 'buffer')),
    serial: colonHex(certificate.serial),
    commonName,
    uris,
    isCa: known.ca,
    isSelfSigned: known.checkIssued(known) && known.verify(publicKey.key),
    keyType: publicKey.type,
    keyBits: publicKey.bits,
    keyId: colonHex(keyId ?? []),
    authorityKeyId: colonHex(issuerKeyId ?? []),
    notBeforeMs,
    notAfterMs,
  }
}

function withAuthority(by: Result<Authority>, work: (by: Authority) => Result<SignerOutcome>): Result<SignerOutcome> {
  return isRefused(by) ? by : work(by)
}

function numbers({ serial, notBeforeMs, notAfterMs }: CertificateNumbers): CertificateNumbers {
  return { serial, notBeforeMs, notAfterMs }
}

function kept({ extensions }: Certificate, which: string[]): Part[] {
  return which.flatMap((dotted) => {
    const extension = extensions.get(dotted)
    return extension ? [sameExtension(dotted, extension)] : []
  })
}

function certPem(der: Buffer): SignerOutcome {
  return { certPem: pemOf(CERTIFICATE_LABEL, der) }
}
