/**
 * Services and checks as people define them, in a configuration file or through the API. Both readers produce these exact
 * shapes: every field filled in, every duration in milliseconds. Names follow Consul's configuration keys.
 */
export type ServiceDefinition = {
  /** Equals `name` if not given. */
  id: string
  name: string
  /** '' is an ordinary service. */
  kind: string
  tags: string[]
  address: string
  taggedAddresses: Record<string, ServiceAddress>
  meta: Record<string, string>
  port: number
  socketPath: string
  enableTagOverride: boolean
  weights: Weights
  token: string
  checks: CheckDefinition[]
  /** For `kind: 'connect-proxy'` and gateways only. */
  proxy?: ProxyDefinition
  connect?: ConnectDefinition
}

export type ServiceAddress = { address: string; port: number }
export type Weights = { passing: number; warning: number }

export type ConnectDefinition = {
  native: boolean
  /** `"connect": {"proxy": {}}`: the agent starts and supervises a sidecar. */
  proxy?: ManagedProxyDefinition
  /** `"connect": {"sidecar_service": {}}`: the agent registers a sidecar that somebody else runs. */
  sidecarService?: ServiceDefinition
}

export type ManagedProxyDefinition = {
  execMode: 'daemon' | 'script'
  /** Empty: the built-in proxy, as an actor. */
  command: string[]
  config: ManagedProxyConfig
}

/** Keys of `connect.proxy.config` that the built-in proxy understands; `opaque` has all of them as they were written. */
export type ManagedProxyConfig = {
  bindAddress?: string
  bindPort?: number
  localServiceAddress?: string
  localConnectTimeoutMs?: number
  handshakeTimeoutMs?: number
  tcpCheckAddress?: string
  disableTcpCheck?: boolean
  /** 0: any number. */
  maxInboundConnections?: number
  maxInboundConnectionsPerSecond?: number
  sendProxyProtocol?: '' | 'v2'
  drainMs?: number
  upstreams: UpstreamDefinition[]
  opaque: Record<string, unknown>
}

export type UpstreamDefinition = {
  destinationType: 'service' | 'prepared_query'
  destinationName: string
  destinationNamespace: string
  datacenter: string
  localBindAddress: string
  localBindPort: number
  localBindSocketPath: string
  localBindSocketMode: string
  connectTimeoutMs?: number
  /** `limits.max_connections` and `passive_health_check`, for managed proxies. */
  connectionsMax?: number
  ejection?: { failuresMax: number; intervalMs: number }
  /** `config` as it was written. */
  config: Record<string, unknown>
  meshGateway: { mode: string }
}

export type ProxyDefinition = {
  destinationServiceName: string
  destinationServiceId: string
  localServiceAddress: string
  localServicePort: number
  localServiceSocketPath: string
  mode: string
  config: Record<string, unknown>
  upstreams: UpstreamDefinition[]
  meshGateway: { mode: string }
  expose: { checks: boolean; paths: ExposePath[] }
  transparentProxy: { outboundListenerPort: number; dialedDirectly: boolean }
  /** An agent runs it itself and tells what it has in force. Never shown, and never read from outside. */
  reports?: true
}

export type ExposePath = { listenerPort: number; path: string; localPathPort: number; protocol: string }

export type CheckType = 'ttl' | 'http' | 'tcp' | 'script' | 'alias' | 'grpc' | 'docker' | 'h2ping'

export type CheckDefinition = {
  /** '' when the agent is to choose it: the name for a node check, `service:<id>` for a service check. */
  id: string
  name: string
  notes: string
  /** '' is a check of the node. */
  serviceId: string
  token: string
  status: '' | 'passing' | 'warning' | 'critical'
  /** Which of the fields below count; decided by the reader in Consul's order of precedence. */
  type: CheckType
  ttlMs: number
  intervalMs: number
  /** 0: the kind's default. */
  timeoutMs: number
  args: string[]
  http: string
  method: string
  header: Record<string, string[]>
  body: string
  disableRedirects: boolean
  tlsServerName: string
  tlsSkipVerify: boolean
  tcp: string
  aliasNode: string
  aliasService: string
  grpc: string
  grpcUseTls: boolean
  h2ping: string
  dockerContainerId: string
  shell: string
  successBeforePassing: number
  failuresBeforeCritical: number
  /** 0: never. */
  deregisterCriticalServiceAfterMs: number
  outputMaxSize: number
}
