import { type AnswerTurn, answerTo } from '../../net/dns/answer.ts'
import type { Answers } from '../../net/dns/far.ts'
import { type DnsRecord, type Sections, TYPE } from '../../net/dns/records.ts'
import type { DnsInstance, DnsNode, DnsQuery, DnsSource } from '../../net/dns/source.ts'

/** A catalog in plain lists. */
export type Catalog = {
  nodes: DnsNode[]
  servers: DnsNode[]
  services: Record<string, DnsInstance[]>
  connects: Record<string, DnsInstance[]>
  queries: Record<string, DnsQuery>
}

export const n1: DnsNode = { name: 'n1', address: '127.0.0.1', meta: { 'consul-network-segment': '' } }
export const ext1: DnsNode = { name: 'ext1', address: '10.0.0.10', meta: { 'external-node': 'true' } }
export const six: DnsNode = { name: 'six', address: '2001:db8::6', meta: {} }
export const named: DnsNode = { name: 'named', address: 'host.example.com', meta: {} }

export function instance(changes: Partial<DnsInstance> = {}): DnsInstance {
  return { node: n1, address: '', port: 80, tags: [], weights: { passing: 1, warning: 1 }, status: 'passing', ...changes }
}

export function catalog(changes: Partial<Catalog> = {}): DnsSource {
  const { nodes, servers, services, connects, queries }: Catalog = {
    nodes: [n1, ext1, six, named],
    servers: [n1],
    services: {
      web: [instance({ tags: ['v1', 'Blue.Green'] })],
      db: [instance({ node: ext1, address: '10.0.0.10', port: 5432, status: 'warning' })],
      sick: [instance({ status: 'critical' })],
      consul: [instance({ port: 8300 })],
    },
    connects: { web: [instance({ port: 9001 })] },
    queries: { 'my.query': { service: 'web', ttlMs: 10_000, instances: [instance()] } },
    ...changes,
  }
  return {
    node: (name) => nodes.find((node) => node.name.toLowerCase() === name),
    nodeByAddress: (address) => nodes.find((node) => node.address === address && node !== ext1),
    service: (name) => services[name] ?? [],
    connect: (name) => connects[name] ?? [],
    serviceByAddress: (address) => Object.keys(services).find((name) => services[name]?.some((one) => one.address === address)),
    query: (name) => queries[name],
    servers: () => servers,
  }
}

/** 2026-11-23 in the reference's examples. */
export const NOW_MS = 1_795_416_167_000

export function turn(changes: Partial<AnswerTurn> = {}): AnswerTurn {
  return { nowMs: NOW_MS, chance: () => 0.999, edns: false, ip: '', answersMax: 100, ...changes }
}

export function typeNumber(name: string): number {
  const number = TYPES[name]
  if (number === undefined) throw new Error(`no such type: ${name}`)
  return number
}

const TYPES: Record<string, number> = {
  A: TYPE.a,
  AAAA: TYPE.aaaa,
  ANY: TYPE.any,
  AXFR: TYPE.axfr,
  CNAME: TYPE.cname,
  MX: 15,
  NS: TYPE.ns,
  PTR: TYPE.ptr,
  SOA: TYPE.soa,
  SRV: TYPE.srv,
  TXT: TYPE.txt,
}

/** Records as `dig` prints them, sections marked AN, AU and AR. */
export function lines({ answers, authorities, additionals }: Sections): string[] {
  return [
    ...answers.map((record) => `AN ${recordText(record)}`),
    ...authorities.map((record) => `AU ${recordText(record)}`),
    ...additionals.map((record) => `AR ${recordText(record)}`),
  ]
}

export function recordText(record: DnsRecord): string {
  if (record.type === 'OPT') return `. OPT ${record.udpSizeBytes}`
  const start = `${record.name} ${record.ttlSeconds} IN ${record.type}`
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return `${start} ${record.address}`
    case 'SRV':
      return `${start} ${record.priority} ${record.weight} ${record.port} ${record.target}`
    case 'TXT':
      return `${start} "${record.text}"`
    case 'SOA':
      return `${start} ${record.server} ${record.mailbox} ${record.serial} ${record.refreshSeconds} ${record.retrySeconds} ${record.expireSeconds} ${record.minimumSeconds}`
    default:
      return `${start} ${record.target}`
  }
}

/** Answers from one catalog alone. */
export function answersFrom(source: DnsSource): Answers {
  return (question, settings, asked, done) => done(answerTo(question, source, settings, asked))
}
