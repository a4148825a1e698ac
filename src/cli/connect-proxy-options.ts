import { isIPv6 } from 'node:net'
import type { UpstreamDefinition } from '../../actors/definitions.ts'
import type { LogLevel } from '../kernel/ports.ts'
import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import type { HttpClient } from './http.ts'

/** What a proxy that runs by itself is to do. */
export type ConnectProxyOptions = {
  readonly source: ProxySource
  /** Register the proxy as a service of the agent while it runs. Only with a source of mode `flags`. */
  readonly registration?: { readonly id: string; readonly name: string }
  readonly logLevel: LogLevel
  readonly logJson: boolean
  /** The agent that it asks for certificates, intentions and instances. */
  readonly http: HttpClient
}

export type ProxySource =
  /** The configuration of the proxy that is registered with the agent under this service ID, as long as it changes. */
  | { readonly mode: 'agent'; readonly proxyId: string }
  | {
      readonly mode: 'flags'
      /** The service that the proxy speaks for. */
      readonly service: string
      readonly listener?: ProxyListener
      readonly upstreams: readonly UpstreamDefinition[]
    }

/** Where others reach the service over mutual TLS, and where the service itself is. */
export type ProxyListener = {
  /** '' for all addresses of the machine. */
  readonly bindAddress: string
  readonly bindPort: number
  /** `host:port`. */
  readonly localServiceAddress: string
}

/**
 * Reads `name:port`, `name:address:port` or `name:[address]:port`. The name may have a namespace before it (`ns/name`) and a type
 * after it (`name.prepared_query`). Without an address, `localBindAddress` is ''.
 */
export function parseUpstream(text: string): Result<UpstreamDefinition> {
  const colon = text.indexOf(':')
  if (colon < 0) return refuse('invalid', `upstream must be of the form name:addr, got ${JSON.stringify(text)}`)
  const [, namespace = '', name = '', type = 'service'] = /^(?:([^/]*)\/)?(.*?)(?:\.([^.]*))?$/.exec(text.slice(0, colon)) ?? []
  if (name === '') return refuse('invalid', `upstream must name a service, got ${JSON.stringify(text)}`)
  if (type !== 'service' && type !== 'prepared_query')
    return refuse('invalid', `upstream type must be service or prepared_query, got ${JSON.stringify(type)}`)
  const local = parseAddress(text.slice(colon + 1))
  if (isRefused(local)) return refuse('invalid', `upstream ${name}: ${local.why}`)
  return {
    destinationType: type,
    destinationName: name,
    destinationNamespace: namespace,
    datacenter: '',
    localBindAddress: local.host,
    localBindPort: local.port,
    localBindSocketPath: '',
    localBindSocketMode: '',
    config: {},
    meshGateway: { mode: '' },
  }
}

/** Reads `port`, `:port`, `address:port` or `[address]:port`. Without an address, `host` is ''. */
export function parseAddress(text: string): Result<{ host: string; port: number }> {
  const [, bracketed, plain, port] = /^(?:(?:\[([^\]]*)\]|([^:]*)):)?(\d{1,5})$/.exec(text) ?? []
  const number = Number(port ?? 0)
  if (port === undefined || number === 0 || number > 65_535) {
    return refuse('invalid', `${JSON.stringify(text)} is not an address: must be address:port with a port from 1 to 65535`)
  }
  return { host: bracketed ?? plain ?? '', port: number }
}

/** `host:port`, with brackets around an IPv6 address. */
export function addressText(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

/** Consul's names of levels. */
export function parseLogLevel(text: string): Result<LogLevel> {
  const name = text.toLowerCase()
  if (name === 'trace' || name === 'debug' || name === 'info' || name === 'warn') return name
  if (name === 'err' || name === 'error') return 'error'
  return refuse('invalid', `Unknown log level: ${text}`)
}
