import os from 'node:os'
import { lastIndex } from '../../../actors/command.ts'
import type { Coordinate } from '../../../actors/coordinates/tables.ts'
import { type AgentFacts, type LocalList, localRef } from '../../../actors/local/protocol.ts'
import { type Member, membershipRef } from '../../../actors/membership/protocol.ts'
import { isRefused } from '../../kernel/refusal.ts'
import { memberTags } from '../../member-tags.ts'
import type { Route } from '../route.ts'

/** GET /v1/agent/self */
export const agentSelfRoute: Route = {
  method: 'GET',
  path: '/v1/agent/self',
  async run(_request, { host, asked, awaited, settings }) {
    const facts = await asked(localRef, 'facts', null)
    if (isRefused(facts)) return facts
    const list = await asked(localRef, 'list', null)
    if (isRefused(list)) return list
    const place = settings.coordinates ? await asked(membershipRef, 'whereabouts', null) : null
    if (isRefused(place)) return place
    const { datacenter, primaryDatacenter, node, nodeId, server, compatibleVersion } = facts
    const members = server ? undefined : await awaited(membershipRef, 'members', null, () => true, MEMBERS_WITHIN_MS)
    const knownServers = members?.value.filter(({ tags, status }) => tags['role'] === 'consul' && status === 'alive').length ?? 0
    return {
      json: {
        Config: {
          Datacenter: datacenter,
          PrimaryDatacenter: primaryDatacenter,
          NodeName: node,
          NodeID: nodeId,
          Revision: '',
          Server: server,
          Version: compatibleVersion,
        },
        DebugConfig: facts.debugConfig,
        Coord: place && shownPlace(place.coordinate),
        Member: ownShape(facts),
        Stats: statsOf(facts, list, lastIndex(host.ports.tables.view()), host.stats().length, knownServers),
        Meta: { ...facts.nodeMeta, 'consul-network-segment': '' },
        Tribune: { Version: facts.version },
      },
    }
  },
}

/** GET /v1/agent/members: whom this agent knows, at least itself. */
export const agentMembersRoute: Route = {
  method: 'GET',
  path: '/v1/agent/members',
  async run({ query }, { asked, awaited }) {
    const segment = query.get('segment') ?? ''
    if (segment !== '' && query.has('wan')) return { status: 400, text: 'Cannot provide a segment with wan=true' }
    if (segment !== '' && segment !== '_all') return { status: 500, text: 'Network segments are not supported in this version of Consul' }
    const facts = await asked(localRef, 'facts', null)
    if (isRefused(facts)) return facts
    const own = ownShape(facts)
    if (query.has('wan')) {
      return { json: facts.server ? [{ ...own, Name: `${facts.node}.${facts.datacenter}`, Port: facts.ports.serfWan }] : null }
    }
    const members = await awaited(membershipRef, 'members', null, () => true, MEMBERS_WITHIN_MS)
    return { json: members === undefined || members.value.length === 0 ? [own] : members.value.map(memberShape) }
  },
}

function shownPlace({ vec, error, adjustment, height }: Coordinate): object {
  return { Vec: vec, Error: error, Adjustment: adjustment, Height: height }
}

function ownShape(facts: AgentFacts): Record<string, unknown> {
  const { node: name, address, ports } = facts
  return memberShape({ name, address, port: ports.serfLan, tags: memberTags(facts), status: 'alive' })
}

function memberShape({
  name,
  address,
  port,
  tags,
  status,
}: Pick<Member, 'name' | 'address' | 'port' | 'tags' | 'status'>): Record<string, unknown> {
  return {
    Name: name,
    Addr: address,
    Port: port,
    Tags: tags,
    Status: STATUS_NUMBERS[status],
    ProtocolMin: 1,
    ProtocolMax: 5,
    ProtocolCur: 2,
    DelegateMin: 2,
    DelegateMax: 5,
    DelegateCur: 4,
  }
}

const MEMBERS_WITHIN_MS = 1_000
/** Of Serf. Whoever is only suspected is alive. */
const STATUS_NUMBERS: Readonly<Record<Member['status'], number>> = { alive: 1, suspect: 1, leaving: 2, left: 3, failed: 4 }
const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' }
/** Consul's first election gives this one to a server that is alone. */
const RAFT_TERM = '2'
/** Of a pool with nobody else in it. */
const SERF_STATS = {
  encrypted: 'false',
  event_queue: '0',
  failed: '0',
  health_score: '0',
  intent_queue: '0',
  left: '0',
  members: '1',
  query_queue: '0',
}

/** Facts for people, in sections, all as text. */
function statsOf(
  facts: AgentFacts,
  { services, checks }: LocalList,
  index: number,
  actors: number,
  knownServers: number,
): Record<string, Record<string, string>> {
  const { server, compatibleVersion } = facts
  const ttls = checks.filter(({ type }) => type === 'ttl').length
  const monitors = checks.filter(({ type }) => type === 'http' || type === 'tcp' || type === 'script').length
  return {
    agent: { check_monitors: String(monitors), check_ttls: String(ttls), checks: String(checks.length), services: String(services.length) },
    build: { prerelease: '', revision: '', version: compatibleVersion },
    ...(server ? serverStats(facts, index) : { consul: { acl: 'disabled', known_servers: String(knownServers), server: 'false' } }),
    runtime: {
      arch: GO_ARCHITECTURES[process.arch] ?? process.arch,
      cpu_count: String(os.availableParallelism()),
      goroutines: String(actors),
      max_procs: String(os.availableParallelism()),
      os: process.platform,
      version: `node ${process.version}`,
    },
    serf_lan: { ...SERF_STATS, encrypted: String(facts.isEncrypted) },
    ...(server && { serf_wan: SERF_STATS }),
    tribune: { version: facts.version },
  }
}

function serverStats({ server, address, ports }: AgentFacts, index: number): Record<string, Record<string, string>> {
  return {
    consul: {
      acl: 'disabled',
      bootstrap: String(server),
      known_datacenters: '1',
      leader: String(server),
      leader_addr: `${address.includes(':') ? `[${address}]` : address}:${ports.server}`,
      server: String(server),
    },
    raft: {
      applied_index: String(index),
      commit_index: String(index),
      fsm_pending: '0',
      last_contact: '0',
      last_log_index: String(index),
      last_log_term: RAFT_TERM,
      num_peers: '0',
      protocol_version: '3',
      state: 'Leader',
      term: RAFT_TERM,
    },
  }
}
