import { table } from '../../src/kernel/tables.ts'

/** Kinds that are kept here. Entries of the kind `service-intentions` are the intentions' own. */
export type DefaultsKind = 'service-defaults' | 'proxy-defaults'

/** The only name that an entry of the kind `proxy-defaults` can have. */
export const GLOBAL = 'global'

/** One central setting for many services. */
export type DefaultsRecord = {
  kind: DefaultsKind
  name: string
  /** Its fields under the names of the API, without kind, name and indexes; empty ones are left out. */
  content: DefaultsContent
  createIndex: number
  modifyIndex: number
}

export type DefaultsContent = {
  Protocol?: string
  Mode?: string
  TransparentProxy?: { OutboundListenerPort?: number; DialedDirectly?: boolean }
  MeshGateway?: { Mode?: string }
  Expose?: { Checks?: boolean; Paths?: { ListenerPort?: number; Path?: string; LocalPathPort?: number; Protocol?: string }[] }
  ExternalSNI?: string
  UpstreamConfig?: { Overrides?: UpstreamSettings[]; Defaults?: UpstreamSettings }
  /** Of `proxy-defaults` only: what every proxy has in its `config`. */
  Config?: Record<string, unknown>
  Meta?: Record<string, string>
}

/** How a service talks to an upstream. `Name` is that of the upstream, absent in the defaults for all. */
export type UpstreamSettings = {
  Name?: string
  EnvoyListenerJSON?: string
  EnvoyClusterJSON?: string
  Protocol?: string
  ConnectTimeoutMs?: number
  Limits?: { MaxConnections?: number; MaxPendingRequests?: number; MaxConcurrentRequests?: number }
  /** `Interval` in nanoseconds. */
  PassiveHealthCheck?: { Interval?: number; MaxFailures?: number }
  MeshGateway?: { Mode?: string }
}

/** By `joined(kind, name)`. */
export const defaultsTable = table<DefaultsRecord>('config-entries', 75)
/** The name of the index at which any of them last changed. */
export const DEFAULTS_INDEX = 'config-entries'
