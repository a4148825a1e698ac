import type { AutopilotRecord, AutopilotSettings } from '../../../actors/autopilot/commands.ts'
import { autopilotRef } from '../../../actors/autopilot/index.ts'
import { serviceInstances } from '../../../actors/catalog/queries.ts'
import { SERVER_SERVICE } from '../../../actors/catalog/tables.ts'
import { lastIndex } from '../../../actors/command.ts'
import { type AgentFacts, localRef } from '../../../actors/local/protocol.ts'
import { leaderOf } from '../../../actors/servers/commands.ts'
import { formatDuration, parseDuration } from '../../config/durations.ts'
import { listedErrors } from '../../config/errors.ts'
import { isRefused, type Result, refuse } from '../../kernel/refusal.ts'
import type { View } from '../../kernel/tables.ts'
import { decodeBody } from '../decode-body.ts'
import { type HttpReply, question, type Route } from '../route.ts'

/** GET /v1/operator/raft/configuration: the servers, and which one leads. */
export const raftConfigurationRoute: Route = {
  method: 'GET',
  path: '/v1/operator/raft/configuration',
  read: (_request, view) => ({ json: { Servers: servers(view).map(shownServer), Index: 0 } }),
}

/** DELETE /v1/operator/raft/peer?id= or ?address= */
export const raftPeerRoute: Route = {
  method: 'DELETE',
  path: '/v1/operator/raft/peer',
  async run({ query }, { host }) {
    const id = query.get('id') ?? ''
    const address = query.get('address') ?? ''
    if (id === '' && address === '')
      return badRequest(`Must specify either ?id with the server's ID or ?address with IP:port of peer to remove`)
    if (id !== '' && address !== '') return badRequest('Must specify only one of ?id or ?address')
    const known = servers(host.ports.tables.view())
    const left = known.filter((server) => server.id !== id && server.address !== address)
    if (left.length === known.length) {
      const named = id === '' ? `address ${JSON.stringify(address)}` : `id ${JSON.stringify(id)}`
      return { status: 500, text: `${named} was not found in the Raft configuration` }
    }
    return {
      status: 500,
      text: left.length === 0 ? 'need at least one voter in configuration: {[]}' : 'servers of this version leave by themselves',
    }
  },
}

/** GET /v1/operator/autopilot/configuration */
export const autopilotConfigurationRoute: Route = {
  method: 'GET',
  path: '/v1/operator/autopilot/configuration',
  ask: ({ token }) => question(autopilotRef, 'get', { token }),
  reply: (record: AutopilotRecord) => ({ json: shownSettings(record) }),
}

/** PUT /v1/operator/autopilot/configuration?cas= */
export const autopilotSetRoute: Route = {
  method: 'PUT',
  path: '/v1/operator/autopilot/configuration',
  ask({ body, query, token }) {
    const settings = settingsOf(body)
    if (isRefused(settings)) return badRequest(`Error parsing autopilot config: ${settings.why}`)
    const cas = query.get('cas')
    if (cas === null || cas === '') return question(autopilotRef, 'set', { settings, token })
    if (!/^\d{1,20}$/.test(cas)) {
      return badRequest(`Error parsing cas value: strconv.ParseUint: parsing ${JSON.stringify(cas)}: invalid syntax`)
    }
    return question(autopilotRef, 'set', { settings, cas: Number(cas), token })
  },
  reply: ({ applied }: { applied: boolean }) => ({ json: applied }),
}

/** GET /v1/operator/autopilot/health: 429 unless all servers are well. */
export const autopilotHealthRoute: Route = {
  method: 'GET',
  path: '/v1/operator/autopilot/health',
  async run(_request, { host, asked }) {
    const facts = await asked(localRef, 'facts', null)
    if (isRefused(facts)) return facts
    const view = host.ports.tables.view()
    const list = servers(view).map((server) => healthOf(server, facts, lastIndex(view)))
    const isHealthy = list.length > 0
    const json = { Healthy: isHealthy, FailureTolerance: toleranceOf(list.length), Servers: list }
    return { status: isHealthy ? 200 : 429, json }
  },
}

/** GET /v1/operator/autopilot/state */
export const autopilotStateRoute: Route = {
  method: 'GET',
  path: '/v1/operator/autopilot/state',
  async run(_request, { host, asked }) {
    const facts = await asked(localRef, 'facts', null)
    if (isRefused(facts)) return facts
    const view = host.ports.tables.view()
    const known = servers(view)
    const tolerance = toleranceOf(known.length)
    const json = {
      Healthy: known.length > 0,
      FailureTolerance: tolerance,
      OptimisticFailureTolerance: tolerance,
      Servers: Object.fromEntries(known.map((server) => [server.id, stateOf(server, facts, lastIndex(view))])),
      Leader: known.find(({ isLeader }) => isLeader)?.id ?? '',
      Voters: known.map(({ id }) => id),
    }
    return { json }
  },
}

/** Keys of gossip come from the configuration: while agents run they are neither shown nor changed. */
export const keyringRoutes: readonly Route[] = (['GET', 'POST', 'PUT', 'DELETE'] as const).map(
  (method): Route => ({
    method,
    path: '/v1/operator/keyring',
    ask({ query, body }) {
      const wrong = keyringFault(method, query, body)
      return wrong === undefined ? question(localRef, 'facts', null) : badRequest(wrong)
    },
    reply: ({ node, datacenter, isEncrypted }: AgentFacts) => ({
      status: 500,
      text: listedErrors([
        'WAN error: 1/1 nodes reported failure',
        `${node}.${datacenter}: ${KEYRING_EMPTY}`,
        `${datacenter} (LAN) error: 1/1 nodes reported failure`,
        `${node}: ${isEncrypted ? KEYRING_FIXED : KEYRING_EMPTY}`,
      ]),
    }),
  }),
)

export const operatorRoutes: readonly Route[] = [
  raftConfigurationRoute,
  raftPeerRoute,
  autopilotConfigurationRoute,
  autopilotSetRoute,
  autopilotHealthRoute,
  autopilotStateRoute,
  ...keyringRoutes,
]

type Server = { id: string; node: string; address: string; isLeader: boolean; meta: Record<string, string> }

const KEYRING_EMPTY = 'Keyring is empty (encryption not enabled)'
const KEYRING_FIXED = 'this version takes its one key from "encrypt" and neither shows nor changes it while it runs'
/** There are no elections, so there is one term; Consul's first one with a leader is this. */
const TERM = 2

function servers(view: View): Server[] {
  const leader = leaderOf(view)
  return serviceInstances(view, SERVER_SERVICE).instances.map(({ node, instance: { port } }, position) => ({
    id: node.id,
    node: node.name,
    address: node.address.includes(':') ? `[${node.address}]:${port}` : `${node.address}:${port}`,
    isLeader: leader === undefined ? position === 0 : node.id === leader,
    meta: node.meta ?? {},
  }))
}

function shownServer({ id, node, address, isLeader }: Server): object {
  return { ID: id, Node: node, Address: address, Leader: isLeader, ProtocolVersion: '3', Voter: true }
}

function healthOf({ id, node, address, isLeader }: Server, { compatibleVersion }: AgentFacts, index: number): object {
  return {
    ID: id,
    Name: node,
    Address: address,
    SerfStatus: 'alive',
    Version: compatibleVersion,
    Leader: isLeader,
    LastContact: '0s',
    LastTerm: TERM,
    LastIndex: index,
    Healthy: true,
    Voter: true,
    StableSince: startedAt(),
  }
}

function stateOf({ id, node, address, isLeader, meta }: Server, { compatibleVersion }: AgentFacts, index: number): object {
  return {
    ID: id,
    Name: node,
    Address: address,
    NodeStatus: 'alive',
    Version: compatibleVersion,
    LastContact: '0s',
    LastTerm: TERM,
    LastIndex: index,
    Healthy: true,
    StableSince: startedAt(),
    ReadReplica: false,
    Status: isLeader ? 'leader' : 'voter',
    Meta: meta,
    NodeType: 'voter',
  }
}

/** When this program began, to the second. */
function startedAt(): string {
  return new Date(Date.now() - process.uptime() * 1_000).toISOString().replace(/\.\d+Z$/, 'Z')
}

/** How many of so many servers may fail while the others still agree. */
function toleranceOf(count: number): number {
  return Math.max(0, Math.floor((count - 1) / 2))
}

function shownSettings({ createIndex, modifyIndex, ...settings }: AutopilotRecord): object {
  return {
    CleanupDeadServers: settings.cleanupDeadServers,
    LastContactThreshold: formatDuration(settings.lastContactThresholdMs),
    MaxTrailingLogs: settings.maxTrailingLogs,
    MinQuorum: settings.minQuorum,
    ServerStabilizationTime: formatDuration(settings.serverStabilizationTimeMs),
    RedundancyZoneTag: settings.redundancyZoneTag,
    DisableUpgradeMigration: settings.disableUpgradeMigration,
    UpgradeVersionTag: settings.upgradeVersionTag,
    CreateIndex: createIndex,
    ModifyIndex: modifyIndex,
  }
}

/** What is not given is zero, as in Consul. */
function settingsOf(body: Buffer): Result<AutopilotSettings> {
  const decoded = decodeBody(body, SETTINGS_FIELDS)
  if (isRefused(decoded)) return decoded
  const contact = durationOf(decoded.LastContactThreshold)
  if (isRefused(contact)) return contact
  const stable = durationOf(decoded.ServerStabilizationTime)
  if (isRefused(stable)) return stable
  const counts = [decoded.MaxTrailingLogs ?? 0, decoded.MinQuorum ?? 0]
  const odd = counts.find((count) => !Number.isSafeInteger(count) || count < 0)
  if (odd !== undefined) return refuse('invalid', `json: cannot unmarshal number ${odd} into a field of type uint`)
  return {
    cleanupDeadServers: decoded.CleanupDeadServers ?? false,
    lastContactThresholdMs: contact,
    maxTrailingLogs: decoded.MaxTrailingLogs ?? 0,
    minQuorum: decoded.MinQuorum ?? 0,
    serverStabilizationTimeMs: stable,
    redundancyZoneTag: decoded.RedundancyZoneTag ?? '',
    disableUpgradeMigration: decoded.DisableUpgradeMigration ?? false,
    upgradeVersionTag: decoded.UpgradeVersionTag ?? '',
  }
}

const SETTINGS_FIELDS = {
  CleanupDeadServers: 'boolean',
  LastContactThreshold: 'any',
  MaxTrailingLogs: 'number',
  MinQuorum: 'number',
  ServerStabilizationTime: 'any',
  RedundancyZoneTag: 'string',
  DisableUpgradeMigration: 'boolean',
  UpgradeVersionTag: 'string',
  CreateIndex: 'ignored',
  ModifyIndex: 'ignored',
} as const

/** In Go's notation, or a number of nanoseconds. */
function durationOf(value: unknown): Result<number> {
  if (value === undefined) return 0
  if (typeof value === 'number') return value / NANOSECONDS_PER_MS
  return typeof value === 'string' ? parseDuration(value) : refuse('invalid', 'json: a duration is a text or a number')
}

const NANOSECONDS_PER_MS = 1e6

function keyringFault(method: string, query: URLSearchParams, body: Buffer): string | undefined {
  const factor = query.get('relay-factor') ?? ''
  if (factor !== '' && !/^\d+$/.test(factor)) {
    return `Error parsing relay factor: strconv.Atoi: parsing ${JSON.stringify(factor)}: invalid syntax`
  }
  if (Number(factor) > 5) return `Invalid relay factor: Relay factor must be in range: [0, 5]`
  const local = query.get('local-only') ?? ''
  if (local !== '' && !['true', 'false', '1', '0', 't', 'f', 'T', 'F', 'TRUE', 'FALSE', 'True', 'False'].includes(local)) {
    return `Error parsing local-only: strconv.ParseBool: parsing ${JSON.stringify(local)}: invalid syntax`
  }
  if (method === 'GET') return undefined
  if (local !== '' && /^[1tT]/.test(local)) return 'local-only can only be used for GET requests'
  const decoded = decodeBody(body, { Key: 'string' })
  return isRefused(decoded) ? `Request decode failed: ${decoded.why}` : undefined
}

function badRequest(text: string): HttpReply {
  return { status: 400, text: `Bad request: ${text}` }
}
