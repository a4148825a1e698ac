import os from 'node:os'
import { lastIndex } from '../../../actors/command.ts'
import { type AgentFacts, type LocalList, localRef } from '../../../actors/local/protocol.ts'
import { isRefused } from '../../kernel/refusal.ts'
import { question, type Route } from '../route.ts'

/** GET /v1/agent/self */
export const agentSelfRoute: Route = {
  method: 'GET',
  path: '/v1/agent/self',
  async run(_request, { host, asked, settings }) {
    const facts = await asked(localRef, 'facts', null)
    if (isRefused(facts)) return facts
    const list = await asked(localRef, 'list', null)
    if (isRefused(list)) return list
    const { datacenter, primaryDatacenter, node, nodeId, server, compatibleVersion } = facts
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
        Coord: settings.coordinates ? { Vec: [0, 0, 0, 0, 0, 0, 0, 0], Error: 1.5, Adjustment: 0, Height: 1e-5 } : null,
        Member: memberShape(facts),
        Stats: statsOf(facts, list, lastIndex(host.ports.tables.view()), host.stats().length),
        Meta: { ...facts.nodeMeta, 'consul-network-segment': '' },
        Tribune: { Version: facts.version },
      },
    }
  },
}

/** GET /v1/agent/members: this agent, as long as there is no other. */
export const agentMembersRoute: Route = {
  method: 'GET',
  path: '/v1/agent/members',
  ask({ query }) {
    const segment = query.get('segment') ?? ''
    if (segment !== '' && query.has('wan')) return { status: 400, text: 'Cannot provide a segment with wan=true' }
    if (segment !== '' && segment !== '_all') return { status: 500, text: 'Network segments are not supported in this version of Consul' }
    return question(localRef, 'facts', null)
  },
  reply(facts: AgentFacts, { query }) {
    const member = memberShape(facts)
    if (!query.has('wan')) return { json: [member] }
    return { json: facts.server ? [{ ...member, Name: `${facts.node}.${facts.datacenter}`, Port: facts.ports.serfWan }] : null }
  },
}

function memberShape({ node, address, ports, datacenter, nodeId, server, compatibleVersion }: AgentFacts): Record<string, unknown> {
  const serverTags = server && {
    port: String(ports.server),
    raft_vsn: '3',
    ...(ports.serfWan > 0 && { wan_join_port: String(ports.serfWan) }),
  }
  const tags: Record<string, string> = {
    acls: '0',
    build: `${compatibleVersion}:`,
    dc: datacenter,
    ...(server && { ft_fs: '1', ft_si: '1' }),
    id: nodeId,
    ...serverTags,
    role: server ? 'consul' : 'node',
    segment: '',
    vsn: '2',
    vsn_max: '3',
    vsn_min: '2',
  }
  return {
    Name: node,
    Addr: address,
    Port: ports.serfLan,
    Tags: Object.fromEntries(Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1))),
    Status: 1,
    ProtocolMin: 1,
    ProtocolMax: 5,
    ProtocolCur: 2,
    DelegateMin: 2,
    DelegateMax: 5,
    DelegateCur: 4,
  }
}

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
): Record<string, Record<string, string>> {
  const { server, address, ports, compatibleVersion } = facts
  const ttls = checks.filter(({ type }) => type === 'ttl').length
  const monitors = checks.filter(({ type }) => type === 'http' || type === 'tcp' || type === 'script').length
  return {
    agent: { check_monitors: String(monitors), check_ttls: String(ttls), checks: String(checks.length), services: String(services.length) },
    build: { prerelease: '', revision: '', version: compatibleVersion },
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
    runtime: {
      arch: GO_ARCHITECTURES[process.arch] ?? process.arch,
      cpu_count: String(os.availableParallelism()),
      goroutines: String(actors),
      max_procs: String(os.availableParallelism()),
      os: process.platform,
      version: `node ${process.version}`,
    },
    serf_lan: SERF_STATS,
    ...(server && { serf_wan: SERF_STATS }),
    tribune: { version: facts.version },
  }
}
