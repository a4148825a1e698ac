import { hash } from 'node:crypto'
import { caRoots } from '../../../actors/ca/queries.ts'
import { type Chain, type ChainOverrides, chainOf } from '../../../actors/config-entries/chain.ts'
import { formatDuration, parseDuration } from '../../config/durations.ts'
import { isObject } from '../../kernel/plain.ts'
import { recordReads } from '../../kernel/recording-view.ts'
import { isRefused, type Result, refuse } from '../../kernel/refusal.ts'
import type { View } from '../../kernel/tables.ts'
import { type Wait, waitOf, withJitter } from '../blocking.ts'
import type { EdgeContext } from '../context.ts'
import { jsonOf } from '../parameters.ts'
import type { EdgeSettings, HttpReply, HttpRequest, Reading, Route } from '../route.ts'

/** GET /v1/discovery-chain/:service: how connections to it find its instances. */
export const discoveryChainRoute: Route = {
  method: 'GET',
  path: '/v1/discovery-chain/*service',
  saysConsistency: true,
  saysCache: true,
  read: (request, view, settings) => reading(request, view, settings, { protocol: '', connectTimeoutMs: 0 }),
}

/** POST /v1/discovery-chain/:service: the same with overrides in the body. Answers like these are not kept. */
export const discoveryChainOverrideRoute: Route = {
  method: 'POST',
  path: '/v1/discovery-chain/*service',
  async run(request, context) {
    const overrides = overridesOf(request.body)
    if (isRefused(overrides)) return { status: 400, text: overrides.why }
    const wait = waitOf(request.query, context.settings)
    if (!('waitMs' in wait)) return wait
    const found = await awaitedReading(request, context, overrides, wait)
    if (!('index' in found)) return found
    const consistency = request.query.has('consistent') ? 'consistent' : request.query.has('stale') ? 'stale' : 'leader'
    const headers = {
      'X-Consul-Index': String(Math.max(found.index, 1)),
      'X-Consul-Knownleader': 'true',
      'X-Consul-Lastcontact': '0',
      'X-Consul-Effective-Consistency': consistency,
      'X-Consul-Query-Backend': 'blocking-query',
    }
    return { json: found.json, headers }
  },
}

function reading(
  { rest: service, query }: HttpRequest,
  view: View,
  settings: EdgeSettings,
  overrides: ChainOverrides,
): Reading | HttpReply {
  if (service === '') return { status: 400, text: 'Bad request: Missing chain name' }
  const roots = caRoots(view)
  if (roots === undefined) return { status: 500, text: 'no cluster ca config setup' }
  const { index, chain } = chainOf(view, service, query.get('compile-dc') || settings.datacenter, overrides)
  return { index, json: { Chain: shown(chain, roots.trustDomain) } }
}

/** Looks again at each change of what was read, until the index is newer or the time is over. */
async function awaitedReading(
  request: HttpRequest,
  { host, settings, onGone }: EdgeContext,
  overrides: ChainOverrides,
  { index, waitMs }: Wait,
): Promise<Reading | HttpReply> {
  const { clock } = host.ports
  const chance = host.ports.random(`edge/${host.thread}/jitter`)
  const deadlineMs = clock.monotonicMs() + withJitter(waitMs, () => chance.next())
  let isGone = false
  let wake: () => void = () => undefined
  onGone(() => {
    isGone = true
    wake()
  })
  for (;;) {
    const { view, reads } = recordReads(host.ports.tables.view())
    const found = reading(request, view, settings, overrides)
    const leftMs = deadlineMs - clock.monotonicMs()
    if (!('index' in found) || found.index > index || index === 0 || isGone || leftMs <= 0) return found
    await new Promise<void>((resolve) => {
      const cancel = clock.after(leftMs, () => wake())
      const forget = host.waiters.add(reads, () => wake())
      wake = () => {
        cancel()
        forget()
        resolve()
      }
    })
  }
}

/** Letter case and underscores of keys do not count; those that are not known are passed over. Nothing at all overrides nothing. */
function overridesOf(body: Buffer): Result<ChainOverrides> {
  const nothing = { protocol: '', connectTimeoutMs: 0 }
  if (body.byteLength === 0) return nothing
  const decoded = jsonOf(body)
  if (isRefused(decoded)) return failed(decoded.why)
  if (decoded.value === null) return nothing
  if (!isObject(decoded.value)) return failed(`'' expected a map, got ${JSON.stringify(typeof decoded.value)}`)
  const fields = plainKeys(decoded.value)
  const { overrideprotocol: protocol = '', overrideconnecttimeout: timeout = 0, overridemeshgateway: gateway = {} } = fields
  if (typeof protocol !== 'string') return failed("'OverrideProtocol' expected type 'string'")
  const connectTimeoutMs = typeof timeout === 'number' ? timeout / 1e6 : parseDuration(String(timeout))
  if (isRefused(connectTimeoutMs)) return failed(`error decoding 'OverrideConnectTimeout': ${connectTimeoutMs.why}`)
  if (!isObject(gateway)) return failed("'OverrideMeshGateway' expected a map")
  const { mode = '' } = plainKeys(gateway)
  // A chain that ends where it is asked for passes no gateway, so which one is meant is checked and makes no difference.
  if (!['', 'none', 'local', 'remote'].includes(String(mode))) return refuse('invalid', 'Invalid OverrideMeshGateway.Mode parameter')
  return { protocol: protocol.toLowerCase(), connectTimeoutMs: Math.max(0, connectTimeoutMs) }
}

function plainKeys(object: Record<string, unknown>): Record<string, unknown> {
  const given = Object.entries(object).filter(([, value]) => value !== null)
  return Object.fromEntries(given.map(([key, value]) => [key.replaceAll('_', '').toLowerCase(), value]))
}

function failed(why: string): Result<never> {
  return refuse('invalid', `Bad request: Request decoding failed: ${why}`)
}

/** Source: http-api §8.3. */
function shown({ service, datacenter, protocol, connectTimeoutMs, externalSni, customized }: Chain, trustDomain: string): object {
  const target = `${service}.default.${datacenter}`
  const node = `resolver:${target}`
  const name = `${target}.internal.${trustDomain}`
  const timeout = formatDuration(connectTimeoutMs)
  const isPlain = Object.keys(customized).length === 0
  return {
    ServiceName: service,
    Namespace: 'default',
    Datacenter: datacenter,
    ...(!isPlain && { CustomizationHash: hash('sha256', JSON.stringify(customized), 'hex').slice(0, 8) }),
    Protocol: protocol,
    StartNode: node,
    Nodes: { [node]: { Type: 'resolver', Name: target, Resolver: { ConnectTimeout: timeout, Default: true, Target: target } } },
    Targets: {
      [target]: {
        ConnectTimeout: timeout,
        ID: target,
        Service: service,
        Namespace: 'default',
        Datacenter: datacenter,
        MeshGateway: {},
        Subset: {},
        ...(externalSni !== '' && { External: true }),
        SNI: externalSni || name,
        Name: name,
      },
    },
  }
}
