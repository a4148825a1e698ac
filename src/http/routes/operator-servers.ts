import { autopilotRef } from '../../../actors/autopilot/index.ts'
import { serviceInstances } from '../../../actors/catalog/queries.ts'
import { SERVER_SERVICE } from '../../../actors/catalog/tables.ts'
import { lastIndex } from '../../../actors/command.ts'
import { type ClusterMember, formationRef, type ServerStatus } from '../../../actors/formation/protocol.ts'
import { type AgentFacts, localRef } from '../../../actors/local/protocol.ts'
import { leaderOf } from '../../../actors/servers/commands.ts'
import { formatDuration } from '../../config/durations.ts'
import { isRefused, type Result, refuse } from '../../kernel/refusal.ts'
import type { View } from '../../kernel/tables.ts'
import { contactOf } from '../answers.ts'
import type { EdgeContext } from '../context.ts'
import { type HttpReply, question, type Route } from '../route.ts'

/** GET /v1/operator/raft/configuration: the servers, and which one leads. */
export const raftConfigurationRoute: Route = {
  method: 'GET',
  path: '/v1/operator/raft/configuration',
  async run({ query }, context) {
    const cluster = isLed(context) || query.has('stale') ? await clusterOf(context) : UNLED
    return isRefused(cluster) ? NO_LEADER : { json: { Servers: cluster.servers.map(shownServer), Index: 0 } }
  },
}

/** DELETE /v1/operator/raft/peer?id= or ?address= */
export const raftPeerRoute: Route = {
  method: 'DELETE',
  path: '/v1/operator/raft/peer',
  statusOf: { missing: 500, conflict: 500, busy: 500, late: 500 },
  async run({ query, token }, { host, asked }) {
    const id = query.get('id') ?? ''
    const address = query.get('address') ?? ''
    if (id === '' && address === '')
      return badRequest(`Must specify either ?id with the server's ID or ?address with IP:port of peer to remove`)
    if (id !== '' && address !== '') return badRequest('Must specify only one of ?id or ?address')
    const cluster = await asked(formationRef, 'members', null)
    if (isRefused(cluster)) return NO_LEADER
    if (cluster.members) {
      const removed = await asked(formationRef, 'remove', { id, address, token })
      return isRefused(removed) ? removed : {}
    }
    const known = serversOf(host.ports.tables.view())
    const left = known.filter((server) => server.id !== id && server.address !== address)
    if (left.length === known.length) {
      const named = id === '' ? `address ${JSON.stringify(address)}` : `id ${JSON.stringify(id)}`
      return { status: 500, text: `${named} was not found in the Raft configuration` }
    }
    const why = left.length === 0 ? 'need at least one voter in configuration: {[]}' : 'servers that share a given etcd leave by themselves'
    return { status: 500, text: why }
  },
}

/** GET /v1/operator/autopilot/health: 429 unless all servers are well. */
export const autopilotHealthRoute: Route = {
  method: 'GET',
  path: '/v1/operator/autopilot/health',
  async run({ token }, context) {
    const report = await reportOf(context, token)
    if (isRefused(report)) return NO_LEADER
    const { servers, isHealthy, tolerance } = report
    const json = { Healthy: isHealthy, FailureTolerance: tolerance, Servers: servers.map((server) => healthOf(server)) }
    return { status: isHealthy ? 200 : 429, json }
  },
}

/** GET /v1/operator/autopilot/state */
export const autopilotStateRoute: Route = {
  method: 'GET',
  path: '/v1/operator/autopilot/state',
  async run({ token }, context) {
    const report = await reportOf(context, token)
    if (isRefused(report)) return NO_LEADER
    const { servers, isHealthy, tolerance } = report
    const json = {
      Healthy: isHealthy,
      FailureTolerance: tolerance,
      OptimisticFailureTolerance: tolerance,
      Servers: Object.fromEntries(servers.map((server) => [server.id, stateOf(server)])),
      Leader: servers.find(({ leads }) => leads)?.id ?? '',
      Voters: servers.filter(({ votes }) => votes).map(({ id }) => id),
    }
    return { json }
  },
}

/** PUT /v1/tribune/servers/migrate: the state of a server alone becomes what several servers begin to share. */
export const migrateRoute: Route = {
  method: 'PUT',
  path: '/v1/tribune/servers/migrate',
  statusOf: { conflict: 409 },
  ask: ({ token }) => question(formationRef, 'migrate', { token }),
  reply: ({ id }: { id: string }) => ({ json: { Log: id } }),
}

export const operatorServersRoutes: readonly Route[] = [
  raftConfigurationRoute,
  raftPeerRoute,
  autopilotHealthRoute,
  autopilotStateRoute,
  migrateRoute,
]

/** Every server in the catalog, in its order: all there are without an etcd of their own. */
export function serversOf(view: View): ClusterMember[] {
  const leader = leaderOf(view)
  return serviceInstances(view, SERVER_SERVICE).instances.map(({ node, instance: { port } }, position) => ({
    id: node.id,
    name: node.name,
    address: node.address.includes(':') ? `[${node.address}]:${port}` : `${node.address}:${port}`,
    leads: leader === undefined ? position === 0 : node.id === leader,
    votes: true,
    serf: 'alive',
    version: '',
  }))
}

type Cluster = { servers: ClusterMember[]; term: number; isOwn: boolean }
type Reported = ClusterMember & {
  isHealthy: boolean
  contactMs: number
  index: number
  startedMs: number
  term: number
  meta: Record<string, string>
}
type Report = { servers: Reported[]; isHealthy: boolean; tolerance: number }

const UNLED = refuse('busy', 'No cluster leader')
const NO_LEADER: HttpReply = { status: 500, text: 'No cluster leader' }
/** Without elections there is one term; Consul's first one with a leader is this. */
const TERM = 2
const STATUS_WITHIN_MS = 1_000

/** Nobody can say who belongs to a cluster while nobody leads it. */
function isLed({ host }: EdgeContext): boolean {
  return contactOf(host).isLed
}

async function clusterOf({ asked, host }: EdgeContext): Promise<Result<Cluster>> {
  const cluster = await asked(formationRef, 'members', null)
  if (isRefused(cluster)) return cluster
  if (cluster.members) return { servers: cluster.members, term: cluster.term, isOwn: true }
  return { servers: serversOf(host.ports.tables.view()), term: contactOf(host).term || TERM, isOwn: false }
}

async function reportOf(context: EdgeContext, token: string): Promise<Result<Report>> {
  const { asked, host } = context
  if (!isLed(context)) return UNLED
  const [cluster, facts, settings] = await Promise.all([
    clusterOf(context),
    asked(localRef, 'facts', null),
    asked(autopilotRef, 'get', { token }),
  ])
  if (isRefused(cluster)) return cluster
  if (isRefused(facts)) return facts
  if (isRefused(settings)) return settings
  const statuses = await Promise.all(cluster.servers.map((server) => statusOf(context, cluster, server)))
  const meta = new Map(serviceInstances(host.ports.tables.view(), SERVER_SERVICE).instances.map(({ node }) => [node.id, node.meta ?? {}]))
  const servers = cluster.servers.map((server, at) => {
    const found = reported(server, statuses[at], cluster.term, facts, meta.get(server.id) ?? {})
    return { ...found, isHealthy: found.isHealthy && (found.leads || found.contactMs <= settings.lastContactThresholdMs) }
  })
  const voters = servers.filter(({ votes }) => votes)
  const spare = voters.filter(({ isHealthy }) => isHealthy).length - (Math.floor(voters.length / 2) + 1)
  return { servers, isHealthy: servers.length > 0 && servers.every(({ isHealthy }) => isHealthy), tolerance: Math.max(0, spare) }
}

/** What each server says of itself; of those over a given etcd it is what this one knows. */
async function statusOf(
  { asked, host }: EdgeContext,
  { isOwn }: Cluster,
  { name, serf }: ClusterMember,
): Promise<Result<ServerStatus> | undefined> {
  if (!isOwn) return { index: lastIndex(host.ports.tables.view()), startedMs: Date.now() - process.uptime() * 1_000, contactMs: 0 }
  if (name === '' || serf !== 'alive') return undefined
  return asked(name === host.node ? formationRef : { ...formationRef, node: name }, 'status', null, STATUS_WITHIN_MS)
}

function reported(
  server: ClusterMember,
  status: Result<ServerStatus> | undefined,
  term: number,
  { compatibleVersion }: AgentFacts,
  meta: Record<string, string>,
): Reported {
  const version = server.version === '' ? compatibleVersion : server.version
  const known = status === undefined || isRefused(status) ? undefined : status
  const { index = 0, startedMs = NEVER_MS, contactMs = 0 } = known ?? {}
  return { ...server, version, isHealthy: known !== undefined, contactMs: server.leads ? 0 : contactMs, index, startedMs, term, meta }
}

/** Go's time zero. */
const NEVER_MS = Date.parse('0001-01-01T00:00:00Z')

function shownServer({ id, name, address, leads, votes }: ClusterMember): object {
  return { ID: id, Node: name === '' ? '(unknown)' : name, Address: address, Leader: leads, ProtocolVersion: '3', Voter: votes }
}

function healthOf({ id, name, address, leads, votes, serf, version, isHealthy, contactMs, index, term, startedMs }: Reported): object {
  return {
    ID: id,
    Name: name,
    Address: address,
    SerfStatus: serf === '' ? 'none' : serf,
    Version: version,
    Leader: leads,
    LastContact: formatDuration(contactMs),
    LastTerm: isHealthy ? term : 0,
    LastIndex: index,
    Healthy: isHealthy,
    Voter: votes,
    StableSince: toSecond(startedMs),
  }
}

function stateOf({ id, name, address, leads, votes, serf, version, isHealthy, contactMs, index, term, startedMs, meta }: Reported): object {
  return {
    ID: id,
    Name: name,
    Address: address,
    NodeStatus: serf === '' ? 'none' : serf,
    Version: version,
    LastContact: formatDuration(contactMs),
    LastTerm: isHealthy ? term : 0,
    LastIndex: index,
    Healthy: isHealthy,
    StableSince: toSecond(startedMs),
    ReadReplica: false,
    Status: leads ? 'leader' : votes ? 'voter' : 'non-voter',
    Meta: meta,
    NodeType: 'voter',
  }
}

function toSecond(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}

function badRequest(text: string): HttpReply {
  return { status: 400, text: `Bad request: ${text}` }
}
