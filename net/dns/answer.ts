import type { Failover } from '../../src/http/failover.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { shuffled } from '../../src/kernel/shuffled.ts'
import { addressText } from './addresses.ts'
import { type Asking, nodeAddressRecords, nodeTexts, targetOf } from './hosts.ts'
import { instanceRecords } from './instances.ts'
import { isEncodable } from './names.ts'
import { type QueryForm, queryForm } from './question.ts'
import { type DnsRecord, RCODE, type Sections, type SoaRecord, TYPE } from './records.ts'
import { type DnsSettings, seconds, serviceTtlSeconds } from './settings.ts'
import type { DnsInstance, DnsNode, DnsSource } from './source.ts'

/** What decides besides the catalog. */
export type AnswerTurn = {
  nowMs: number
  /** A float in [0, 1). */
  chance: () => number
  /** The IP address of the asker, or of whoever a resolver asks for; '' if unknown. */
  ip: string
  /** Whether the query had an OPT record. */
  edns: boolean
  /** More instances than give this many answers need not be looked at. */
  answersMax: number
  /** What recursors and other datacenters said about host names, by fully qualified lower-case name. */
  outside?: ReadonlyMap<string, readonly DnsRecord[]>
  /** What a prepared query found in another datacenter, because there is nothing in this one. */
  failedOver?: { datacenter: string; instances: readonly DnsInstance[] }
}

export type Answer = Sections & {
  rcode: number
  authoritative: boolean
  recursionAvailable: boolean
  /** Another asker may get another answer: by a prepared query, which may look at where the asker is. */
  personal: boolean
  /** The question is one for recursors. Everything else here is what to say when there are none. */
  forward: boolean
  /** Host names that this answer leads to, that are not of this datacenter, and that `outside` says nothing about. Those outside the zone only if there
   * are recursors. */
  wanted: readonly string[]
  /** Who may know more. Everything else here is what to say if nobody does. */
  elsewhere?: Elsewhere
}

/** A datacenter that the name is about, or what to ask in others. */
export type Elsewhere = { datacenter: string } | { failover: Failover }

const MAILBOX_NAME = 'hostmaster'
const NAME_SERVERS_MAX = 3
/** CNAME records that lead to other names of the zone are followed this often. */
const RECURSION_LEVEL_MAX = 3
const IPV4_HEX_CHARACTERS = 8
const IPV6_HEX_CHARACTERS = 32

/** The answer to a question, from the catalog alone. Names, rcodes and sections are Consul's. */
export function answerTo(question: { name: string; type: number }, source: DnsSource, settings: DnsSettings, turn: AnswerTurn): Answer {
  const wanted = new Set<string>()
  const asking: Asking = { ...question, source, settings, turn, wanted, levelsLeft: RECURSION_LEVEL_MAX, resolve: resolveInZone }
  const form = queryForm(question.name, question.type, settings)
  const recursionAvailable = settings.recursors.length > 0
  if (form.form === 'foreign')
    return { ...EMPTY, rcode: RCODE.refused, authoritative: false, recursionAvailable, personal: false, forward: true, wanted: [] }
  if (form.form === 'reverse') return reverseAnswer(asking, form.address)
  const found = inZone(asking, form)
  const negative = found.rcode === RCODE.nameError || found.isNoData === true
  return {
    rcode: found.rcode,
    answers: found.answers ?? [],
    authorities: negative ? [soa(asking)] : (found.authorities ?? []),
    additionals: found.additionals ?? [],
    authoritative: true,
    recursionAvailable,
    personal: form.form === 'query',
    forward: false,
    wanted: [...wanted],
    ...(found.elsewhere && { elsewhere: found.elsewhere }),
  }
}

const EMPTY: Sections = { answers: [], authorities: [], additionals: [] }

type Found = Partial<Sections> & { rcode: number; isNoData?: boolean; elsewhere?: Elsewhere }

const NOT_FOUND: Found = { rcode: RCODE.nameError }
const FAILED: Found = { rcode: RCODE.serverFailure }

function inZone(asking: Asking, form: QueryForm): Found {
  switch (asking.type) {
    case TYPE.soa: {
      const servers = nameServers(asking)
      return servers === undefined
        ? FAILED
        : { rcode: RCODE.noError, answers: [soa(asking)], authorities: servers.names, additionals: servers.glue }
    }
    case TYPE.ns: {
      const servers = nameServers(asking)
      return servers === undefined ? FAILED : { rcode: RCODE.noError, answers: servers.names, additionals: servers.glue }
    }
    case TYPE.axfr:
      return { rcode: RCODE.notImplemented }
    default:
      return lookup(asking, form)
  }
}

function lookup(asking: Asking, form: QueryForm): Found {
  if ('datacenter' in form && form.datacenter !== '' && form.datacenter !== asking.settings.datacenter) {
    return { ...NOT_FOUND, elsewhere: { datacenter: form.datacenter } }
  }
  switch (form.form) {
    case 'node':
      return nodeAnswer(asking, form.node)
    case 'service':
    case 'connect':
      return serviceAnswer(asking, form)
    case 'query':
      return queryAnswer(asking, form.query)
    case 'address':
      return addressAnswer(asking, form.hex)
    default:
      return NOT_FOUND
  }
}

function nodeAnswer(asking: Asking, name: string): Found {
  const { type, settings } = asking
  if (type !== TYPE.a && type !== TYPE.aaaa && type !== TYPE.any && type !== TYPE.txt) return { rcode: RCODE.noError }
  const node = asking.source.node(name)
  if (isRefused(node)) return FAILED
  if (node === undefined) return NOT_FOUND
  const ttlSeconds = seconds(settings.nodeTtlMs)
  const answers = type === TYPE.txt ? [] : nodeAddressRecords(asking, node, asking.name, ttlSeconds)
  const asksForTexts = type === TYPE.txt || type === TYPE.any
  const texts = asksForTexts || settings.nodeMetaTxt ? nodeTexts(asking.name, node, ttlSeconds) : []
  if (asksForTexts) return { rcode: RCODE.noError, answers: [...answers, ...texts] }
  return { rcode: RCODE.noError, answers, additionals: texts }
}

function serviceAnswer(asking: Asking, form: Extract<QueryForm, { form: 'service' | 'connect' }>): Found {
  const all = form.form === 'connect' ? asking.source.connect(form.service) : asking.source.service(form.service)
  if (isRefused(all)) return FAILED
  const tag = form.form === 'service' ? form.tag : ''
  const usable = all.filter(
    (instance) =>
      instance.status !== 'critical' &&
      (instance.status === 'passing' || !asking.settings.onlyPassing) &&
      (tag === '' || instance.tags.some((candidate) => candidate.toLowerCase() === tag)),
  )
  if (usable.length === 0) return NOT_FOUND
  const ttlSeconds = serviceTtlSeconds(asking.settings, form.service)
  return instancesFound(asking, shuffled(usable, asking.turn.chance), ttlSeconds)
}

/** The instances of a prepared query in the order in which it has them. What it says of how long to keep them counts first. */
function queryAnswer(asking: Asking, name: string): Found {
  const { source, settings, turn } = asking
  const query = source.query(name, turn)
  if (isRefused(query)) return FAILED
  if (query === undefined) return NOT_FOUND
  const ttlSeconds = query.ttlMs === undefined ? serviceTtlSeconds(settings, query.service) : seconds(query.ttlMs)
  if (query.instances.length > 0) return instancesFound(asking, query.instances, ttlSeconds)
  const { failedOver } = turn
  if (!failedOver) return query.failover ? { ...NOT_FOUND, elsewhere: { failover: query.failover } } : NOT_FOUND
  const { datacenter, instances } = failedOver
  return instancesFound({ ...asking, settings: { ...settings, datacenter } }, instances, ttlSeconds)
}

function instancesFound(asking: Asking, instances: readonly DnsInstance[], ttlSeconds: number): Found {
  const { answers, additionals } = instanceRecords(asking, instances, ttlSeconds)
  return { rcode: RCODE.noError, isNoData: answers.length === 0, answers, additionals }
}

/** `<hex>.addr`: the address itself, whatever type is asked for. */
function addressAnswer({ name, settings }: Asking, hex: string): Found {
  if (hex.length !== IPV4_HEX_CHARACTERS && hex.length !== IPV6_HEX_CHARACTERS) return { rcode: RCODE.noError }
  if (!/^[0-9a-f]+$/.test(hex)) return NOT_FOUND
  const type = hex.length === IPV4_HEX_CHARACTERS ? 'A' : 'AAAA'
  const address = addressText(Buffer.from(hex, 'hex'))
  return { rcode: RCODE.noError, answers: [{ type, name, ttlSeconds: seconds(settings.nodeTtlMs), address }] }
}

/** The name of a node with the address, else of a service with it, else a question for recursors. */
function reverseAnswer(asking: Asking, address: string | undefined): Answer {
  const { source, settings } = asking
  const recursionAvailable = settings.recursors.length > 0
  const node = address === undefined ? undefined : source.nodeByAddress(address)
  const service = address === undefined || node !== undefined ? undefined : source.serviceByAddress(address)
  if (isRefused(node) || isRefused(service)) {
    return { ...EMPTY, ...FAILED, authoritative: true, recursionAvailable, personal: false, forward: false, wanted: [] }
  }
  const target = node === undefined ? service && targetOf(asking, service, 'service') : targetOf(asking, node.name, 'node')
  if (target === undefined || !isEncodable(target)) {
    return { ...EMPTY, ...FAILED, authoritative: false, recursionAvailable: true, personal: false, forward: true, wanted: [] }
  }
  return {
    rcode: RCODE.noError,
    answers: [{ type: 'PTR', name: asking.name, ttlSeconds: 0, target }],
    authorities: asking.type === TYPE.soa ? [soa(asking)] : [],
    additionals: [],
    authoritative: true,
    recursionAvailable,
    personal: false,
    forward: false,
    wanted: [],
  }
}

/** What a host name inside the zone leads to, as if it had been asked for with type ANY. */
function resolveInZone(asking: Asking, name: string): readonly DnsRecord[] {
  if (asking.levelsLeft < 1) return []
  const inner = { ...asking, name, type: TYPE.any, levelsLeft: asking.levelsLeft - 1 }
  return lookup(inner, queryForm(name, TYPE.any, asking.settings)).answers ?? []
}

function soa({ settings, turn }: Asking): SoaRecord {
  const { domain, soa: times } = settings
  return {
    type: 'SOA',
    name: domain,
    ttlSeconds: seconds(times.minTtlMs),
    server: `ns.${domain}`,
    mailbox: `${MAILBOX_NAME}.${domain}`,
    serial: seconds(turn.nowMs),
    refreshSeconds: seconds(times.refreshMs),
    retrySeconds: seconds(times.retryMs),
    expireSeconds: seconds(times.expireMs),
    minimumSeconds: seconds(times.minTtlMs),
  }
}

/** Up to three servers by chance with their addresses; undefined if the catalog cannot be asked. */
function nameServers(asking: Asking): { names: DnsRecord[]; glue: DnsRecord[] } | undefined {
  const { source, settings, turn } = asking
  const servers = source.servers()
  if (isRefused(servers)) return undefined
  const ttlSeconds = seconds(settings.nodeTtlMs)
  const names: DnsRecord[] = []
  const glue: DnsRecord[] = []
  for (const server of shuffled(servers.filter(canBeNameServer), turn.chance).slice(0, NAME_SERVERS_MAX)) {
    const target = targetOf(asking, server.name, 'node').toLowerCase()
    names.push({ type: 'NS', name: settings.domain, ttlSeconds, target })
    glue.push(...nodeAddressRecords({ ...asking, type: TYPE.any }, server, target, ttlSeconds))
  }
  return { names, glue }
}

function canBeNameServer(server: DnsNode): boolean {
  return /^[A-Za-z0-9-]{1,63}$/.test(server.name)
}
