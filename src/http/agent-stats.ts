import os from 'node:os'
import { serviceInstances } from '../../actors/catalog/queries.ts'
import { SERVER_SERVICE } from '../../actors/catalog/tables.ts'
import { lastIndex } from '../../actors/command.ts'
import type { AgentFacts, LocalList } from '../../actors/local/protocol.ts'
import type { Member } from '../../actors/membership/protocol.ts'
import { leaderOf } from '../../actors/servers/commands.ts'
import { formatDuration } from '../config/durations.ts'
import type { LogContact } from '../kernel/ports.ts'
import type { View } from '../kernel/tables.ts'

export type StatsSource = {
  facts: AgentFacts
  list: LocalList
  /** Of the datacenter; none where they are not known yet. */
  members: readonly Pick<Member, 'status' | 'tags'>[]
  healthScore: number
  /** The same of the servers of all datacenters. */
  wan: { members: readonly Pick<Member, 'status'>[]; healthScore: number }
  /** How many there are, the own one too; counted at servers only. */
  datacenters: number
  view: View
  contact: LogContact
  /** How many run on this thread. */
  actors: number
}

/** Facts for people, in sections, all as text. */
export function agentStats(source: StatsSource): Record<string, Record<string, string>> {
  const { facts, list, members, actors } = source
  const { server, compatibleVersion } = facts
  const { services, checks } = list
  const ttls = checks.filter(({ type }) => type === 'ttl').length
  const monitors = checks.filter(({ type }) => type === 'http' || type === 'tcp' || type === 'script').length
  const knownServers = members.filter(({ tags, status }) => tags['role'] === 'consul' && status === 'alive').length
  return {
    agent: { check_monitors: String(monitors), check_ttls: String(ttls), checks: String(checks.length), services: String(services.length) },
    build: { prerelease: '', revision: '', version: compatibleVersion },
    ...(server ? serverStats(source) : { consul: { acl: 'disabled', known_servers: String(knownServers), server: 'false' } }),
    runtime: {
      arch: GO_ARCHITECTURES[process.arch] ?? process.arch,
      cpu_count: String(os.availableParallelism()),
      goroutines: String(actors),
      max_procs: String(os.availableParallelism()),
      os: process.platform,
      version: `node ${process.version}`,
    },
    serf_lan: poolStats(source),
    ...(server && { serf_wan: poolStats({ ...source, ...source.wan }) }),
    tribune: { version: facts.version },
  }
}

const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' }
/** Consul's first election gives this one to a server that is alone. */
const RAFT_TERM = '2'
/** Of a pool with nobody else in it. */
const ALONE = {
  encrypted: 'false',
  event_queue: '0',
  failed: '0',
  health_score: '0',
  intent_queue: '0',
  left: '0',
  members: '1',
  query_queue: '0',
}

/** Members of a pool are all that it remembers, those that failed or left too, as in Serf. */
function poolStats({
  facts,
  members,
  healthScore,
}: Pick<StatsSource, 'facts' | 'healthScore'> & Pick<StatsSource['wan'], 'members'>): Record<string, string> {
  const count = (wanted: Member['status']) => String(members.filter(({ status }) => status === wanted).length)
  return {
    ...ALONE,
    encrypted: String(facts.isEncrypted),
    failed: count('failed'),
    health_score: String(healthScore),
    left: count('left'),
    members: String(Math.max(members.length, 1)),
  }
}

/** Who shares the log with nobody leads. */
function serverStats({ facts, view, datacenters, contact }: StatsSource): Record<string, Record<string, string>> {
  const index = String(lastIndex(view))
  const leader = leaderOf(view)
  const isLeader = contact.isLed && (leader === undefined || leader === facts.nodeId)
  const servers = serviceInstances(view, SERVER_SERVICE).instances
  const found = isLeader || !contact.isLed ? undefined : servers.find(({ node }) => node.id === leader)
  const term = contact.term > 0 ? String(contact.term) : RAFT_TERM
  const leaderAddress = found ? placeOf(found.node.address, found.instance.port) : ''
  return {
    consul: {
      acl: 'disabled',
      bootstrap: String(leader === undefined && contact.isLed),
      known_datacenters: String(datacenters),
      leader: String(isLeader),
      leader_addr: isLeader ? placeOf(facts.address, facts.ports.server) : leaderAddress,
      server: 'true',
    },
    raft: {
      applied_index: index,
      commit_index: index,
      fsm_pending: '0',
      last_contact: isLeader ? '0' : Number.isFinite(contact.silentMs) ? formatDuration(contact.silentMs) : 'never',
      last_log_index: index,
      last_log_term: term,
      num_peers: String(Math.max(servers.length - 1, 0)),
      protocol_version: '3',
      state: isLeader ? 'Leader' : 'Follower',
      term,
    },
  }
}

function placeOf(address: string, port: number): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`
}
