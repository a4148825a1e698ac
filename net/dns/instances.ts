import { addressBytes, addressHex } from './addresses.ts'
import { type Asking, addressFor, addressRecord, hostRecords, nodeTexts, targetOf } from './hosts.ts'
import { fullyQualified, isEncodable } from './names.ts'
import { type DnsRecord, TYPE } from './records.ts'
import type { DnsInstance } from './source.ts'

/** What instances of a service answer, in their order: SRV with addresses beside them, or addresses. */
export function instanceRecords(asking: Asking, instances: readonly DnsInstance[], ttlSeconds: number): InstanceRecords {
  return asking.type === TYPE.srv ? srvRecords(asking, instances, ttlSeconds) : addressRecords(asking, instances, ttlSeconds)
}

export type InstanceRecords = { answers: DnsRecord[]; additionals: DnsRecord[] }

const PRIORITY = 1

/** One record for each node, address and port. */
function srvRecords(asking: Asking, instances: readonly DnsInstance[], ttlSeconds: number): InstanceRecords {
  const answers: DnsRecord[] = []
  const additionals: DnsRecord[] = []
  const seen = new Set<string>()
  for (const instance of instances) {
    const { node, port } = instance
    const place = `${node.name}:${instance.address}:${port}`
    if (answers.length === asking.turn.answersMax) break
    if (seen.has(place)) continue
    seen.add(place)
    const location = locationOf(asking, instance)
    if (location === undefined || !isEncodable(location.target)) continue
    const { target } = location
    answers.push({ type: 'SRV', name: asking.name, ttlSeconds, priority: PRIORITY, weight: weightOf(instance), port, target })
    if (location.bytes === undefined) additionals.push(...hostRecords(asking, target))
    else {
      const record = addressRecord(asking.type, location.bytes, location.address, target, ttlSeconds)
      if (record !== undefined) additionals.push(record)
    }
    const textName = targetOf(asking, node.name, 'node')
    if (asking.settings.nodeMetaTxt && isEncodable(textName)) additionals.push(...nodeTexts(textName, node, ttlSeconds))
  }
  return { answers, additionals }
}

/** One record for each address; a host name (as CNAME, with where it leads) only if there is no address at all. */
function addressRecords(asking: Asking, instances: readonly DnsInstance[], ttlSeconds: number): InstanceRecords {
  const answers: DnsRecord[] = []
  const seen = new Set<string>()
  let host: DnsRecord[] | undefined
  for (const instance of instances) {
    const location = locationOf(asking, instance)
    if (location === undefined) continue
    if (location.bytes === undefined) {
      const { target } = location
      if (!isEncodable(target) || seen.has(target)) continue
      seen.add(target)
      const lead = hostRecords(asking, target)
      host ??= [{ type: 'CNAME', name: asking.name, ttlSeconds, target }, ...lead]
      continue
    }
    const record = addressRecord(asking.type, location.bytes, location.address, asking.name, ttlSeconds)
    if (record === undefined || seen.has(location.address)) continue
    seen.add(location.address)
    answers.push(record)
    if (answers.length === asking.settings.aRecordLimit || answers.length === asking.turn.answersMax) break
  }
  return { answers: answers.length === 0 && host !== undefined ? host : answers, additionals: [] }
}

/** Where an instance is: an address with the canonical name for it, or a host name. */
type Location = { target: string; bytes: Uint8Array; address: string } | { target: string; bytes?: undefined }

function locationOf(asking: Asking, instance: DnsInstance): Location | undefined {
  const { node } = instance
  const address = addressFor(asking, instance)
  const bytes = address === '' ? undefined : addressBytes(address)
  if (bytes !== undefined) return { target: targetOf(asking, addressHex(bytes), 'addr'), bytes, address }
  const nodeAddress = addressFor(asking, node)
  const host = fullyQualified(address === '' ? nodeAddress : address)
  const nodeBytes = addressBytes(nodeAddress)
  if (nodeBytes !== undefined && (address === '' || host === asking.name)) {
    return { target: targetOf(asking, node.name, 'node'), bytes: nodeBytes, address: nodeAddress }
  }
  return host === '.' ? undefined : { target: host }
}

function weightOf({ weights, status }: DnsInstance): number {
  return status === 'warning' ? weights.warning : weights.passing
}
