import { parseIdentity, sameIdentity } from '../../actors/spiffe.ts'
import { isRefused } from '../../src/kernel/refusal.ts'

/**
 * The URI names in a certificate's alternative names, in the textual form of node:crypto: entries are separated by ', ', and
 * an entry whose value could be mistaken for more than one is written as a JSON string. Anything malformed is left out.
 */
export function uriNames(subjectAltName: string): string[] {
  const names: string[] = []
  let at = 0
  while (at < subjectAltName.length) {
    const colon = subjectAltName.indexOf(':', at)
    if (colon < 0) break
    const kind = subjectAltName.slice(at, colon)
    const end = entryEnd(subjectAltName, colon + 1)
    const value = unquoted(subjectAltName.slice(colon + 1, end))
    if (kind === 'URI' && value !== undefined) names.push(value)
    at = end + 2
  }
  return names
}

/** The position after the value that begins at `start`. */
function entryEnd(text: string, start: number): number {
  if (text[start] !== '"') {
    const comma = text.indexOf(', ', start)
    return comma < 0 ? text.length : comma
  }
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1
    else if (text[at] === '"') return at + 1
  }
  return text.length
}

function unquoted(value: string): string | undefined {
  if (!value.startsWith('"')) return value
  try {
    const parsed: unknown = JSON.parse(value)
    return typeof parsed === 'string' ? parsed : undefined
  } catch {
    return undefined
  }
}

/** The trust domain a URI is in, in lower case; undefined for anything that is not a SPIFFE id as this mesh writes them. */
export function trustDomainIn(uri: string): string | undefined {
  const identity = parseIdentity(uri)
  return isRefused(identity) ? undefined : identity.trustDomain.toLowerCase()
}

/**
 * Why a certificate that names `uri` is not the one expected, or undefined if it is. The host of `expected` does not count; the
 * peer's must be among `trustDomains` (lower case), unless none is known.
 */
export function identityMismatch(uri: string, expected: string, trustDomains: ReadonlySet<string>): string | undefined {
  if (!sameIdentity(uri, expected)) return `the certificate is for ${uri}, expected ${expected}`
  const domain = trustDomainIn(uri)
  if (domain === undefined) return `the certificate names ${uri}, which is not a SPIFFE id`
  if (trustDomains.size > 0 && !trustDomains.has(domain))
    return `the certificate is for ${uri}, whose trust domain is not that of the roots`
  return undefined
}
