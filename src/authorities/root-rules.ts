import { parseIdentity } from '../../actors/spiffe.ts'
import type { SignerOutcome } from '../kernel/ports.ts'
import { isRefused } from '../kernel/refusal.ts'

export type RootRules = { nowMs: number /** Undefined: whichever the root names. */; trustDomain: string | undefined }

/** Why a certificate cannot be this cluster's root, or undefined if it can. `facts` as `read-certificate` gives them. */
export function rootFault(facts: SignerOutcome, { trustDomain, nowMs }: RootRules): string | undefined {
  if (!facts.isCa) return 'not a CA certificate'
  if (!facts.isSelfSigned) return 'not self-signed; a root that another one signed is no root (see the provider "external")'
  return validityFault(facts, nowMs) ?? (trustDomain === undefined ? undefined : trustDomainFault(facts, trustDomain))
}

/** Whether a certificate can be used at this time. */
export function validityFault({ notBeforeMs = 0, notAfterMs = 0 }: SignerOutcome, nowMs: number): string | undefined {
  if (notAfterMs <= nowMs) return `expired on ${dateOf(notAfterMs)}`
  return notBeforeMs > nowMs ? `not valid before ${dateOf(notBeforeMs)}` : undefined
}

/** A CA that names no trust domain may sign for any; one that does, only for its own. */
export function trustDomainFault(facts: SignerOutcome, trustDomain: string): string | undefined {
  const named = namedTrustDomain(facts)
  if (named === undefined || named === trustDomain) return undefined
  return `belongs to the trust domain ${named}, this cluster's is ${trustDomain}`
}

/** The trust domain that a certificate names, in lower case. */
export function namedTrustDomain({ uris = [] }: SignerOutcome): string | undefined {
  for (const uri of uris) {
    const identity = parseIdentity(uri)
    if (!isRefused(identity)) return identity.trustDomain.toLowerCase()
  }
  return undefined
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString()
}
