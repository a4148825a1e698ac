import { X509Certificate } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { TrustBundle } from '../../actors/ca/queries.ts'
import type { UpstreamDefinition } from '../../actors/definitions.ts'
import type { ConnectInstance, IntentionsOn } from '../../actors/feeds/protocol.ts'
import type { Permission } from '../../actors/intentions/permissions.ts'
import type { Leaf } from '../../actors/leaf/protocol.ts'
import { limitArgs, upstreamArgs, upstreamWrong } from '../../actors/proxies/plan.ts'
import type { ProxyArgs, UpstreamArgs } from '../../actors/proxy/protocol.ts'
import { proxyLimits } from '../config/proxies.ts'
import { upstreamSettings } from '../config/upstream-settings.ts'
import { isRefused, type Result, refuse } from '../kernel/refusal.ts'

/** Answers of the agent's API, as far as a sidecar reads them. */
export type ApiRoots = {
  ActiveRootID: string
  TrustDomain: string
  Roots: { ID: string; SigningKeyID: string; RootCert: string; PrivateKeyType?: string; PrivateKeyBits?: number }[]
}
export type ApiLeaf = {
  SerialNumber: string
  CertPEM: string
  PrivateKeyPEM: string
  ServiceURI: string
  ValidAfter: string
  ValidBefore: string
}
export type ApiIntention = { ID?: string; SourceName: string; DestinationName: string; Action?: string; Permissions?: Permission[] | null }
export type ApiHealth = {
  Node: { Node: string; Address: string; Datacenter?: string }
  Service: {
    ID: string
    Service: string
    Address: string
    Port: number
    Weights?: { Passing: number }
    Proxy?: { DestinationServiceName?: string }
  }
}
export type ApiProxy = {
  Address: string
  Port: number
  Datacenter?: string
  Proxy?: {
    DestinationServiceName?: string
    LocalServiceAddress?: string
    LocalServicePort?: number
    LocalServiceSocketPath?: string
    Config?: Record<string, unknown>
    Upstreams?: ApiUpstream[]
  }
}
type ApiUpstream = {
  DestinationType?: string
  DestinationName?: string
  Datacenter?: string
  LocalBindAddress?: string
  LocalBindPort?: number
  LocalBindSocketPath?: string
  LocalBindSocketMode?: string
  Config?: Record<string, unknown>
}

export function bundleOf({ ActiveRootID, TrustDomain, Roots }: ApiRoots): TrustBundle {
  const active = Roots.find(({ ID }) => ID === ActiveRootID)
  return {
    trustDomain: TrustDomain.toLowerCase(),
    activeRootId: ActiveRootID,
    signingKeyId: active?.SigningKeyID ?? '',
    keyType: active?.PrivateKeyType === 'rsa' ? 'rsa' : 'ec',
    keyBits: active?.PrivateKeyBits ?? 256,
    rootIds: Roots.map(({ ID }) => ID),
    rootsPem: Roots.map(({ RootCert }) => RootCert),
    rootNames: Roots.map(({ RootCert }) => /^CN=(.*)$/m.exec(new X509Certificate(RootCert).subject)?.[1] ?? ''),
  }
}

export function leafOf(service: string, leaf: ApiLeaf, index: number): Leaf {
  return {
    service,
    certPem: leaf.CertPEM,
    keyPem: leaf.PrivateKeyPEM,
    serial: leaf.SerialNumber,
    uri: leaf.ServiceURI,
    signingKeyId: '',
    issuedMs: Date.parse(leaf.ValidAfter),
    renewAtMs: 0,
    renewalWhy: '',
    validAfterMs: Date.parse(leaf.ValidAfter),
    validBeforeMs: Date.parse(leaf.ValidBefore),
    index,
  }
}

/** Intentions with layer-7 permissions let nobody through whose requests cannot be looked at. */
export function intentionsOf(list: readonly ApiIntention[] | null | undefined, headers: IncomingHttpHeaders): IntentionsOn {
  return {
    list: (list ?? []).map(({ ID, SourceName, DestinationName, Action, Permissions }) => ({
      id: ID ?? '',
      source: SourceName,
      destination: DestinationName,
      action: Action === 'allow' ? 'allow' : 'deny',
      ...(Permissions && Permissions.length > 0 && { permissions: Permissions }),
    })),
    defaultAllow: headers['x-consul-default-acl-policy'] !== 'deny',
  }
}

export function instancesOf(list: readonly ApiHealth[]): ConnectInstance[] {
  return list.map(({ Node, Service }) => ({
    node: Node.Node,
    id: Service.ID,
    address: Service.Address || Node.Address,
    port: Service.Port,
    service: Service.Proxy?.DestinationServiceName || Service.Service,
    datacenter: Node.Datacenter ?? '',
    weight: Service.Weights?.Passing ?? 1,
  }))
}

export type ProxyPlan = Pick<ProxyArgs, 'service' | 'inbound' | 'upstreams' | 'drainMs'>

/** What a registered proxy is to do; refused with what this version cannot do. */
export function planOfRegistration({ Address, Port, Datacenter = '', Proxy: proxy }: ApiProxy): Result<ProxyPlan> {
  const service = proxy?.DestinationServiceName ?? ''
  if (!proxy || service === '') return refuse('invalid', 'it is not a proxy: Proxy.DestinationServiceName is missing')
  const upstreams: UpstreamArgs[] = []
  for (const [position, upstream] of (proxy.Upstreams ?? []).entries()) {
    const read = upstreamOf(upstream, `Proxy.Upstreams[${position}]`, Datacenter)
    if (isRefused(read)) return read
    upstreams.push(read)
  }
  const config = proxy.Config ?? {}
  const misfits: string[] = []
  const limits = proxyLimits(config, 'Proxy.Config', misfits)
  if (misfits[0] !== undefined) return refuse('invalid', misfits[0])
  const localPort = proxy.LocalServicePort ?? 0
  const localSocketPath = proxy.LocalServiceSocketPath ?? ''
  const reachable = Port > 0 && (localPort > 0 || localSocketPath !== '')
  return {
    service,
    upstreams,
    inbound: reachable
      ? {
          address: typeof config['bind_address'] === 'string' ? config['bind_address'] : Address || '0.0.0.0',
          port: positive(config['bind_port'], Port),
          handshakeMs: positive(config['handshake_timeout_ms'], HANDSHAKE_MS),
          localHost: proxy.LocalServiceAddress || '127.0.0.1',
          localPort,
          localSocketPath,
          connectWithinMs: positive(config['local_connect_timeout_ms'], LOCAL_CONNECT_MS),
          ...limitArgs(limits),
        }
      : null,
    ...(limits.drainMs && { drainMs: limits.drainMs }),
  }
}

export const HANDSHAKE_MS = 10_000
export const LOCAL_CONNECT_MS = 1_000

/** `path` is where it was written. */
function upstreamOf(upstream: ApiUpstream, path: string, datacenter: string): Result<UpstreamArgs> {
  const { DestinationType: type = 'service', Config: config = {} } = upstream
  if (type !== 'service' && type !== 'prepared_query') {
    return refuse('invalid', `${path}.DestinationType: ${JSON.stringify(type)} is neither service nor prepared_query`)
  }
  const misfits: string[] = []
  const definition: UpstreamDefinition = {
    destinationType: type,
    destinationName: upstream.DestinationName ?? '',
    destinationNamespace: '',
    datacenter: upstream.Datacenter ?? '',
    localBindAddress: upstream.LocalBindAddress ?? '',
    localBindPort: upstream.LocalBindPort ?? 0,
    localBindSocketPath: upstream.LocalBindSocketPath ?? '',
    localBindSocketMode: upstream.LocalBindSocketMode ?? '',
    ...upstreamSettings(config, `${path}.Config`, misfits),
    config,
    // As in Consul, gateways do not matter to what is in the same datacenter.
    meshGateway: { mode: '' },
  }
  const wrong = upstreamWrong(definition, datacenter === '' ? definition.datacenter : datacenter)
  if (wrong !== undefined) return refuse('invalid', `${path}${wrong}`)
  return misfits[0] === undefined ? upstreamArgs(definition) : refuse('invalid', misfits[0])
}

function positive(value: unknown, otherwise: number): number {
  const number = Number(value)
  return Number.isInteger(number) && number > 0 ? number : otherwise
}
