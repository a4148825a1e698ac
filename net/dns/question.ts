import { reversedAddress } from './addresses.ts'
import { labelsOf } from './names.ts'
import { TYPE } from './records.ts'
import type { DnsSettings } from './settings.ts'

/**
 * What a name asks for (reference: Consul's DNS interface). All parts are in lower case; `datacenter` is '' when the name
 * has none. `unknown` is a name inside the zone that can have no records.
 */
export type QueryForm =
  | { form: 'foreign' }
  /** `address` is absent when the name stands for no whole address. */
  | { form: 'reverse'; address?: string }
  | { form: 'node'; node: string; datacenter: string }
  | { form: 'service'; service: string; tag: string; datacenter: string }
  | { form: 'connect'; service: string; datacenter: string }
  /** A prepared query by its name or its id. */
  | { form: 'query'; query: string; datacenter: string }
  | { form: 'address'; hex: string }
  | { form: 'unknown' }

const UNKNOWN: QueryForm = { form: 'unknown' }
const KINDS = new Set(['service', 'connect', 'ingress', 'node', 'query', 'addr'])

export function queryForm(name: string, type: number, settings: Pick<DnsSettings, 'domain' | 'altDomain'>): QueryForm {
  const lower = name.toLowerCase()
  if (isUnder(lower, 'arpa.')) return reverseForm(lower)
  const zone = zoneOf(lower, settings)
  if (zone === undefined) return { form: 'foreign' }
  const labels = labelsOf(lower.slice(0, -zone.length))
  for (let at = labels.length - 1; at >= 0; at--) {
    const label = labels[at]!
    if (KINDS.has(label)) return formOf(label, labels.slice(0, at), labels.slice(at + 1))
    if (type === TYPE.srv && label.startsWith('_')) return formOf('service', labels.slice(0, at + 1), labels.slice(at + 1))
  }
  return UNKNOWN
}

/** Whether a name is inside the zone or its alternative. */
export function isInZone(name: string, settings: Pick<DnsSettings, 'domain' | 'altDomain'>): boolean {
  return zoneOf(name.toLowerCase(), settings) !== undefined
}

function zoneOf(lower: string, { domain, altDomain }: Pick<DnsSettings, 'domain' | 'altDomain'>): string | undefined {
  const inDomain = isUnder(lower, domain)
  const inAltDomain = altDomain !== '' && isUnder(lower, altDomain)
  if (inDomain && inAltDomain) return altDomain.length > domain.length ? altDomain : domain
  if (inDomain) return domain
  return inAltDomain ? altDomain : undefined
}

function isUnder(lower: string, zone: string): boolean {
  if (!lower.endsWith(zone)) return false
  return lower.length === zone.length || lower[lower.length - zone.length - 1] === '.'
}

function reverseForm(lower: string): QueryForm {
  const address = reversedAddress(labelsOf(lower))
  return address === undefined ? { form: 'reverse' } : { form: 'reverse', address }
}

/** `parts` are the labels before the kind, `suffix` those between it and the zone: nothing or a datacenter. */
function formOf(kind: string, parts: string[], suffix: string[]): QueryForm {
  const last = parts.at(-1)
  if (last === undefined || suffix.length > 1) return UNKNOWN
  const datacenter = suffix[0] ?? ''
  switch (kind) {
    case 'service':
      return { form: 'service', ...serviceAndTag(parts), datacenter }
    case 'connect':
      return { form: 'connect', service: last, datacenter }
    case 'node':
      return { form: 'node', node: parts.join('.'), datacenter }
    case 'query':
      return { form: 'query', query: parts.join('.'), datacenter }
    case 'addr':
      return parts.length === 1 ? { form: 'address', hex: last } : UNKNOWN
    default:
      return UNKNOWN
  }
}

/** `_name._tag` (RFC 2782, where the tag `tcp` means none) or `tag.name`, where the tag may have dots. */
function serviceAndTag(parts: readonly string[]): { service: string; tag: string } {
  const [first = '', second = ''] = parts
  if (parts.length === 2 && first.startsWith('_') && second.startsWith('_')) {
    return { service: first.slice(1), tag: second === '_tcp' ? '' : second.slice(1) }
  }
  return { service: parts.at(-1) ?? '', tag: parts.slice(0, -1).join('.') }
}
