/**
 * What a field of a central setting holds. An object of fields is an object, a list with one such object a list of them.
 * `words` is a list of texts; `duration` is kept in nanoseconds; `opaque` is an object that is not looked at; `ignored` is accepted for clients that send back what they got.
 */
export type Kind = 'text' | 'number' | 'flag' | 'duration' | 'texts' | 'words' | 'opaque' | 'ignored' | Shape | readonly [Shape]
export type Shape = { readonly [field: string]: Kind }

const COMMON = { Kind: 'text', Name: 'text', Meta: 'texts', CreateIndex: 'ignored', ModifyIndex: 'ignored' } as const satisfies Shape
const MESH_GATEWAY = { Mode: 'text' } as const satisfies Shape
const PROXY = {
  Mode: 'text',
  TransparentProxy: { OutboundListenerPort: 'number', DialedDirectly: 'flag' },
  MeshGateway: MESH_GATEWAY,
  Expose: {
    Checks: 'flag',
    Paths: [{ ListenerPort: 'number', Path: 'text', LocalPathPort: 'number', Protocol: 'text', ParsedFromCheck: 'ignored' }],
  },
} as const satisfies Shape
const UPSTREAM = {
  Name: 'text',
  EnvoyListenerJSON: 'text',
  EnvoyClusterJSON: 'text',
  Protocol: 'text',
  ConnectTimeoutMs: 'number',
  Limits: { MaxConnections: 'number', MaxPendingRequests: 'number', MaxConcurrentRequests: 'number' },
  PassiveHealthCheck: { Interval: 'duration', MaxFailures: 'number' },
  MeshGateway: MESH_GATEWAY,
} as const satisfies Shape

const PERMISSION = {
  Action: 'text',
  HTTP: {
    PathExact: 'text',
    PathPrefix: 'text',
    PathRegex: 'text',
    Header: [{ Name: 'text', Present: 'flag', Exact: 'text', Prefix: 'text', Suffix: 'text', Regex: 'text', Invert: 'flag' }],
    Methods: 'words',
  },
} as const satisfies Shape

/** The fields of each kind under the names of the API, in its order. Source: connect §7, §10. */
export const entryShapes = {
  'service-defaults': {
    ...COMMON,
    Protocol: 'text',
    ...PROXY,
    ExternalSNI: 'text',
    UpstreamConfig: { Overrides: [UPSTREAM], Defaults: UPSTREAM },
  },
  'proxy-defaults': { ...COMMON, Config: 'opaque', ...PROXY },
  'service-intentions': {
    ...COMMON,
    Sources: [
      {
        Name: 'text',
        Action: 'text',
        Permissions: [PERMISSION],
        Precedence: 'ignored',
        Type: 'text',
        Description: 'text',
        LegacyID: 'ignored',
        LegacyMeta: 'texts',
        LegacyCreateTime: 'ignored',
        LegacyUpdateTime: 'ignored',
      },
    ],
  },
} as const satisfies Record<string, Shape>
