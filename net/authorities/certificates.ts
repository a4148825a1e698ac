import { X509Certificate } from 'node:crypto'
import type { AuthorityOutcome, AuthorityRequest, Device, SignerOutcome, SignerRequest } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { readCertificatePem } from '../pki/certificate.ts'
import { readPathLength } from '../pki/extensions.ts'
import { attempt } from '../pki/keys.ts'
import { pemOf } from '../pki/pem.ts'

export type Authorities = Device<AuthorityRequest, AuthorityOutcome>
/** A signer that is waited for. */
export type Ask = (request: SignerRequest) => Promise<Result<SignerOutcome>>

export function askingSigner(signer: Device<SignerRequest, SignerOutcome>): Ask {
  return (request) => new Promise((resolve) => signer.perform(request, resolve, () => undefined))
}

/** The certificates of a PEM text, each in the one form that equal certificates have here. `what` names the text in the refusal. */
export function certificatesOf(text: string, what: string): Result<string[]> {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  const found: string[] = []
  for (const block of blocks) {
    const der = attempt(() => new X509Certificate(block).raw, `${what}: not a certificate`)
    if (isRefused(der)) return der
    found.push(pemOf('CERTIFICATE', der))
  }
  return found
}

export function isSignedBy(certPem: string, issuerPem: string): boolean {
  const issuer = new X509Certificate(issuerPem)
  const certificate = new X509Certificate(certPem)
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}

export function isSelfSigned(certPem: string): boolean {
  return isSignedBy(certPem, certPem)
}

/** Whether each certificate was signed by the one after it. */
export function isChain(chain: readonly string[]): boolean {
  return chain.every((pem, position) => {
    const issuer = chain[position + 1]
    return issuer === undefined || isSignedBy(pem, issuer)
  })
}

/** How many CAs may follow one on the way to a leaf. */
export function pathLengthOf(certPem: string): number {
  const certificate = readCertificatePem(certPem, 'certPem')
  return (isRefused(certificate) ? undefined : readPathLength(certificate.extensions)) ?? Number.POSITIVE_INFINITY
}

/** When a certificate ends, in ms since 1970. */
export function endMs(certPem: string): number {
  return new X509Certificate(certPem).validToDate.getTime()
}

/** The facts of a leaf that another program made. Refused if it says something else than was asked for: a CSR may ask for more. */
export async function checkedLeaf(certPem: string, { uri }: { uri: string }, ask: Ask): Promise<Result<SignerOutcome>> {
  const facts = await ask({ do: 'read-certificate', certPem })
  if (isRefused(facts)) return refuse('invalid', `the provider's certificate cannot be used: ${facts.why}`)
  const { uris = [], isCa } = facts
  if (isCa) return refuse('invalid', 'the provider made a certificate of a CA in place of a leaf')
  if (uris.length !== 1 || uris[0] !== uri) {
    return refuse('invalid', `the provider's certificate names ${uris.join(' ') || 'no URI'}, it must name ${uri} alone`)
  }
  return facts
}

/** Runs what waits for others; what it throws is a refusal. */
export function whenDone(work: Promise<Result<AuthorityOutcome>>, done: (outcome: Result<AuthorityOutcome>) => void): void {
  work.then(done, (error: unknown) => done(refuse('busy', error instanceof Error ? error.message : String(error))))
}
