import { addressBytes } from './addresses.ts'
import type { AnswerTurn } from './answer.ts'
import { fullyQualified, isEncodable } from './names.ts'
import { isInZone, queryForm } from './question.ts'
import { type DnsRecord, TYPE } from './records.ts'
import type { DnsSettings } from './settings.ts'
import type { DnsNode, DnsSource } from './source.ts'

/** One question on its way through the resolution, or a host name that one led to. */
export type Asking = {
  /** Owner name of the answers. */
  name: string
  type: number
  source: DnsSource
  settings: DnsSettings
  turn: AnswerTurn
  /** Collects host names for recursors and other datacenters, lower case and fully qualified. */
  wanted: Set<string>
  levelsLeft: number
  resolve: (asking: Asking, name: string) => readonly DnsRecord[]
}

/** Records that one host name brings into an answer to a client without EDNS. */
const HOST_RECORDS_MAX = 5
/** Metadata keys whose values are given as they are. */
const VERBATIM_PREFIX = 'rfc1035-'

/** The canonical name of something in this datacenter: `<name>.<kind>.<dc>.<domain>`. */
export function targetOf({ settings }: Pick<Asking, 'settings'>, name: string, kind: 'node' | 'service' | 'addr'): string {
  return `${name}.${kind}.${settings.datacenter}.${settings.domain}`
}

/** The address of a node under `owner`: one A or AAAA if the type wants it, or a CNAME and where that leads. */
export function nodeAddressRecords(asking: Asking, node: DnsNode, owner: string, ttlSeconds: number): DnsRecord[] {
  const address = addressFor(asking, node)
  const bytes = addressBytes(address)
  if (bytes !== undefined) {
    const record = addressRecord(asking.type, bytes, address, owner, ttlSeconds)
    return record === undefined ? [] : [record]
  }
  const target = fullyQualified(address)
  if (!isEncodable(target)) return []
  return [{ type: 'CNAME', name: owner, ttlSeconds, target }, ...hostRecords(asking, target)]
}

/** The address that suits the type of a question best. */
export function addressFor({ type }: Pick<Asking, 'type'>, { address, others = [] }: Pick<DnsNode, 'address' | 'others'>): string {
  if (address === '' || others.length === 0 || (type !== TYPE.a && type !== TYPE.aaaa)) return address
  const wanted = type === TYPE.a ? 4 : 16
  const length = addressBytes(address)?.length
  return length === undefined || length === wanted ? address : (others.find((other) => addressBytes(other)?.length === wanted) ?? address)
}

/** An address as the type wants it; undefined if its family does not fit. TXT gets addresses too, as in Consul. */
export function addressRecord(type: number, bytes: Uint8Array, address: string, name: string, ttlSeconds: number): DnsRecord | undefined {
  const isEither = type === TYPE.srv || type === TYPE.any || type === TYPE.txt
  if (bytes.length === 4) return isEither || type === TYPE.a ? { type: 'A', name, ttlSeconds, address } : undefined
  return isEither || type === TYPE.aaaa ? { type: 'AAAA', name, ttlSeconds, address } : undefined
}

/** Addresses (and names on the way) of a host name: from the zone itself, or as recursors said. */
export function hostRecords(asking: Asking, name: string): DnsRecord[] {
  const { settings, turn, wanted } = asking
  const records = isFoundHere(name, settings) ? asking.resolve(asking, name) : outsideRecords()
  const useful = records.filter(({ type }) => type === 'CNAME' || type === 'A' || type === 'AAAA')
  return turn.edns ? useful : useful.slice(0, HOST_RECORDS_MAX)

  function outsideRecords(): readonly DnsRecord[] {
    if (settings.recursors.length === 0 && !isInZone(name, settings)) return []
    const key = name.toLowerCase()
    const known = turn.outside?.get(key)
    if (known === undefined) wanted.add(key)
    return known ?? []
  }
}

/** Whether the catalog here can know a name: that of another datacenter it cannot. */
function isFoundHere(name: string, settings: DnsSettings): boolean {
  const form = queryForm(name, TYPE.any, settings)
  if (form.form === 'foreign' || form.form === 'reverse') return false
  return !('datacenter' in form) || form.datacenter === '' || form.datacenter === settings.datacenter
}

/** Metadata as TXT records in the form of RFC 1464, one for each key. */
export function nodeTexts(name: string, node: DnsNode, ttlSeconds: number): DnsRecord[] {
  const texts: DnsRecord[] = []
  for (const key in node.meta) {
    const value = node.meta[key] ?? ''
    texts.push({ type: 'TXT', name, ttlSeconds, text: key.startsWith(VERBATIM_PREFIX) ? value : attributeText(key, value) })
  }
  return texts
}

function attributeText(key: string, value: string): string {
  const quotedKey = key.replace(/[`=]|^[ \t]+|[ \t]+$/g, (found) => [...found].map((character) => `\`${character}`).join(''))
  return `${quotedKey}=${value.replaceAll('`', '``')}`
}
