import type { ConnectInstance, IntentionsOn } from '../actors/feeds/protocol.ts'
import { parseIdentity } from '../actors/spiffe.ts'
import { createLogger } from '../net/logger.ts'
import { makeTemporaryDirectory } from '../net/temporary-directory.ts'
import type { HttpClient } from './cli/http.ts'
import type { Io } from './cli/io.ts'
import { Telling } from './client/connect/telling.ts'
import { accessOf } from './connect-haproxy/access.ts'
import { type Identity, planFault } from './connect-haproxy/configuration.ts'
import { Engine, type Wanted } from './connect-haproxy/engine.ts'
import { type Logged, toldOf } from './connect-haproxy/refusals.ts'
import { type Following, follow, pause } from './connect-proxy/follow.ts'
import { decisionsTo } from './connect-proxy/record.ts'
import { ForceReport, type InForceBody } from './connect-proxy/report.ts'
import {
  type ApiHealth,
  type ApiIntention,
  type ApiLeaf,
  type ApiProxy,
  type ApiRoots,
  instancesOf,
  intentionsOf,
  type ProxyPlan,
  planOfRegistration,
} from './connect-proxy/translate.ts'
import type { LogLevel } from './kernel/ports.ts'
import { isRefused } from './kernel/refusal.ts'

export type ConnectHaproxyOptions = {
  /** The id of the proxy's own service with the agent. */
  proxyId: string
  /** Where the program is. */
  binary: string
  logLevel: LogLevel
  http: HttpClient
}

type Known = {
  plan: ProxyPlan | undefined
  leaf: ApiLeaf | undefined
  rootsPem: string | undefined
  rootIds: string[]
  rootsIndex: number
  intentionIndex: number
  intentions: IntentionsOn | undefined
  instances: Map<string, readonly ConnectInstance[]>
}

const AGAIN_MS = 1_000

/**
 * Runs HAProxy as a sidecar until `io.signal`, by what an agent's HTTP API says of it: its registration, its leaf, the roots, who may connect
 * to its service and the instances of its upstreams. Answers the exit code.
 */
export async function runConnectHaproxy({ proxyId, binary, logLevel, http }: ConnectHaproxyOptions, io: Io): Promise<number> {
  const logger = createLogger({ level: logLevel, json: false, file: '', rotateBytes: 0, rotateDurationMs: 0, rotateMaxFiles: 0 }, (text) =>
    io.write(`    ${text}`),
  )
  const print = (level: LogLevel, line: string, facts?: Record<string, unknown>) => logger.print(level, 'haproxy', line, facts)
  const over = new AbortController()
  const end = () => over.abort()
  io.signal?.addEventListener('abort', end)
  if (io.signal?.aborted) end()
  const { directory, remove } = makeTemporaryDirectory()
  let code = 0
  const known: Known = {
    plan: undefined,
    leaf: undefined,
    rootsPem: undefined,
    rootIds: [],
    rootsIndex: 0,
    intentionIndex: 0,
    intentions: undefined,
    instances: new Map(),
  }
  const telling = new Telling({
    put: decisionsTo(http),
    signal: over.signal,
    failed: (why) => print('error', 'The agent does not hear of refused connections', { error: why }),
  })
  const report = new ForceReport({
    http,
    proxyId,
    signal: over.signal,
    failed: (why) => print('error', 'The agent does not hear what is in force', { error: why }),
  })
  let closed = 0
  const refused = (logged: Logged) => {
    if (logged.what === 'closed') closed++
    const identity = known.leaf && identityOf(known.leaf)
    if (!known.plan || !identity) return
    const told = toldOf(logged, { plan: known.plan, identity, intentions: known.intentions })
    const { side, source, destination, kind, cause, serial, from } = told
    const line = side === 'inbound' ? 'Refused a connection' : 'Could not open a connection'
    print('warn', line, { source: source || 'nobody', destination, [kind]: cause, ...(serial && { serial }), ...(from && { from }) })
    telling.tell(told)
  }
  const engine = new Engine({
    binary,
    directory,
    print,
    refused,
    failed(why) {
      print('error', 'HAProxy has ended', { why })
      code = 1
      end()
    },
  })
  let wakeUp = (): void => undefined
  let news = 0
  const changed = () => {
    news++
    wakeUp()
  }
  const followed = followAll(proxyId, known, changed, print, {
    http,
    signal: over.signal,
    failed: (path, { why }) => print('error', 'The agent does not answer', { path, error: why }),
  })
  let inForce: InForceBody | undefined
  for (let seen = 0; !over.signal.aborted; ) {
    if (seen === news) {
      await new Promise<void>((resolve) => {
        wakeUp = resolve
        over.signal.addEventListener('abort', () => resolve(), { once: true })
      })
    }
    const wanted = wantedOf(known)
    const applying = { ...known }
    const beganMs = performance.now()
    seen = news
    closed = 0
    const refused = wanted && !over.signal.aborted ? await engine.apply(wanted) : undefined
    if (wanted && !refused && !over.signal.aborted) inForce = forceOf(applying, inForce, { closed, tookMs: performance.now() - beganMs })
    if (inForce) report.holds(inForce)
    if (!refused) continue
    print('error', 'cannot do what is wanted', { error: refused.why, retryMs: AGAIN_MS })
    await pause(AGAIN_MS, over.signal)
    seen = -1
  }
  await engine.close()
  await Promise.all([telling.end(), report.end()])
  await followed
  remove()
  io.signal?.removeEventListener('abort', end)
  return code
}

/** Undefined until everything is known that there must be. */
function wantedOf({ plan, leaf, rootsPem, intentions, instances }: Known): Wanted | undefined {
  if (!plan || !leaf || rootsPem === undefined || (plan.inbound && !intentions)) return undefined
  const identity = identityOf(leaf)
  if (!identity) return undefined
  if (plan.upstreams.some(({ service }) => !instances.has(service))) return undefined
  return {
    plan,
    identity,
    leafPem: `${leaf.CertPEM.trim()}\n${leaf.PrivateKeyPEM.trim()}\n`,
    rootsPem,
    access: accessOf(intentions ?? { list: [], defaultAllow: false }, plan.service),
    instances: new Map(instances),
  }
}

type Enforcing = { closed: number; tookMs: number }

/** What HAProxy has taken. What was closed belongs to the intentions that it was closed for. Without a public side nobody is let in. */
function forceOf(
  { plan, leaf, rootIds, rootsIndex, intentionIndex }: Known,
  before: InForceBody | undefined,
  { closed, tookMs }: Enforcing,
): InForceBody | undefined {
  if (!plan?.inbound || !leaf) return undefined
  const isNew = before?.IntentionIndex !== intentionIndex
  return {
    TrustedRoots: rootIds,
    RootsIndex: rootsIndex,
    LeafSerialNumber: leaf.SerialNumber,
    LeafValidAfter: leaf.ValidAfter,
    LeafValidBefore: leaf.ValidBefore,
    IntentionIndex: intentionIndex,
    EnforcedMs: isNew ? Math.ceil(tookMs) : before.EnforcedMs,
    ClosedConnections: isNew ? closed : before.ClosedConnections,
  }
}

function identityOf({ ServiceURI: uri }: ApiLeaf): Identity | undefined {
  const identity = parseIdentity(uri)
  if (isRefused(identity) || identity.kind !== 'service') return undefined
  return { trustDomain: identity.trustDomain.toLowerCase(), datacenter: identity.datacenter }
}

/** Follows the registration, and what its service needs to know as long as it is that service. */
async function followAll(
  proxyId: string,
  known: Known,
  changed: () => void,
  print: (level: LogLevel, line: string, facts?: Record<string, unknown>) => void,
  following: Following,
): Promise<void> {
  const running: Promise<void>[] = []
  let text = ''
  let ends = new AbortController()
  following.signal.addEventListener('abort', () => ends.abort())
  const take = (registered: ApiProxy) => {
    const plan = planOfRegistration(registered)
    if (JSON.stringify(plan) === text) return
    text = JSON.stringify(plan)
    const fault = isRefused(plan) ? plan : planFault(plan)
    if (isRefused(plan) || fault) return print('error', 'Cannot run the registered proxy', { proxy: proxyId, error: fault?.why })
    ends.abort()
    ends = new AbortController()
    if (known.plan?.service !== plan.service) Object.assign(known, { leaf: undefined, intentions: undefined })
    const names = new Set(plan.upstreams.map(({ service }) => service))
    Object.assign(known, { plan, instances: new Map([...known.instances].filter(([name]) => names.has(name))) })
    running.push(...followPlan(plan, known, changed, { ...following, signal: ends.signal }))
  }
  await follow<ApiProxy>(following, `/v1/agent/service/${proxyId}`, {}, take, 'hash')
  await Promise.all(running)
}

function followPlan({ service, inbound, upstreams }: ProxyPlan, known: Known, changed: () => void, following: Following): Promise<void>[] {
  const put = (news: Partial<Known>) => {
    if (following.signal.aborted) return
    Object.assign(known, news)
    changed()
  }
  const match = { by: 'destination', name: service }
  return [
    follow<ApiRoots>(following, '/v1/agent/connect/ca/roots', {}, ({ Roots }, index) =>
      put({
        rootsPem: Roots.map(({ RootCert }) => `${RootCert.trim()}\n`).join(''),
        rootIds: Roots.map(({ ID }) => ID),
        rootsIndex: index,
      }),
    ),
    follow<ApiLeaf>(following, `/v1/agent/connect/ca/leaf/${service}`, {}, (leaf) => put({ leaf })),
    ...(inbound
      ? [
          follow<Record<string, ApiIntention[] | null>>(following, '/v1/connect/intentions/match', match, (lists, index, headers) =>
            put({ intentions: intentionsOf(lists[service], headers), intentionIndex: index }),
          ),
        ]
      : []),
    ...[...new Set(upstreams.map((upstream) => upstream.service))].map((name) =>
      follow<ApiHealth[]>(following, `/v1/health/connect/${name}`, { passing: '1' }, (list) =>
        put({ instances: new Map(known.instances).set(name, instancesOf(list)) }),
      ),
    ),
  ]
}
