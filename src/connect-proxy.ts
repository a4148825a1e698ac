import { decisions } from '../actors/decisions/index.ts'
import type { ConnectInstance } from '../actors/feeds/protocol.ts'
import { upstreamArgs, upstreamWrong } from '../actors/proxies/plan.ts'
import { proxy } from '../actors/proxy/index.ts'
import { instanceKey } from '../actors/proxy/outliers.ts'
import { type ProxyArgs, type ProxyStatus, proxyRef } from '../actors/proxy/protocol.ts'
import { type RelayedFeed, relay, relayRef } from '../actors/relay.ts'
import { realClock, realRandom } from '../net/clock.ts'
import { createLogger } from '../net/logger.ts'
import { createMesh } from '../net/mesh/index.ts'
import type { ConnectProxyOptions, ProxySource } from './cli/connect-proxy-options.ts'
import type { Io } from './cli/io.ts'
import { DRAIN_MS_MAX } from './config/proxies.ts'
import { type Following, follow } from './connect-proxy/follow.ts'
import { decisionsTo, passOnDecisions } from './connect-proxy/record.ts'
import { keepRegistered } from './connect-proxy/register.ts'
import { ForceReport, inForceBody, type ReportOptions } from './connect-proxy/report.ts'
import {
  type ApiHealth,
  type ApiIntention,
  type ApiLeaf,
  type ApiProxy,
  type ApiRoots,
  bundleOf,
  HANDSHAKE_MS,
  instancesOf,
  intentionsOf,
  LOCAL_CONNECT_MS,
  leafOf,
  type ProxyPlan as Plan,
  planOfRegistration,
} from './connect-proxy/translate.ts'
import { Host } from './kernel/host.ts'
import type { AnyActor } from './kernel/instance.ts'
import type { LogLevel } from './kernel/ports.ts'
import { isRefused, type Result, refuse } from './kernel/refusal.ts'

const KEY = 'cli'
const SHUT_DOWN_WITHIN_MS = 2_000

/**
 * Runs one sidecar in this process until `io.signal`: the same actor that an agent runs, with its sources behind an agent's
 * HTTP API. Answers the exit code.
 */
export async function runConnectProxy({ source, registration, logLevel, logJson, http }: ConnectProxyOptions, io: Io): Promise<number> {
  const signal = io.signal ?? new AbortController().signal
  const mesh = createMesh()
  const logger = createLogger(
    { level: logLevel, json: logJson, file: '', rotateBytes: 0, rotateDurationMs: 0, rotateMaxFiles: 0 },
    (text) => io.write(logJson ? text : `    ${text}`),
  )
  const print = (level: LogLevel, line: string, facts?: Record<string, unknown>) => logger.print(level, 'proxy', line, facts)
  let crashed: (why: string) => void = () => undefined
  const crash = new Promise<string>((resolve) => {
    crashed = resolve
  })
  const host = new Host({
    node: 'connect-proxy',
    thread: 0,
    actors: [proxy, relay, decisions] as unknown as readonly AnyActor[],
    place: () => 0,
    soon: setImmediate,
    fatal: (why) => crashed(why),
    ports: {
      clock: realClock,
      random: () => realRandom,
      tables: { view: () => ({ get: () => undefined, range: () => [] }) },
      devices: { mesh },
      print: (level, _from, line, facts) => print(level, line, facts),
    },
  })
  host.start('relay', '', null)
  host.start('decisions', '', undefined)
  const following: Omit<Following, 'signal'> = {
    http,
    failed: (path, { why }) => print('error', 'The agent does not answer', { path, error: why }),
  }
  const running: Promise<void>[] = []
  // While it waits for its connections to end, it goes on to hear what is allowed.
  const over = new AbortController()
  const passing = passOnDecisions(host, {
    put: decisionsTo(http),
    signal: over.signal,
    failed: (why) => print('error', 'The agent does not hear of refused connections', { error: why }),
  })
  const proxyId = source.mode === 'agent' ? source.proxyId : registration?.id
  const report =
    proxyId === undefined
      ? undefined
      : tellForce(host, {
          http,
          proxyId,
          signal: over.signal,
          failed: (why) => print('error', 'The agent does not hear what is in force', { error: why }),
        })
  if (source.mode === 'flags') {
    const plan = planOfFlags(source)
    if (isRefused(plan)) {
      io.err(`==> Error preparing configuration: ${plan.why}`)
      return 1
    }
    running.push(...begin(host, plan, http.settings.token, { ...following, signal: over.signal }))
    if (registration) running.push(listening(host, plan, signal).then(() => keepRegistered(http, registration, source, print, signal)))
  } else running.push(followRegistration(host, source.proxyId, { ...following, signal: over.signal }, print))

  const why = await Promise.race([crash, stopped(signal)])
  if (why !== undefined) print('error', 'cannot go on', { error: why })
  else await host.asked(proxyRef(KEY), 'shutDown', null, SHUT_DOWN_WITHIN_MS + DRAIN_MS_MAX)
  over.abort()
  await Promise.all([passing.end(), report?.end()])
  host.close()
  await mesh.close()
  if (why !== undefined) return 1
  await Promise.all(running)
  return 0
}

/** Tells the agent what the sidecar has in force, whenever that changes. */
function tellForce(host: Host, options: ReportOptions): { end(): Promise<void> } {
  const report = new ForceReport(options)
  const unfollow = host.follow(proxyRef(KEY), 'status', null, (status) => {
    const body = inForceBody(status as ProxyStatus)
    if (body) report.holds(body)
  })
  return {
    end() {
      unfollow()
      return report.end()
    },
  }
}

/** Starts the sidecar, or has it take other settings over, and follows what it needs to know until the signal ends that. */
function begin(host: Host, plan: Plan, token: string, following: Following): Promise<void>[] {
  const { service, inbound, upstreams } = plan
  const args: ProxyArgs = { ...plan, token, datacenter: '', feeds: relayRef, leaf: relayRef, supervised: false, recorded: true }
  host.start('proxy', KEY, args)
  const put = (feed: RelayedFeed, about: string, index: number, value: unknown) => {
    if (!following.signal.aborted) host.ask(relayRef, 'put', { feed, about, index, value }, SHUT_DOWN_WITHIN_MS, () => undefined)
  }
  const followed = [
    follow<ApiRoots>(following, '/v1/agent/connect/ca/roots', {}, (roots, index) => put('roots', '', index, bundleOf(roots))),
    follow<ApiLeaf>(following, `/v1/agent/connect/ca/leaf/${service}`, {}, (leaf, index) =>
      put('leaf', service, index, leafOf(service, leaf, index)),
    ),
  ]
  if (inbound) {
    const match = { by: 'destination', name: service }
    followed.push(
      follow<Record<string, ApiIntention[] | null>>(following, '/v1/connect/intentions/match', match, (lists, index, headers) =>
        put('intentions', service, index, intentionsOf(lists[service], headers)),
      ),
    )
  }
  const names = (wantsQueries: boolean) =>
    new Set(upstreams.flatMap(({ service: name, query = false }) => (query === wantsQueries ? [name] : [])))
  for (const name of names(false)) {
    followed.push(
      follow<ApiHealth[]>(following, `/v1/health/connect/${name}`, { passing: '1' }, (list, index) =>
        put('instances', name, index, instancesOf(list)),
      ),
    )
  }
  for (const name of names(true)) {
    // Nobody can wait for the answer to a query: it is asked again and again.
    const take = ({ Nodes }: { Nodes?: ApiHealth[] }) => put('query', name, 0, { instances: inOneOrder(instancesOf(Nodes ?? [])), why: '' })
    followed.push(follow(following, `/v1/query/${name}/execute`, { connect: 'true' }, take, 'hash'))
  }
  return followed
}

/** The answer to a query comes in another order each time. */
function inOneOrder(instances: readonly ConnectInstance[]): ConnectInstance[] {
  return instances.toSorted((a, b) => (instanceKey(a) < instanceKey(b) ? -1 : 1))
}

/** Runs the proxy that is registered under an id, by what its registration says at any time. */
async function followRegistration(
  host: Host,
  proxyId: string,
  following: Following,
  print: (level: LogLevel, line: string, facts?: Record<string, unknown>) => void,
): Promise<void> {
  const { signal, http } = following
  let known = ''
  let ends = new AbortController()
  const stop = () => ends.abort()
  signal.addEventListener('abort', stop)
  const running: Promise<void>[] = []
  const take = (registered: ApiProxy) => {
    const plan = planOfRegistration(registered)
    const text = JSON.stringify(plan)
    if (text === known) return
    known = text
    if (isRefused(plan)) return print('error', 'Cannot run the registered proxy', { proxy: proxyId, error: plan.why })
    ends.abort()
    ends = new AbortController()
    running.push(...begin(host, plan, http.settings.token, { ...following, signal: ends.signal }))
  }
  await follow<ApiProxy>(following, `/v1/agent/service/${proxyId}`, {}, take, 'hash')
  await Promise.all(running)
}

function planOfFlags({ service, listener, upstreams }: Extract<ProxySource, { mode: 'flags' }>): Result<Plan> {
  for (const upstream of upstreams) {
    const wrong = upstreamWrong(upstream, upstream.datacenter)
    if (wrong !== undefined) return refuse('invalid', `upstream ${upstream.destinationName}${wrong}`)
  }
  const local = /^(.*):(\d+)$/.exec(listener?.localServiceAddress ?? '')
  return {
    service,
    upstreams: upstreams.map(upstreamArgs),
    inbound:
      listener && local
        ? {
            address: listener.bindAddress || '0.0.0.0',
            port: listener.bindPort,
            handshakeMs: HANDSHAKE_MS,
            localHost: local[1]?.replace(/^\[|\]$/g, '') || '127.0.0.1',
            localPort: Number(local[2]),
            localSocketPath: '',
            connectWithinMs: LOCAL_CONNECT_MS,
          }
        : null,
  }
}

/** Resolves when the sidecar accepts connections; at once if it is not to. */
function listening(host: Host, { inbound }: Plan, signal: AbortSignal): Promise<void> {
  if (!inbound) return Promise.resolve()
  return new Promise((resolve) => {
    const unfollow = host.follow(proxyRef(KEY), 'status', null, (value) => {
      if ((value as ProxyStatus).phase === 'listening') finish()
    })
    const finish = () => {
      unfollow()
      signal.removeEventListener('abort', finish)
      resolve()
    }
    signal.addEventListener('abort', finish)
  })
}

function stopped(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return Promise.resolve(undefined)
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }))
}
