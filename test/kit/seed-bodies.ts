// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of prepared queries have places of this form.

const CHECK = {
  ID: 'up',
  Name: 'up',
  Notes: 'n',
  ServiceID: 'api',
  Status: 'passing',
  TTL: '30s',
  Timeout: '5s',
  Header: { a: ['b'] },
  SuccessBeforePassing: 1,
  DeregisterCriticalServiceAfter: '10m',
}
const PROXY = {
  DestinationServiceName: 'api',
  DestinationServiceID: 'api',
  LocalServiceAddress: '127.0.0.1',
  LocalServicePort: 80,
  Config: { a: 1 },
  Upstreams: [{ DestinationType: 'service', DestinationName: 'web', LocalBindPort: 9191, Config: {}, MeshGateway: { Mode: 'none' } }],
  MeshGateway: { Mode: 'local' },
  Expose: { Checks: false, Paths: [{ ListenerPort: 21500, Path: '/x', LocalPathPort: 80, Protocol: 'http' }] },
}
const SERVICE = {
  ID: 'api',
  Name: 'api',
  Tags: ['a'],
  Address: '10.0.0.7',
  TaggedAddresses: { lan: { Address: '10.0.0.7', Port: 80 } },
  Meta: { v: '1' },
  Port: 80,
  Weights: { Passing: 1, Warning: 1 },
  EnableTagOverride: false,
  Check: { CheckID: 'ttl', TTL: '30s' },
  Checks: [{ HTTP: 'http://127.0.0.1:1/', Interval: '10s', Timeout: '1s' }],
  Connect: { SidecarService: { Port: 21100, Proxy: { Upstreams: PROXY.Upstreams } } },
}
const QUERY = {
  Name: 'q2',
  Session: '',
  Token: '',
  Template: { Type: 'name_prefix_match', Regexp: '^q2(.*)$', RemoveEmptyTags: true },
  Service: {
    Service: '${match(1)}',
    Failover: { NearestN: 1, Datacenters: ['dc2'] },
    OnlyPassing: true,
    IgnoreCheckIDs: ['x'],
    Near: '_agent',
    Tags: ['a', '!b'],
    NodeMeta: { a: 'b' },
    ServiceMeta: {},
    Connect: false,
  },
  DNS: { TTL: '10s' },
}
const INTENTION = { SourceName: 'web', DestinationName: 'api', SourceType: 'consul', Action: 'allow', Description: 'd', Meta: { a: 'b' } }
const CATALOG = {
  Datacenter: 'dc1',
  ID: '',
  Node: 'ext',
  Address: '10.0.0.9',
  TaggedAddresses: { lan: '10.0.0.9' },
  NodeMeta: { a: 'b' },
  Service: {
    ID: 'web',
    Service: 'web',
    Kind: '',
    Tags: ['v1'],
    Address: '10.0.0.9',
    Port: 80,
    Meta: {},
    Weights: { Passing: 1, Warning: 1 },
    Proxy: {},
    Connect: {},
  },
  Check: { Node: 'ext', CheckID: 'c', Name: 'c', Status: 'passing', ServiceID: 'web', Definition: { HTTP: 'x', Interval: '10s' } },
  Checks: [{ CheckID: 'd', Status: 'warning' }],
  SkipNodeUpdate: false,
}

/** Bodies that an endpoint takes, by its path: with every kind of field, so that what is changed in them is near what is right. */
export const SEED_BODIES: Readonly<Record<string, readonly unknown[]>> = {
  '/v1/kv/*key': ['some value'],
  '/v1/txn': [
    [
      { KV: { Verb: 'set', Key: 'txn/a', Value: 'aGk=', Flags: 3, Index: 0, Session: '' } },
      { KV: { Verb: 'get', Key: 'txn/a' } },
      { KV: { Verb: 'check-not-exists', Key: 'txn/none' } },
    ],
    [{ Node: { Verb: 'set', Node: { ID: '', Node: 'ext', Address: '10.0.0.9', TaggedAddresses: {}, Meta: { a: 'b' }, ModifyIndex: 0 } } }],
    [
      {
        Service: {
          Verb: 'cas',
          Node: 'ext',
          Service: { ID: 'web', Service: 'web', Tags: [], Meta: {}, Port: 1, Weights: {}, ModifyIndex: 1 },
        },
      },
    ],
    [{ Check: { Verb: 'set', Check: { Node: 'ext', CheckID: 'c', Name: 'c', Status: 'passing', Definition: { Interval: '10s' } } } }],
  ],
  '/v1/session/create': [
    {
      Name: 's',
      Node: 'n1',
      LockDelay: '15s',
      Checks: ['serfHealth'],
      NodeChecks: ['serfHealth'],
      ServiceChecks: [],
      Behavior: 'release',
      TTL: '20s',
    },
  ],
  '/v1/event/fire/*name': ['payload'],
  '/v1/query': [QUERY, { Name: 'q3', Service: { Service: 'web' } }],
  '/v1/query/*id': [QUERY],
  '/v1/coordinate/update': [{ Node: 'n1', Segment: '', Coord: { Vec: [0, 0, 0, 0, 0, 0, 0, 0], Error: 1, Adjustment: 0, Height: 1e-5 } }],
  '/v1/catalog/register': [CATALOG],
  '/v1/catalog/deregister': [{ Datacenter: 'dc1', Node: 'ext', ServiceID: 'web', CheckID: 'c' }],
  '/v1/agent/service/register': [SERVICE, { Name: 'proxied', Kind: 'connect-proxy', Port: 21200, Proxy: PROXY }],
  '/v1/agent/check/register': [
    CHECK,
    { Name: 'tcp', TCP: '127.0.0.1:1', Interval: '10s' },
    { Name: 'alias', AliasNode: 'n1', AliasService: 'api' },
  ],
  '/v1/agent/check/update/*id': [{ Status: 'passing', Output: 'well' }],
  '/v1/agent/token/*which': [{ Token: 'x' }],
  '/v1/agent/connect/authorize': [{ Target: 'web', ClientCertURI: 'spiffe://x.consul/ns/default/dc/dc1/svc/api', ClientCertSerial: '01' }],
  '/v1/connect/ca/configuration': [
    { Provider: 'consul', Config: { LeafCertTTL: '72h', RotationPeriod: '2160h' }, ForceWithoutCrossSigning: false },
  ],
  '/v1/connect/intentions': [INTENTION],
  '/v1/connect/intentions/*id': [INTENTION],
  '/v1/connect/intentions/exact': [{ Action: 'allow', Description: 'd' }],
  '/v1/config': [
    { Kind: 'service-defaults', Name: 'web', Protocol: 'http', MeshGateway: { Mode: 'local' }, Expose: { Checks: true } },
    { Kind: 'proxy-defaults', Name: 'global', Config: { a: 1, b: ['c'] }, MeshGateway: { Mode: 'local' } },
    { Kind: 'service-intentions', Name: 'api', Sources: [{ Name: 'web', Action: 'deny', Description: 'd' }], Meta: { a: 'b' } },
  ],
  '/v1/operator/keyring': [{ Key: 'pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s=' }],
  '/v1/operator/autopilot/configuration': [
    { CleanupDeadServers: true, LastContactThreshold: '200ms', MaxTrailingLogs: 250, ServerStabilizationTime: '10s' },
  ],
}
