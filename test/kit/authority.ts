import type { CertificateAuthority, KeyType, SignerOutcome, SignerRequest } from '../../src/kernel/ports.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { granted } from './asking.ts'

export type AskSigner = (request: SignerRequest) => Promise<Result<SignerOutcome>>
export type Issued = { certPem: string; keyPem: string }

export const TRUST_DOMAIN = '11111111-2222-3333-4444-555555555555.consul'
const DAY_MS = 86_400_000

/** `spiffe://…/svc/<service>` in the test's trust domain. */
export function uriOf(service: string): string {
  return `spiffe://${TRUST_DOMAIN}/ns/default/dc/dc1/svc/${service}`
}

/** A root with a new key, valid from an hour ago for ten days. */
export async function newRoot(ask: AskSigner, type: KeyType = 'ec', bits = 256, serial = 7): Promise<CertificateAuthority> {
  const { keyPem = '' } = granted(await ask({ do: 'key', type, bits }))
  const uri = `spiffe://${TRUST_DOMAIN}`
  const names = { commonName: `pri-${serial}.consul.ca.11111111.consul`, uri }
  const { certPem = '' } = granted(await ask({ do: 'root', keyPem, ...names, serial, ...lifetime(10) }))
  return { certPem, keyPem }
}

/** A leaf for a service with a new key. */
export async function newLeaf(
  ask: AskSigner,
  by: CertificateAuthority,
  service: string,
  type: KeyType = 'ec',
  bits = 256,
): Promise<Issued> {
  const names = { commonName: `${service}.svc.default.11111111.consul`, uri: uriOf(service) }
  const { csrPem = '', keyPem = '' } = granted(await ask({ do: 'key', type, bits, request: names }))
  const { certPem = '' } = granted(await ask({ do: 'leaf', csrPem, by, ...names, serial: 3_866, ...lifetime(3) }))
  return { certPem, keyPem }
}

/** From an hour ago, for so many days. */
export function lifetime(days: number): { notBeforeMs: number; notAfterMs: number } {
  const notBeforeMs = Date.now() - 3_600_000
  return { notBeforeMs, notAfterMs: notBeforeMs + days * DAY_MS }
}
