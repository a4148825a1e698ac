/**
 * What the HTTP API takes and gives, with its own names. Source: https://developer.hashicorp.com/consul/api-docs. Indexes are whole
 * numbers; times are RFC 3339; durations are Go's, such as `10s`.
 */
export type KvPair = {
  Key: string
  /** Base64; null for an empty value. See `textOf` and `bytesOf`. */
  Value: string | null
  /** A bigint where a number is too small for it. */
  Flags: number | bigint
  /** How often the key was locked. */
  LockIndex: number
  /** The session that holds the lock. */
  Session?: string
  CreateIndex: number
  ModifyIndex: number
}

export type KvVerb =
  | 'set'
  | 'cas'
  | 'lock'
  | 'unlock'
  | 'get'
  | 'get-tree'
  | 'check-index'
  | 'check-session'
  | 'check-not-exists'
  | 'delete'
  | 'delete-tree'
  | 'delete-cas'
export type KvOperation = {
  Verb: KvVerb
  Key: string
  /** Base64. See `base64`. */
  Value?: string
  Flags?: number
  Index?: number
  Session?: string
}
type CatalogVerb = 'get' | 'set' | 'cas' | 'delete' | 'delete-cas'
export type TxnOperation =
  | { KV: KvOperation }
  | { Node: { Verb: CatalogVerb; Node: Partial<CatalogNode> & { Node: string } } }
  | { Service: { Verb: CatalogVerb; Node: string; Service: Partial<Service> & { Service: string } } }
  | { Check: { Verb: CatalogVerb; Check: Partial<HealthCheck> & { Node: string; CheckID: string } } }
export type TxnResult = { KV?: KvPair; Node?: CatalogNode; Service?: Service; Check?: HealthCheck }
/** Either all operations happened, or none and `Errors` says why. */
export type TxnAnswer = { Results: TxnResult[] | null; Errors: { OpIndex: number; What: string }[] | null }

export type CatalogNode = {
  /** '' if the node has none. */
  ID: string
  Node: string
  Address: string
  Datacenter: string
  TaggedAddresses: Record<string, string> | null
  Meta: Record<string, string> | null
  CreateIndex: number
  ModifyIndex: number
}

export type TaggedAddress = { Address: string; Port: number }
export type Weights = { Passing: number; Warning: number }

/** A service within a node or a health answer. */
export type Service = {
  Kind?: string
  ID: string
  Service: string
  Tags: string[]
  Address: string
  TaggedAddresses?: Record<string, TaggedAddress>
  Meta: Record<string, string> | null
  Port: number
  SocketPath?: string
  Weights: Weights
  EnableTagOverride: boolean
  Proxy: Proxy
  Connect: { Native?: boolean }
  CreateIndex: number
  ModifyIndex: number
}

export type Proxy = {
  DestinationServiceName?: string
  DestinationServiceID?: string
  LocalServiceAddress?: string
  LocalServicePort?: number
  LocalServiceSocketPath?: string
  Mode?: string
  Config?: Record<string, unknown> | null
  Upstreams?: Upstream[]
  MeshGateway?: { Mode?: string }
  Expose?: { Checks?: boolean; Paths?: { ListenerPort: number; Path: string; LocalPathPort: number; Protocol: string }[] }
  TransparentProxy?: { OutboundListenerPort?: number; DialedDirectly?: boolean }
}
export type Upstream = {
  DestinationType?: string
  DestinationName: string
  Datacenter?: string
  LocalBindAddress?: string
  LocalBindPort?: number
  LocalBindSocketPath?: string
  LocalBindSocketMode?: string
  Config?: Record<string, unknown>
  MeshGateway?: { Mode?: string }
}

/** An item of `/v1/catalog/service/:name`. */
export type CatalogService = {
  ID: string
  Node: string
  Address: string
  Datacenter: string
  TaggedAddresses: Record<string, string> | null
  NodeMeta: Record<string, string> | null
  ServiceKind: string
  ServiceID: string
  ServiceName: string
  ServiceTags: string[]
  ServiceAddress: string
  ServiceTaggedAddresses?: Record<string, TaggedAddress>
  ServiceWeights: Weights
  ServiceMeta: Record<string, string> | null
  ServicePort: number
  ServiceSocketPath: string
  ServiceEnableTagOverride: boolean
  ServiceProxy: Proxy
  ServiceConnect: { Native?: boolean }
  CreateIndex: number
  ModifyIndex: number
}

export type CheckStatus = 'passing' | 'warning' | 'critical'

export type HealthCheck = {
  Node: string
  CheckID: string
  Name: string
  Status: CheckStatus
  Notes: string
  Output: string
  /** '' for checks of the node. */
  ServiceID: string
  ServiceName: string
  ServiceTags: string[]
  Type: string
  Interval: string
  Timeout: string
  ExposedPort: number
  Definition: Record<string, unknown>
  CreateIndex: number
  ModifyIndex: number
}

/** An instance of a service with its checks and those of its node. */
export type HealthEntry = { Node: CatalogNode; Service: Service; Checks: HealthCheck[] }

/** A service as an agent has it. */
export type AgentService = {
  Kind?: string
  ID: string
  Service: string
  Tags: string[]
  Meta: Record<string, string>
  Port: number
  Address: string
  TaggedAddresses?: Record<string, TaggedAddress>
  SocketPath?: string
  Weights: Weights
  EnableTagOverride: boolean
  Proxy?: Proxy
  Connect?: { Native?: boolean }
  Datacenter: string
}

/** How a check finds out; exactly one way. */
export type CheckKind = {
  TTL?: string
  HTTP?: string
  Method?: string
  Header?: Record<string, string[]>
  Body?: string
  DisableRedirects?: boolean
  TCP?: string
  GRPC?: string
  GRPCUseTLS?: boolean
  H2PING?: string
  Args?: string[]
  DockerContainerID?: string
  Shell?: string
  AliasNode?: string
  AliasService?: string
  Interval?: string
  Timeout?: string
  TLSServerName?: string
  TLSSkipVerify?: boolean
  SuccessBeforePassing?: number
  FailuresBeforeCritical?: number
  DeregisterCriticalServiceAfter?: string
  OutputMaxSize?: number
}
/** A check within the registration of its service. */
export type ServiceCheck = CheckKind & { CheckID?: string; Name?: string; Notes?: string; Status?: CheckStatus }
export type CheckRegistration = CheckKind & {
  ID?: string
  Name: string
  Notes?: string
  ServiceID?: string
  Status?: CheckStatus
  Token?: string
}
export type ServiceRegistration = {
  Name: string
  /** The name if not given. */
  ID?: string
  Kind?: string
  Tags?: string[]
  Address?: string
  TaggedAddresses?: Record<string, TaggedAddress>
  Meta?: Record<string, string>
  Port?: number
  SocketPath?: string
  Check?: ServiceCheck
  Checks?: ServiceCheck[]
  Weights?: Weights
  Token?: string
  EnableTagOverride?: boolean
  Proxy?: Proxy
  Connect?: { Native?: boolean; SidecarService?: Partial<ServiceRegistration> }
}

export type SessionRequest = {
  Name?: string
  Node?: string
  /** Nobody gets the locks of a session that was invalidated before this is over. Default: `15s`. */
  LockDelay?: string
  NodeChecks?: string[]
  ServiceChecks?: { ID: string; Namespace?: string }[]
  /** What happens to the keys that it holds when it ends. */
  Behavior?: 'release' | 'delete'
  /** Without one it lives until it is destroyed, or its checks fail. */
  TTL?: string
}
export type Session = {
  ID: string
  Name: string
  Node: string
  /** Nanoseconds. */
  LockDelay: number
  Behavior: 'release' | 'delete'
  TTL: string
  NodeChecks: string[] | null
  ServiceChecks: { ID: string; Namespace: string }[] | null
  CreateIndex: number
  ModifyIndex: number
}

export type IntentionAction = 'allow' | 'deny'
export type Intention = {
  /** Those written by source and destination have no id, no times and no hash. */
  ID?: string
  CreatedAt?: string
  UpdatedAt?: string
  Hash?: string
  Description?: string
  SourceNS: string
  SourceName: string
  DestinationNS: string
  DestinationName: string
  SourceType: string
  /** Absent where permissions decide. */
  Action?: IntentionAction
  Permissions?: unknown[]
  Meta?: Record<string, string>
  Precedence: number
  CreateIndex: number
  ModifyIndex: number
}

/** What a service proves itself with in the mesh. */
export type ConnectLeaf = {
  /** Colon-separated hex. */
  SerialNumber: string
  /** The leaf, and what leads from it to its root. */
  CertPEM: string
  PrivateKeyPEM: string
  Service: string
  /** SPIFFE id. */
  ServiceURI: string
  ValidAfter: string
  ValidBefore: string
  CreateIndex: number
  ModifyIndex: number
}
/** All listed roots are trusted; the active one signs. */
export type CaRoots = {
  ActiveRootID: string
  TrustDomain: string
  Roots: { ID: string; Name: string; RootCert: string; IntermediateCerts: string[] | null; Active: boolean; NotAfter: string }[]
}
export type Authorization = { Authorized: boolean; Reason: string }

/** What a prepared query found. */
export type QueryResult = { Service: string; Nodes: HealthEntry[] | null; Datacenter: string; Failovers: number }

export type UserEvent = {
  ID: string
  Name: string
  /** Base64. */
  Payload: string | null
  NodeFilter: string
  ServiceFilter: string
  TagFilter: string
  Version: number
  LTime: number
}

export type AgentSelf = {
  Config: {
    Datacenter: string
    PrimaryDatacenter: string
    NodeName: string
    NodeID: string
    Revision: string
    Server: boolean
    Version: string
  }
  DebugConfig: Record<string, unknown>
  Coord: { Vec: number[]; Error: number; Adjustment: number; Height: number } | null
  Member: AgentMember
  Stats: Record<string, Record<string, string>>
  Meta: Record<string, string>
}
export type AgentMember = {
  Name: string
  Addr: string
  Port: number
  Tags: Record<string, string>
  Status: number
  ProtocolMin: number
  ProtocolMax: number
  ProtocolCur: number
  DelegateMin: number
  DelegateMax: number
  DelegateCur: number
}
