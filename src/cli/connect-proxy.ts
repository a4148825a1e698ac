import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import type { FlagsOf, FlagTable } from './command.ts'
import {
  addressText,
  type ConnectProxyOptions,
  type ProxyListener,
  type ProxySource,
  parseAddress,
  parseLogLevel,
  parseUpstream,
} from './connect-proxy-options.ts'
import { type HttpClient, httpClient } from './http.ts'
import type { Io } from './io.ts'

const proxyFlags = {
  listen: {
    kind: 'string',
    about:
      'Address and port, such as :8443, where other proxies reach the service over mutual TLS. Without it, nobody reaches it. Needs -service-addr.',
  },
  'log-json': { kind: 'boolean', about: 'Write one JSON object for each line of the log.' },
  'log-level': { kind: 'string', about: 'Least important lines to log: "trace", "debug", "info", "warn" or "err". The default is "info".' },
  'pprof-addr': { kind: 'string', about: 'Taken for compatibility and without effect: there are no Go profiles to serve.' },
  'proxy-id': {
    kind: 'string',
    about: "ID of the proxy's own service with the agent, which has its configuration. Also CONNECT_PROXY_ID.",
  },
  register: { kind: 'boolean', about: 'Register the proxy as a service of the agent while it runs. Needs -service.' },
  'register-id': { kind: 'string', about: 'What to add to the ID for -register, to have several proxies of one service with an agent.' },
  service: { kind: 'string', about: 'Name of the service that the proxy speaks for. The service need not exist.' },
  'service-addr': { kind: 'string', about: 'Address and port of the service itself, to which connections from -listen go.' },
  'sidecar-for': {
    kind: 'string',
    about: 'ID of a service of the agent; the proxy is the one that is registered for it. Also CONNECT_SIDECAR_FOR.',
  },
  upstream: {
    kind: 'strings',
    about:
      'A service to reach and where: name:port, or name:address:port. Connections to that place go to a healthy instance of the service over mutual TLS. May be repeated.',
  },
} as const satisfies FlagTable

type ProxyFlags = FlagsOf<typeof proxyFlags>

export const connectProxyCommand = defineApiCommand({
  summary: 'Run a sidecar proxy by hand',
  usage: 'connect proxy [options]',
  about: `
Runs a proxy until it is stopped. It speaks for one service: it accepts connections for it over mutual TLS if intentions allow them, and opens connections to other services.

To reach a service of the mesh from this machine under the name "me":

    $ tribune connect proxy -service=me -upstream=postgresql:9191

To run the proxy that is registered for a service of the agent:

    $ tribune connect proxy -sidecar-for=web

To accept connections for a service that knows nothing of the mesh:

    $ tribune connect proxy -service=web -service-addr=127.0.0.1:8080 -listen=:8443 -register
`,
  answers: 'servers',
  flags: proxyFlags,
  async run({ flags, rest, io, http: plain, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const logLevel = parseLogLevel(flags['log-level'] ?? 'info')
    if (isRefused(logLevel)) return misused(logLevel.why)
    const upstreams = sourceUpstreams(flags)
    if (isRefused(upstreams)) return misused(upstreams.why)
    if (flags['pprof-addr']) io.err('==> -pprof-addr has no effect: there are no Go profiles to serve')
    io.out('==> Consul Connect proxy starting...')
    const http = withProxyToken(plain, io.env)
    const source = await sourceOf(flags, upstreams, http, io)
    if (isRefused(source)) return fail(`==> Error preparing configuration: ${source.why}`)
    io.out('\n==> Log data will now stream in as it occurs:\n')
    const { runConnectProxy } = await import('../connect-proxy.ts')
    const code = await runConnectProxy(
      { source, ...registrationOf(flags, source), logLevel, logJson: flags['log-json'] ?? false, http },
      io,
    )
    io.out('==> Consul Connect proxy shutdown')
    return code
  },
})

type Upstreams = (ProxySource & { mode: 'flags' })['upstreams']

/** Of one name, the last counts. */
function sourceUpstreams(flags: ProxyFlags): Result<Upstreams> {
  const byName = new Map<string, Upstreams[number]>()
  for (const text of flags.upstream ?? []) {
    const upstream = parseUpstream(text)
    if (isRefused(upstream)) return refuse('invalid', `invalid value ${JSON.stringify(text)} for flag -upstream: ${upstream.why}`)
    byName.set(`${upstream.destinationNamespace}/${upstream.destinationName}.${upstream.destinationType}`, upstream)
  }
  return [...byName.values()]
}

/** A proxy that an agent starts has its token in a variable of its own. */
export function withProxyToken(http: HttpClient, env: Io['env']): HttpClient {
  const token = env['CONNECT_PROXY_TOKEN'] ?? ''
  return token === '' || http.settings.token !== '' ? http : httpClient({ ...http.settings, token })
}

/** Finds out what the proxy is to do, and prints it. */
async function sourceOf(flags: ProxyFlags, upstreams: Upstreams, http: HttpClient, io: Io): Promise<Result<ProxySource>> {
  const proxyId = flags['proxy-id'] ?? io.env['CONNECT_PROXY_ID'] ?? ''
  const sidecarFor = flags['sidecar-for'] ?? io.env['CONNECT_SIDECAR_FOR'] ?? ''
  if (proxyId !== '' || sidecarFor !== '') {
    if (flags.register) return refuse('invalid', '-register needs -service, not -proxy-id or -sidecar-for.')
    const id = proxyId === '' ? await proxyFor(sidecarFor, http) : { found: proxyId }
    if (isRefused(id)) return id
    io.out('    Configuration mode: Agent API')
    if (proxyId === '') io.out(`        Sidecar for ID: ${sidecarFor}`)
    io.out(`              Proxy ID: ${id.found}`)
    return { mode: 'agent', proxyId: id.found }
  }
  const service = flags.service ?? ''
  if (service === '') return refuse('invalid', '-service or -proxy-id must be specified so that proxy can configure itself.')
  const listener = listenerOf(flags)
  if (isRefused(listener)) return listener
  io.out('    Configuration mode: Flags')
  io.out(`               Service: ${service}`)
  for (const { destinationName, localBindAddress, localBindPort } of upstreams) {
    io.out(`              Upstream: ${destinationName} => ${addressText(localBindAddress, localBindPort)}`)
  }
  io.out(`       Public listener: ${listener.chosen === undefined ? 'Disabled' : listenerText(listener.chosen)}`)
  return {
    mode: 'flags',
    service,
    ...(listener.chosen === undefined ? {} : { listener: listener.chosen }),
    upstreams: upstreams.map((upstream) => ({ ...upstream, localBindAddress: upstream.localBindAddress || '127.0.0.1' })),
  }
}

/** The ID of the one proxy that is registered with the agent for a service. */
export async function proxyFor(serviceId: string, http: HttpClient): Promise<Result<{ found: string }>> {
  type AgentService = { ID: string; Kind?: string; Proxy?: { DestinationServiceID?: string } }
  const reply = await http.json<Record<string, AgentService>>('/v1/agent/services')
  if (isRefused(reply)) return refuse('gone', `Failed looking up sidecar proxy info for ${serviceId}: ${reply.why}`)
  const wanted = serviceId.toLowerCase()
  const found = Object.values(reply.value)
    .filter(({ Kind }) => Kind === 'connect-proxy')
    .filter(({ ID, Proxy: proxy }) => {
      const destination = proxy?.DestinationServiceID?.toLowerCase() ?? ''
      return destination === '' ? ID.toLowerCase() === `${wanted}-proxy` : destination === wanted
    })
    .map(({ ID }) => ID)
    .sort()
  const [only] = found
  if (only === undefined) return refuse('missing', `No sidecar proxy registered for ${serviceId}`)
  if (found.length === 1) return { found: only }
  return refuse('conflict', `More than one sidecar proxy registered for ${serviceId}: say which with -proxy-id (${found.join(', ')})`)
}

function listenerOf(flags: ProxyFlags): Result<{ chosen?: ProxyListener }> {
  const local = flags['service-addr'] ?? ''
  if (!flags.listen) return local === '' ? {} : refuse('invalid', '-service-addr has a meaning only together with -listen.')
  if (local === '') return refuse('invalid', '-service-addr must be specified with -listen so the proxy knows the backend service address.')
  const publicSide = parseAddress(flags.listen)
  if (isRefused(publicSide)) return refuse('invalid', `-listen: ${publicSide.why}`)
  const service = parseAddress(local)
  if (isRefused(service)) return refuse('invalid', `-service-addr: ${service.why}`)
  const localServiceAddress = addressText(service.host || '127.0.0.1', service.port)
  return { chosen: { bindAddress: publicSide.host, bindPort: publicSide.port, localServiceAddress } }
}

function listenerText({ bindAddress, bindPort, localServiceAddress }: ProxyListener): string {
  return `${addressText(bindAddress, bindPort)} => ${localServiceAddress}`
}

function registrationOf(flags: ProxyFlags, source: ProxySource): Pick<ConnectProxyOptions, 'registration'> {
  if (!flags.register || source.mode !== 'flags') return {}
  const name = `${source.service}-proxy`
  return { registration: { id: flags['register-id'] ? `${name}-${flags['register-id']}` : name, name } }
}
