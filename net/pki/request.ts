import { verify } from 'node:crypto'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { bitStringBytes, childrenOf, type Element, elementsOf, isNull, oidText, only, TAG } from './der.ts'
import { bits, encode, encoded, integer, oid, sequence, set, tagged } from './encode.ts'
import { alternativeUri, type Extensions, readExtensions, readUris } from './extensions.ts'
import { attempt, digestOf, type PrivateKey, type PublicKey, readPublicKey, signature, signatureAlgorithm } from './keys.ts'
import { nameOf, readCommonName } from './names.ts'
import { derOfPem, pemOf } from './pem.ts'

/** What a CSR asks for; its signature was made with its key. */
export type SigningRequest = { publicKey: PublicKey; commonName: string; uris: string[] }

/** A PKCS #10 request for one URI. Source: RFC 2986. */
export function makeRequest({ commonName, uri }: { commonName: string; uri: string }, key: PrivateKey): string {
  const wanted = sequence([oid(EXTENSION_REQUEST), set([sequence([alternativeUri(uri)])])])
  const signed = encode(sequence([integer(0), nameOf(commonName), encoded(key.publicKey.spki), tagged(0, [wanted])]))
  const whole = sequence([encoded(signed), signatureAlgorithm(key.publicKey), bits(signature(signed, key))])
  return pemOf(REQUEST_LABEL, encode(whole))
}

/** Reads a CSR and checks that its sender has the key; refuses one without a URI. `what` names the input in the refusal. */
export function readRequest(pem: string, what: string): Result<SigningRequest> {
  const der = derOfPem(pem, [REQUEST_LABEL, 'NEW CERTIFICATE REQUEST'], what)
  if (isRefused(der)) return der
  const outer = only(der, TAG.sequence, what)
  if (isRefused(outer)) return outer
  const parts = childrenOf(outer, [TAG.sequence, TAG.sequence, TAG.bitString], what)
  if (isRefused(parts)) return parts
  const [signed, algorithm, signatureElement] = parts
  const fields = childrenOf(signed, [TAG.integer, TAG.sequence, TAG.sequence], what)
  if (isRefused(fields)) return fields
  const [version, subject, spki] = fields
  if (version.content.length !== 1 || version.content[0] !== 0) return refuse('invalid', `${what}: version must be 0`)
  const commonName = readCommonName(subject, `${what}: subject`)
  if (isRefused(commonName)) return commonName
  const attributes = fields[3]
  const extensions = attributes?.tag === TAG.context0 ? requestedExtensions(attributes, what) : NO_EXTENSIONS
  if (isRefused(extensions)) return extensions
  const uris = readUris(extensions, what)
  if (isRefused(uris)) return uris
  if (uris.length === 0) return refuse('invalid', `${what}: has no URI among its alternative names`)
  const publicKey = readPublicKey(spki, `${what}: public key`)
  if (isRefused(publicKey)) return publicKey
  return signatureFault({ signed, algorithm, signature: signatureElement }, publicKey, what) ?? { publicKey, commonName, uris }
}

const REQUEST_LABEL = 'CERTIFICATE REQUEST'
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'
const NO_EXTENSIONS: Extensions = new Map()

function requestedExtensions(attributes: Element, what: string): Result<Extensions> {
  const elements = elementsOf(attributes.content, `${what}: attributes`)
  if (isRefused(elements)) return elements
  let found: Extensions | undefined
  for (const element of elements) {
    if (element.tag !== TAG.sequence) return refuse('invalid', `${what}: an attribute that is not a sequence`)
    const parts = childrenOf(element, [TAG.oid, TAG.set], `${what}: attribute`)
    if (isRefused(parts)) return parts
    const dotted = oidText(parts[0], `${what}: attribute`)
    if (isRefused(dotted)) return dotted
    if (dotted !== EXTENSION_REQUEST) continue
    if (found) return refuse('invalid', `${what}: asks for extensions twice`)
    const list = only(parts[1].content, TAG.sequence, `${what}: requested extensions`)
    const extensions = isRefused(list) ? list : readExtensions(list, what)
    if (isRefused(extensions)) return extensions
    found = extensions
  }
  return found ?? NO_EXTENSIONS
}

type Signed = { signed: Element; algorithm: Element; signature: Element }

function signatureFault({ signed, algorithm, signature }: Signed, publicKey: PublicKey, what: string): Refusal | undefined {
  const parts = childrenOf(algorithm, [TAG.oid], `${what}: signature algorithm`)
  if (isRefused(parts)) return parts
  const dotted = oidText(parts[0], `${what}: signature algorithm`)
  if (isRefused(dotted)) return dotted
  const digest = digestOf(dotted, publicKey.type)
  if (digest === undefined) return refuse('invalid', `${what}: signature algorithm ${dotted} is not supported for ${publicKey.type} keys`)
  const isEmpty = parts.length === 1 || (publicKey.type === 'rsa' && parts.length === 2 && isNull(parts[1]))
  if (!isEmpty) return refuse('invalid', `${what}: signature algorithm ${dotted} has parameters`)
  const bytes = bitStringBytes(signature, `${what}: signature`)
  if (isRefused(bytes)) return bytes
  const holds = attempt(() => verify(digest, signed.whole, publicKey.key, bytes), `${what}: signature`)
  if (isRefused(holds)) return holds
  return holds ? undefined : refuse('invalid', `${what}: the signature does not hold for the key in it`)
}
