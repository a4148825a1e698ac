import type { IntentionsOn } from '../../actors/feeds/protocol.ts'
import { decide, WILDCARD } from '../../actors/intentions/decide.ts'

/** Verdicts by the key of a service; `*` is for everybody else. */
export type Access = ReadonlyMap<string, Verdict>
export type Verdict = 'allow' | 'deny'

/** Who may connect to a service. Every key but `*` begins with `=`. */
export function accessOf({ list, defaultAllow }: IntentionsOn, service: string): Access {
  const verdict = (source: string): Verdict => (decide(list, source, service, defaultAllow).allowed ? 'allow' : 'deny')
  const sources = new Set(list.map(({ source }) => source).filter((source) => source !== WILDCARD))
  // No rule has the name '', so it is judged like everybody whom no rule names.
  return new Map([[WILDCARD, verdict('')] as const, ...[...sources].sort().map((source) => [accessKey(source), verdict(source)] as const)])
}

/** A service's name without anything that would matter in a map: other bytes than letters, digits and `._-` are percent-encoded. */
export function accessKey(service: string): string {
  const bytes = [...Buffer.from(service.toWellFormed())]
  return `=${bytes.map((byte) => (PLAIN.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${hex(byte)}`)).join('')}`
}

/** The service's name out of its key. Bytes that are no text are replaced. */
export function serviceOf(key: string): string {
  const bytes = key.slice(1).replaceAll(/%([0-9A-F]{2})/g, (_code, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

const PLAIN = /^[A-Za-z0-9._-]$/

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0')
}

export function mapText(access: Access): string {
  return [...access].map(([key, verdict]) => `${key} ${verdict}\n`).join('')
}

export function verdictOf(access: Access, key: string): Verdict {
  return access.get(key) ?? access.get(WILDCARD) ?? 'deny'
}
