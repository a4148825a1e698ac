import { type ClusterMember, formationRef } from '../../../actors/formation/protocol.ts'
import { clusterOf, isLed, type Reported, reportOf, serversOf, UNLED } from '../../cluster-report.ts'
import { formatDuration } from '../../config/durations.ts'
import { isRefused } from '../../kernel/refusal.ts'
import { type HttpReply, question, type Route } from '../route.ts'

const NO_LEADER: HttpReply = { status: 500, text: UNLED.why }

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
