import type { AutopilotSettings } from '../../actors/autopilot/commands.ts'
import type { CaProvider, CaSettings } from '../../actors/ca/tables.ts'
import type { ConfigEntry } from '../../actors/config-entries/entry.ts'
import type { CheckDefinition, ServiceDefinition } from '../../actors/definitions.ts'
import type { WatchDefinition } from '../../actors/watches/protocol.ts'
import type { GossipAddress, LogLevel } from '../kernel/ports.ts'

/**
 * Everything the program was told, from its files and flags: one frozen value with every field filled in. Names are those of
 * the configuration keys in camelCase, with the unit `Ms` added to durations. A port of -1 is switched off. Nothing in it
 * depends on where it came from; the file system is not touched through it.
 */
export type Config = {
  readonly devMode: boolean
  /** Tells one run of the process from the next; '' until there is one. */
  readonly boot: string
  readonly server: boolean
  /** This server may start a cluster by itself. */
  readonly bootstrap: boolean
  /** Lower case. */
  readonly datacenter: string
  /** Equal to `datacenter` if not given. */
  readonly primaryDatacenter: string
  readonly node: NodeConfig
  /** Absolute or relative as written; '' in dev mode: nothing is kept. */
  readonly dataDir: string
  /** '' for none. */
  readonly pidFile: string
  readonly addresses: AddressesConfig
  readonly ports: PortsConfig
  /** Undefined: this agent is alone. */
  readonly gossip: GossipConfig | undefined
  readonly dns: DnsConfig
  readonly http: HttpConfig
  readonly unixSockets: UnixSocketsConfig
  readonly limits: LimitsConfig
  readonly query: QueryConfig
  readonly log: LogConfig
  /** Node checks and checks of services by `service_id`, of all sources; service checks are in their services. */
  readonly checks: readonly CheckDefinition[]
  readonly services: readonly ServiceDefinition[]
  readonly check: ChecksConfig
  readonly watches: readonly WatchDefinition[]
  /** Central settings that are written where the cluster has none of their kind and name yet. */
  readonly configEntries: readonly ConfigEntry[]
  readonly connect: ConnectConfig
  /** What holds until the cluster's own settings are changed. */
  readonly autopilot: AutopilotSettings
  readonly acl: AclConfig
  readonly leave: LeaveConfig
  readonly threads: ThreadsConfig
  readonly telemetry: TelemetryConfig
  /** Where the servers' common log is; undefined for a server that shares it with nobody. */
  readonly etcd: EtcdConfig | undefined
  /** Shortest TTL that a session may have. */
  readonly sessionTtlMinMs: number
  /** Answers of another datacenter carry WAN addresses. */
  readonly translateWanAddrs: boolean
  /** Serve profiles over HTTP. */
  readonly enableDebug: boolean
  readonly disableUpdateCheck: boolean
  readonly antiEntropy: AntiEntropyConfig
  /** Every configuration key by its path, as in `ports.http`, with its value; durations in milliseconds. May hold secrets. */
  readonly keys: Readonly<Record<string, unknown>>
}

export type NodeConfig = {
  /** Lower-case UUID; '' when the agent makes its own and keeps it in the data directory. */
  readonly id: string
  /** The host's name if not given. */
  readonly name: string
  readonly meta: Readonly<Record<string, string>>
  /** Make the id from chance, not from the machine. */
  readonly disableHostNodeId: boolean
  /** As announced in the catalog: always `lan`, `wan` and their `_ipv4`/`_ipv6` forms, plus what was configured. */
  readonly taggedAddresses: Readonly<Record<string, string>>
}

export type AddressesConfig = {
  /** IP address for other machines' connections; 0.0.0.0 or :: for all. */
  readonly bind: string
  /** IP address under which others reach this machine. Never 0.0.0.0 or ::. */
  readonly advertise: string
  readonly advertiseWan: string
  /** IP addresses to listen on where the next ones say nothing else. */
  readonly client: readonly string[]
  /** IP addresses. */
  readonly dns: readonly string[]
  /** IP addresses or `unix:///path`. */
  readonly http: readonly string[]
  readonly https: readonly string[]
  readonly grpc: readonly string[]
}

export type GossipConfig = PoolConfig & {
  /** 16, 24 or 32 bytes in Base64; '' for gossip that is open to all. */
  readonly key: string
  readonly rejoinsAfterLeave: boolean
  /** The servers of all datacenters; undefined where this agent does not belong to them. */
  readonly wan: PoolConfig | undefined
}

export type PoolConfig = {
  /** Where it listens: an IP address, 0.0.0.0 or :: for all. */
  readonly bind: GossipAddress
  /** Where others reach it. */
  readonly advertise: GossipAddress
  /** To be joined at the start, or the agent ends. */
  readonly startJoin: readonly GossipAddress[]
  /** Tried until one of them is joined. */
  readonly retryJoin: readonly GossipAddress[]
  readonly retryIntervalMs: number
  /** After so many tries the agent ends; 0: never. */
  readonly retryMax: number
  /** Where members may be, as CIDRs; empty: everywhere. */
  readonly allowedNetworks: readonly string[]
}

/** -1: switched off. */
export type PortsConfig = {
  readonly dns: number
  readonly http: number
  readonly https: number
  readonly grpc: number
  readonly serfLan: number
  readonly serfWan: number
  readonly server: number
  /** Managed proxies without a `bind_port` get the lowest free one from here to `proxyMaxPort`. Both 0: none is given out. */
  readonly proxyMinPort: number
  readonly proxyMaxPort: number
  readonly sidecarMinPort: number
  readonly sidecarMaxPort: number
  readonly exposeMinPort: number
  readonly exposeMaxPort: number
}

export type DnsConfig = {
  /** Lower case with a final dot. */
  readonly domain: string
  /** The same; '' for none. */
  readonly altDomain: string
  /** `ip:port` or `[ip]:port`, in the order in which they are asked. */
  readonly recursors: readonly string[]
  readonly recursorTimeoutMs: number
  readonly nodeTtlMs: number
  /** By service name, or by a prefix that ends in `*`. */
  readonly serviceTtlMs: Readonly<Record<string, number>>
  readonly onlyPassing: boolean
  readonly enableTruncate: boolean
  readonly disableCompression: boolean
  readonly allowStale: boolean
  readonly maxStaleMs: number
  /** Answers in one UDP reply to a client without EDNS. */
  readonly udpAnswerLimit: number
  /** A and AAAA records in one reply; 0: no limit. */
  readonly aRecordLimit: number
  readonly enableAdditionalNodeMetaTxt: boolean
  readonly useCache: boolean
  readonly cacheMaxAgeMs: number
  /** Seconds, as they are written into the record. */
  readonly soa: { readonly refresh: number; readonly retry: number; readonly expire: number; readonly minTtl: number }
}

/** Who may use sockets of the file system; '' leaves what the system gives. */
export type UnixSocketsConfig = {
  /** Name or number. */
  readonly user: string
  readonly group: string
  /** Octal digits. */
  readonly mode: string
}

export type HttpConfig = {
  /** Added to every response. */
  readonly responseHeaders: Readonly<Record<string, string>>
  /** Path prefixes that are answered with 403. */
  readonly blockEndpoints: readonly string[]
  /** CIDRs from which writes are allowed; empty: from everywhere. */
  readonly allowWriteHttpFrom: readonly string[]
  /** Names of this agent that requests may be sent to; empty: any. Addresses and `localhost` always. */
  readonly allowHosts: readonly string[]
  /** 0: 1 MiB. */
  readonly maxHeaderBytes: number
  readonly useCache: boolean
  readonly disableUnprintableCharFilter: boolean
}

export type LimitsConfig = {
  /** Connections from one source address; 0: no limit. */
  readonly httpMaxConnsPerClient: number
  /** Bytes. */
  readonly kvMaxValueSize: number
  /** Bytes. */
  readonly txnMaxReqLen: number
  /** Requests a second from an agent that is no server to one; negative: no limit. */
  readonly rpcRate: number
  /** So many of them at once after a pause. */
  readonly rpcMaxBurst: number
}

export type QueryConfig = {
  /** How long a blocking query waits that does not say. */
  readonly defaultQueryTimeMs: number
  readonly maxQueryTimeMs: number
  /** Catalog and health answers may be this old when the request does not say; 0: they may not. */
  readonly discoveryMaxStaleMs: number
}

export type LogConfig = {
  readonly level: LogLevel
  /** One JSON object a line. */
  readonly json: boolean
  /** Path or folder (with a final `/`) of a file that is written as well; '' for none. */
  readonly file: string
  /** 0: not by size. */
  readonly rotateBytes: number
  readonly rotateDurationMs: number
  /** Old files to keep; 0: all; -1: none. */
  readonly rotateMaxFiles: number
}

export type ChecksConfig = {
  /** How long a change of nothing but a check's output may stay unannounced. */
  readonly updateIntervalMs: number
  /** Bytes of output that a check keeps unless it says otherwise. */
  readonly outputMaxSize: number
  readonly discardOutput: boolean
  /** Checks that run a program may come from files. */
  readonly enableLocalScripts: boolean
  /** Checks that run a program may come from the API (and from files). */
  readonly enableRemoteScripts: boolean
}

export type ConnectConfig = {
  readonly enabled: boolean
  readonly caProvider: CaProvider
  readonly ca: CaConfig
  readonly proxy: { readonly allowManagedApiRegistration: boolean; readonly allowManagedRoot: boolean }
  /** What every managed proxy has unless its service says otherwise. */
  readonly proxyDefaults: ProxyDefaultsConfig
}

/** What the cluster's CA is founded with; a running cluster's own is kept with its state. */
export type CaConfig = {
  readonly provider: CaProvider
  readonly settings: Readonly<CaSettings>
  /** All of `ca_config`, with the API's CamelCase names, as it was written, and the lifetimes where it has none. */
  readonly config: Readonly<Record<string, unknown>>
}

export type ProxyDefaultsConfig = {
  readonly execMode: 'daemon'
  /** Empty: the built-in proxy. */
  readonly daemonCommand: readonly string[]
  readonly scriptCommand: readonly string[]
  /** Keys of `connect.proxy.config`. */
  readonly config: Readonly<Record<string, unknown>>
}

export type AclConfig = {
  readonly enabled: false
  readonly defaultPolicy: 'allow' | 'deny'
}

export type LeaveConfig = {
  /** SIGINT ends the agent without leaving the cluster. */
  readonly skipOnInterrupt: boolean
  /** SIGTERM leaves the cluster first. */
  readonly onTerminate: boolean
  /** How long a leaving agent keeps answering. */
  readonly drainTimeMs: number
}

/** Our own options. -1: as many as suits the machine; 0: everything on the main thread. */
export type ThreadsConfig = {
  readonly threads: number
  readonly meshThreads: number
}

export type EtcdConfig = {
  /** An etcd of this server's own, which it looks after; undefined if others run the one that it uses. */
  readonly own: OwnEtcdConfig | undefined
  /** In the order in which they are asked; there is one at least, or an etcd of its own. */
  readonly endpoints: readonly { readonly host: string; readonly port: number; readonly tls: boolean }[]
  /** PEM files; '' for none. Without the first, the system's authorities count. */
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
  /** How long a read waits for the log to have a leader. */
  readonly holdMs: number
}

/** How servers that each have an etcd of their own come to have a cluster. */
export type OwnEtcdConfig = {
  /** So many servers found one; 0: this server founds none, it waits for one to join. */
  readonly expect: number
  /** Where its peers reach it: an IP address to listen on, 0.0.0.0 or :: for all, the one that others use, and the port. */
  readonly bind: string
  readonly advertise: string
  readonly port: number
}

export type TelemetryConfig = {
  readonly metricsPrefix: string
  readonly disableHostname: boolean
  /** Metrics that no prefix names are kept. */
  readonly filterDefault: boolean
  readonly allowedPrefixes: readonly string[]
  readonly blockedPrefixes: readonly string[]
  /** 0: Prometheus gets no metrics. */
  readonly prometheusRetentionMs: number
  /** `host:port` over UDP; '' for none. */
  readonly statsdAddress: string
  /** `host:port` over TCP; '' for none. */
  readonly statsiteAddress: string
  /** `host:port` over UDP; '' for none. */
  readonly dogstatsdAddress: string
  /** What DogStatsD gets with each metric. */
  readonly dogstatsdTags: readonly string[]
  /** Without metrics under the names that they had before Consul 1.9. */
  readonly disableCompat19: boolean
}

/** Not settable from outside; here so that everything that paces the agent is in one place. */
export type AntiEntropyConfig = {
  readonly intervalMs: number
  /** How often checks that were critical for too long are looked for. */
  readonly checkReapIntervalMs: number
  /** Shortest `deregister_critical_service_after`. */
  readonly checkDeregisterMinMs: number
}

/** Parts of a configuration that a running agent can take over. */
export type ReloadablePart =
  | 'checks'
  | 'services'
  | 'dns'
  | 'limits'
  | 'log level'
  | 'node meta'
  | 'check output'
  | 'config entries'
  | 'telemetry filters'
  | 'watches'

export type ReloadDifference = {
  /** What must be told to the parts of the agent. */
  readonly changed: readonly ReloadablePart[]
  /** Keys, as in `ports.http`, whose change needs a restart: the running agent keeps the old value. */
  readonly needsRestart: readonly string[]
}
