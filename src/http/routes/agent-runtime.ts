import { agentRef } from '../../../actors/agent.ts'
import { localRef } from '../../../actors/local/protocol.ts'
import { membershipRef, wanMembershipRef } from '../../../actors/membership/protocol.ts'
import { DEFAULT_PORT, DEFAULT_WAN_PORT, readGossipAddress } from '../../config/build-gossip.ts'
import type { LogLevel, ProcessOutcome } from '../../kernel/ports.ts'
import { isRefused } from '../../kernel/refusal.ts'
import type { EdgeContext } from '../context.ts'
import { type HttpRequest, question, type Route } from '../route.ts'

/** GET /v1/agent/metrics */
export const agentMetricsRoute: Route = {
  method: 'GET',
  path: '/v1/agent/metrics',
  statusOf: { conflict: 415 },
  ask: (request) => question(agentRef, 'metrics', { format: wantsPrometheus(request) ? 'prometheus' : 'json', token: request.token }),
  reply: ({ metrics = {} }: ProcessOutcome) =>
    metrics.text === undefined ? { json: metrics.json ?? {} } : { text: metrics.text, type: PROMETHEUS_TYPE },
}

/** GET /v1/agent/monitor: the log as it comes, until the client or the agent ends it. */
export const agentMonitorRoute: Route = {
  method: 'GET',
  path: '/v1/agent/monitor',
  async run({ query, token }, context) {
    const wanted = query.get('loglevel') || 'INFO'
    const level = LEVELS.get(wanted.toUpperCase())
    if (level === undefined) return { status: 400, text: `Bad request: Unknown log level: ${wanted}` }
    const request = { level, json: query.has('logjson'), token }
    const first = await context.asked(agentRef, 'log', { ...request, after: undefined })
    if (isRefused(first)) return first
    return { stream: logLines(context, request, first.log?.newest ?? 0), type: 'text/plain; charset=utf-8' }
  },
}

/** GET /v1/agent/host */
export const agentHostRoute: Route = {
  method: 'GET',
  path: '/v1/agent/host',
  ask: ({ token }) => question(agentRef, 'host', { token }),
  reply: ({ host = {} }: ProcessOutcome) => ({ json: host }),
}

/** PUT /v1/agent/token/:which. Access control lists are off. */
export const agentTokenRoute: Route = {
  method: 'PUT',
  path: '/v1/agent/token/*which',
  ask: () => ({ status: 401, text: 'ACL support disabled' }),
  reply: () => ({}),
}

/** PUT /v1/agent/join/:address */
export const agentJoinRoute: Route = {
  method: 'PUT',
  path: '/v1/agent/join/*address',
  async run({ rest: address, query }, { asked }) {
    if (address === '') return { status: 500, text: joinFailed('', 'no address is given') }
    const facts = await asked(localRef, 'facts', null)
    if (isRefused(facts)) return facts
    const { address: own, ports, server } = facts
    const isWan = query.has('wan')
    if (isWan && !server) return { status: 500, text: 'Must be a server to join WAN cluster' }
    const port = isWan ? ports.serfWan : ports.serfLan
    const read = readGossipAddress(address, port > 0 ? port : isWan ? DEFAULT_WAN_PORT : DEFAULT_PORT)
    if (isRefused(read)) return { status: 500, text: joinFailed(address, read.why) }
    if (read.host === own && read.port === port) return {}
    const result = await asked(isWan ? wanMembershipRef : membershipRef, 'join', { addresses: [read] }, JOIN_WITHIN_MS)
    if (isRefused(result)) return { status: 500, text: joinFailed(address, result.why) }
    return result.joined > 0 ? {} : { status: 500, text: joinFailed(address, result.failed[0]?.why ?? 'no answer') }
  },
}

/** PUT /v1/agent/force-leave/:node: whoever is alive stays, this agent too. A server leaves the pool of all datacenters as well. */
export const agentForceLeaveRoute: Route = {
  method: 'PUT',
  path: '/v1/agent/force-leave/*node',
  async run({ rest: name, query }, { asked }) {
    const facts = await asked(localRef, 'facts', null)
    if (isRefused(facts)) return facts
    if (name === facts.node) return {}
    const prune = query.has('prune')
    const result = await asked(membershipRef, 'forceLeave', { name, prune })
    if (isRefused(result)) return result.refused === 'missing' ? { status: 500, text: `agent: No node found with name '${name}'` } : result
    const wide = facts.server ? await asked(wanMembershipRef, 'forceLeave', { name: `${name}.${facts.datacenter}`, prune }) : null
    return isRefused(wide) && wide.refused !== 'missing' ? wide : {}
  },
}

export const agentRuntimeRoutes: readonly Route[] = [
  agentMetricsRoute,
  agentMonitorRoute,
  agentHostRoute,
  agentTokenRoute,
  agentJoinRoute,
  agentForceLeaveRoute,
]

const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
/** Longer than the log is waited for. */
const LOG_WITHIN_MS = 30_000
const JOIN_WITHIN_MS = 30_000
const LEVELS = new Map<string, LogLevel>([
  ['TRACE', 'trace'],
  ['DEBUG', 'debug'],
  ['INFO', 'info'],
  ['WARN', 'warn'],
  ['ERR', 'error'],
  ['ERROR', 'error'],
])

/** By the query, or by what the client says it reads. */
function wantsPrometheus({ query, headers }: HttpRequest): boolean {
  if (query.get('format') === 'prometheus') return true
  return String(headers['accept'] ?? '')
    .split(',')
    .map((type) => type.replaceAll(' ', ''))
    .some((type) => type.startsWith('application/openmetrics-text') || /^text\/plain;(.*;)?version=0\.4\.0\b/.test(type))
}

/**
 * Asks for the next lines when the last ones were taken; those that are gone by then are counted. An empty text comes now and
 * then, so that whoever reads can end it.
 */
async function* logLines(
  { asked }: EdgeContext,
  request: { level: LogLevel; json: boolean; token: string },
  newest: number,
): AsyncGenerator<string, undefined> {
  let after = newest
  for (;;) {
    const found = await asked(agentRef, 'log', { ...request, after }, LOG_WITHIN_MS)
    if (isRefused(found) || !found.log) return
    const { text, dropped } = found.log
    after = found.log.newest
    if (dropped > 0) yield `${new Date().toISOString()} [WARN]  agent: Monitor dropped ${dropped} logs during monitor request\n`
    yield text
  }
}

function joinFailed(address: string, why: string): string {
  return `1 error occurred:\n\t* Failed to join ${address}: ${why}\n\n`
}
