import { autopilotRef } from '../actors/autopilot/index.ts'
import { serviceInstances } from '../actors/catalog/queries.ts'
import { SERVER_SERVICE } from '../actors/catalog/tables.ts'
import { lastIndex } from '../actors/command.ts'
import { type ClusterMember, formationRef, type ServerStatus } from '../actors/formation/protocol.ts'
import { type AgentFacts, localRef } from '../actors/local/protocol.ts'
import { leaderOf } from '../actors/servers/commands.ts'
import { contactOf } from './http/answers.ts'
import type { EdgeContext } from './http/context.ts'
import { isRefused, type Result, refuse } from './kernel/refusal.ts'
import type { View } from './kernel/tables.ts'

type Asking = Pick<EdgeContext, 'asked' | 'host'>

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

export type Cluster = { servers: ClusterMember[]; term: number; isOwn: boolean }
export type Reported = ClusterMember & {
  isHealthy: boolean
  contactMs: number
  index: number
  startedMs: number
  term: number
  meta: Record<string, string>
}
/** `tolerance`: so many servers may be lost. */
export type Report = { servers: Reported[]; isHealthy: boolean; tolerance: number }

export const UNLED = refuse('busy', 'No cluster leader')
/** Without elections there is one term; Consul's first one with a leader is this. */
const TERM = 2
const STATUS_WITHIN_MS = 1_000
/** Go's time zero. */
const NEVER_MS = Date.parse('0001-01-01T00:00:00Z')

/** Nobody can say who belongs to a cluster while nobody leads it. */
export function isLed({ host }: Asking): boolean {
  return contactOf(host).isLed
}

/** The servers, as their own cluster or the catalog has them. */
export async function clusterOf({ asked, host }: Asking): Promise<Result<Cluster>> {
  const cluster = await asked(formationRef, 'members', null)
  if (isRefused(cluster)) return cluster
  if (cluster.members) return { servers: cluster.members, term: cluster.term, isOwn: true }
  return { servers: serversOf(host.ports.tables.view()), term: contactOf(host).term || TERM, isOwn: false }
}

/** How each server is, and all of them together. */
export async function reportOf(context: Asking, token: string): Promise<Result<Report>> {
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
  { asked, host }: Asking,
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
