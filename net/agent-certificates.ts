import { randomBytes } from 'node:crypto'
import { commonNameFault } from '../actors/certificate-rules.ts'
import { isRefused, type Result, refuse } from '../src/kernel/refusal.ts'
import { authorities } from './pki/authority.ts'
import { CERTIFICATE_LABEL, signCertificate } from './pki/certificate.ts'
import { encoded, type Part } from './pki/encode.ts'
import {
  AUTHORITY_USAGE,
  agentUsage,
  alternativeNames,
  alternativeUri,
  authorityKeyId,
  permittedNames,
  subjectKeyId,
} from './pki/extensions.ts'
import { makeKey, type PrivateKey, privateKeyPem } from './pki/keys.ts'
import { nameOf } from './pki/names.ts'
import { pemOf } from './pki/pem.ts'

/** A certificate and its new key on P-256, both PEM. */
export type Issued = { certPem: string; keyPem: string }

/** `permitted` are the ends of the names that it may sign, all if there are none; `uri` is a name of its own, '' for none. */
export type AuthorityOrder = { commonName: (serial: bigint) => string; days: number; permitted: readonly string[]; uri: string }

/** `ips` as texts, IPv4 or IPv6. */
export type CertificateOrder = {
  by: Issued
  commonName: string
  dns: readonly string[]
  ips: readonly string[]
  days: number
  /** Whether it may be shown to agents, and not only by a program that asks one. */
  speaksToAgents: boolean
}

/** An authority for the connections between agents, valid from now on. */
export async function issueAuthority({ commonName, days, permitted, uri }: AuthorityOrder): Promise<Result<Issued>> {
  const own = await newKey()
  if (isRefused(own)) return own
  const serial = newSerial()
  const fault = commonNameFault(commonName(serial))
  if (fault !== undefined) return refuse('invalid', fault)
  const name = nameOf(commonName(serial))
  const { spki, keyId } = own.publicKey
  const extensions = [
    ...AUTHORITY_USAGE,
    subjectKeyId(keyId),
    authorityKeyId(keyId),
    ...(uri === '' ? [] : [alternativeUri(uri)]),
    ...(permitted.length === 0 ? [] : [permittedNames(permitted)]),
  ]
  const fields = { serial, ...lifetime(days), issuer: name, subject: name, spki: encoded(spki), extensions }
  return issued(signCertificate(fields, own), own)
}

/** A certificate for an agent or for a program that speaks to one, valid from now on. */
export async function issueAgentCertificate({ by, commonName, dns, ips, days, speaksToAgents }: CertificateOrder): Promise<Result<Issued>> {
  const fault = commonNameFault(commonName)
  if (fault !== undefined) return refuse('invalid', fault)
  const authority = authorities()(by)
  if (isRefused(authority)) return authority
  const own = await newKey()
  if (isRefused(own)) return own
  const { spki, keyId } = own.publicKey
  const names: Part = alternativeNames({ dns, ips: ips.map(addressBytes) })
  const extensions = [...agentUsage({ speaksToAgents }), subjectKeyId(keyId), authority.keyId, names]
  const subject = nameOf(commonName)
  const fields = { serial: newSerial(), ...lifetime(days), issuer: authority.name, subject, spki: encoded(spki), extensions }
  return issued(signCertificate(fields, authority.key), own)
}

const DAY_MS = 86_400_000
const SERIAL_BYTES = 20

function newKey(): Promise<Result<PrivateKey>> {
  return new Promise((resolve) => makeKey('ec', 256, resolve))
}

/** At most 20 bytes and positive. Source: RFC 5280, 4.1.2.2. */
function newSerial(): bigint {
  const bytes = randomBytes(SERIAL_BYTES)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return BigInt(`0x${bytes.toString('hex')}`)
}

function lifetime(days: number): { notBeforeMs: number; notAfterMs: number } {
  const notBeforeMs = Date.now()
  return { notBeforeMs, notAfterMs: notBeforeMs + days * DAY_MS }
}

/** The 4 or 16 bytes of an address. */
function addressBytes(ip: string): Uint8Array {
  if (!ip.includes(':')) return Uint8Array.from(ip.split('.').map(Number))
  const host = new URL(`http://[${ip}]/`).hostname.slice(1, -1)
  const [before = '', after] = host.split('::')
  const head = before === '' ? [] : before.split(':')
  const tail = after === undefined || after === '' ? [] : after.split(':')
  const middle = after === undefined ? [] : new Array<string>(8 - head.length - tail.length).fill('0')
  return Uint8Array.from(
    [...head, ...middle, ...tail].flatMap((part) => [Number.parseInt(part, 16) >> 8, Number.parseInt(part, 16) & 0xff]),
  )
}

function issued(der: Buffer, key: PrivateKey): Issued {
  return { certPem: pemOf(CERTIFICATE_LABEL, der), keyPem: privateKeyPem(key) }
}
