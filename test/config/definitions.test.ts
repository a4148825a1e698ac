import test from 'ava'
import fc from 'fast-check'
import { checkFromApi, serviceFromApi } from '../../src/config/definitions.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { granted, refused } from '../kit/asking.ts'
import { configOf, refusalOf } from './kit.ts'

const WEB_HCL = `service {
  name = "web"
  id = "web1"
  port = 8080
  address = "10.0.0.9"
  tags = ["a"]
  meta { version = "1" }
  weights { passing = 3 }
  enable_tag_override = true
  check { http = "http://127.0.0.1:8080/", interval = "10s", header { Host = ["web"] } }
  checks = [{ id = "mine", name = "alive", ttl = "30s", status = "passing" }, { alias_service = "db" }]
  connect {
    proxy {
      config {
        bind_port = 20001
        upstreams { destination_name = "db", local_bind_port = 9191, connect_timeout_ms = 500 }
        telemetry { any = "thing" }
      }
    }
  }
}`
const WEB_API = {
  Name: 'web',
  ID: 'web1',
  Port: 8080,
  Address: '10.0.0.9',
  Tags: ['a'],
  Meta: { version: '1' },
  Weights: { Passing: 3, Warning: 1 },
  enable_tag_override: true,
  Check: { HTTP: 'http://127.0.0.1:8080/', Interval: '10s', Header: { Host: ['web'] } },
  checks: [{ CheckID: 'mine', name: 'alive', TTL: 30_000_000_000, Status: 'passing' }, { AliasService: 'db' }],
  Connect: {
    Unknown: 'is ignored here',
    Proxy: {
      Config: {
        bind_port: 20001,
        upstreams: [{ destination_name: 'db', local_bind_port: 9191, connect_timeout_ms: 500 }],
        telemetry: { any: 'thing' },
      },
    },
  },
}

test('a file and an API body that say the same give the same definition', (t) => {
  const [fromFile] = configOf(t, ['-dev', '-config-file', 'web.hcl'], { 'web.hcl': WEB_HCL }).services
  const fromApi = serviceFromApi(WEB_API)
  t.deepEqual(fromApi, fromFile)
  t.like(fromFile, {
    id: 'web1',
    weights: { passing: 3, warning: 1 },
    taggedAddresses: { lan_ipv4: { address: '10.0.0.9', port: 8080 }, wan_ipv4: { address: '10.0.0.9', port: 8080 } },
    connect: { native: false, proxy: { execMode: 'daemon', command: [], config: { bindPort: 20001 } } },
  })
  t.like(fromFile?.connect?.proxy?.config.upstreams[0], {
    destinationType: 'service',
    destinationName: 'db',
    localBindPort: 9191,
    connectTimeoutMs: 500,
  })
})

test('checks of a service get its id and their number, unless they have their own', (t) => {
  const service = serviceFromApi(WEB_API)
  if (isRefused(service)) return t.fail(service.why)
  t.deepEqual(
    service.checks.map(({ id, name, serviceId, type, status }) => [id, name, serviceId, type, status]),
    [
      ['service:web1:1', "Service 'web' check", 'web1', 'http', ''],
      ['mine', 'alive', 'web1', 'ttl', 'passing'],
      ['service:web1:3', "Service 'web' check", 'web1', 'alias', ''],
    ],
  )
  t.like(serviceFromApi({ Name: 'one', Check: { TTL: '1s' } }), { checks: [{ id: 'service:one' }] })
})

test('the smallest bodies are filled in', (t) => {
  t.like(serviceFromApi({ name: 'a' }), { id: 'a', kind: '', tags: [], checks: [], weights: { passing: 1, warning: 1 } })
  t.like(checkFromApi({ Name: 'c', TTL: '1m' }), { id: 'c', type: 'ttl', ttlMs: 60_000, method: 'GET', outputMaxSize: 4096 })
  t.like(checkFromApi({ Name: 'c', ScriptArgs: ['x'], Interval: '5s', ServiceID: 's' }), { type: 'script', args: ['x'], serviceId: 's' })
  t.like(checkFromApi({ Name: 'c', TTL: '1s', OutputMaxSize: 99 }, { outputMaxSize: 10, proxy: { daemonCommand: [], config: {} } }), {
    outputMaxSize: 10,
  })
})

test('a proxy may be registered in either generation', (t) => {
  const proxy = { Name: 'web-proxy', Kind: 'connect-proxy', Port: 1 }
  t.like(serviceFromApi({ ...proxy, ProxyDestination: 'web' }), { proxy: { destinationServiceName: 'web' } })
  const upstreams = [{ destination_name: 'db', LocalBindPort: 2, Config: { connect_timeout_ms: 7 } }]
  t.like(serviceFromApi({ ...proxy, Proxy: { destination_service_name: 'web', Upstreams: upstreams } }), {
    proxy: { destinationServiceName: 'web', upstreams: [{ destinationName: 'db', localBindPort: 2, connectTimeoutMs: 7 }] },
  })
})

test('a sidecar keeps what it says and gets the rest from its service', (t) => {
  const service = serviceFromApi({ Name: 'web', Port: 1, Connect: { sidecar_service: { Port: 2, Tags: ['x'] } } })
  t.like(service, { connect: { sidecarService: { id: '', name: '', port: 2, tags: ['x'], checks: [] } } })
})

const managed = (config: object) => serviceFromApi({ Name: 'web', Port: 1, Connect: { Proxy: { Config: config } } })

test('a managed proxy has limits, waits for its connections, and tells who connects; so do its upstreams', (t) => {
  const upstreams = [
    {
      destination_name: 'near',
      destination_type: 'prepared_query',
      local_bind_socket_path: '/run/near.sock',
      local_bind_socket_mode: '0660',
      limits: { max_connections: '3' },
      passive_health_check: { interval: '2s', max_failures: 5 },
    },
    { destination_name: 'db', local_bind_port: 2, passive_health_check: [{ max_failures: 1 }], mesh_gateway: { mode: 'none' } },
  ]
  const given = { max_inbound_connections: 5, max_inbound_connections_per_second: '6', send_proxy_protocol: 'v2', drain_ms: 7, upstreams }
  const { config } = granted(managed(given)).connect?.proxy ?? {}
  t.like(config, { maxInboundConnections: 5, maxInboundConnectionsPerSecond: 6, sendProxyProtocol: 'v2', drainMs: 7 })
  t.like(config?.upstreams[0], {
    destinationType: 'prepared_query',
    localBindSocketPath: '/run/near.sock',
    localBindSocketMode: '0660',
    connectionsMax: 3,
    ejection: { failuresMax: 5, intervalMs: 2_000 },
  })
  t.like(config?.upstreams[1], { ejection: { failuresMax: 1, intervalMs: 10_000 }, meshGateway: { mode: 'none' } })
})

const WRONG_PROXIES: [config: object, why: string][] = [
  [{ max_inbound_connections: -1 }, 'connect.proxy.config.max_inbound_connections must be a whole number'],
  [{ max_inbound_connections_per_second: 'x' }, 'connect.proxy.config.max_inbound_connections_per_second must be a whole number'],
  [{ send_proxy_protocol: 'v1' }, 'connect.proxy.config.send_proxy_protocol must be "v2", or "" for none, not "v1"'],
  [{ drain_ms: 1e9 }, 'connect.proxy.config.drain_ms must be a whole number up to 86400000'],
]
const UPSTREAM = 'connect.proxy.config.upstreams[0]'
const WRONG_UPSTREAMS: [upstream: object, why: string][] = [
  [{ limits: 3 }, `${UPSTREAM}.limits must be an object`],
  [{ limits: { max_connections: 0 } }, `${UPSTREAM}.limits.max_connections must be a whole number from 1`],
  [
    { limits: { max_pending_requests: 1 } },
    `${UPSTREAM}.limits.max_pending_requests cannot hold: the built-in proxy does not look into requests; only max_connections does`,
  ],
  [
    { limits: { max_concurrent_requests: 1 } },
    `${UPSTREAM}.limits.max_concurrent_requests cannot hold: the built-in proxy does not look into requests; only max_connections does`,
  ],
  [
    { passive_health_check: { interval: 'x', max_failures: 1 } },
    `${UPSTREAM}.passive_health_check.interval must be a duration above 0, such as "10s"`,
  ],
  [{ passive_health_check: { interval: '1s' } }, `${UPSTREAM}.passive_health_check.max_failures must be set with interval`],
  [{ local_bind_socket_path: 3 }, `${UPSTREAM}.local_bind_socket_path must be a text`],
]
for (const [config, why] of [
  ...WRONG_PROXIES,
  ...WRONG_UPSTREAMS.map(([one, because]): [object, string] => [
    { upstreams: [{ destination_name: 'db', local_bind_port: 1, ...one }] },
    because,
  ]),
]) {
  test(`a managed proxy is refused: ${why}`, (t) => {
    t.is(refused(managed(config)).why, `1 error occurred:\n\t* ${why}\n\n`)
  })
}

test('defaults of all managed proxies lie under what a service says', (t) => {
  const defaults = 'connect { proxy_defaults { config { bind_address = "127.0.0.1", handshake_timeout_ms = 9 } } }\n'
  const [service] = configOf(t, ['-dev', '-config-file', 'a.hcl'], {
    'a.hcl': `${defaults}service { name = "a" port = 1 connect { proxy { config { handshake_timeout_ms = 5 } } } }`,
  }).services
  t.like(service?.connect?.proxy?.config, { bindAddress: '127.0.0.1', handshakeTimeoutMs: 5 })
})

const WRONG_SERVICES: [body: unknown, why: string][] = [
  [{}, 'Missing service name'],
  [[], 'Request decode failed: json: cannot unmarshal array into Go value of type object'],
  [[{ Name: 'a' }], 'Request decode failed: json: cannot unmarshal array into Go value of type object'],
  [{ Name: 'a', Foo: 1 }, 'Request decode failed: json: unknown field "Foo"'],
  [{ Name: 'a', socket_path: 'x' }, 'Request decode failed: json: unknown field "socket_path"'],
  [{ Namespace: 'x' }, 'Request decode failed: json: unknown field "Namespace" - Namespaces are a Consul Enterprise feature'],
  [{ Name: 'a', Port: '80' }, 'Request decode failed: json: cannot unmarshal string into Go struct field .Port of type int'],
  [{ Name: 'a', Check: { ID: 'x' } }, 'Request decode failed: json: unknown field "ID"'],
  [{ Name: 'a', Check: { TTL: 'x' } }, 'Request decode failed: time: invalid duration "x"'],
  [{ Name: 'a', Address: '0.0.0.0' }, 'Invalid service address'],
  [{ Name: 'a', Weights: { Passing: 0 } }, 'Invalid Weights: Passing must be greater than 0'],
  [
    { Name: 'a', Meta: { 'consul-x': '' } },
    "Invalid Service Meta: Couldn't load metadata pair ('consul-x', ''): Key prefix 'consul-' is reserved for internal use",
  ],
  [{ Name: 'a', Check: { TTL: '1s', Interval: '1s' } }, 'Invalid check: Interval and TTL cannot both be specified'],
  [{ Name: 'a', Checks: [{}] }, 'Invalid check: TTL must be > 0 for TTL checks'],
  [{ Name: 'a', Check: { GRPC: 'x' } }, 'Invalid check: Interval must be > 0 for Script, HTTP, H2PING, or TCP checks'],
  [{ Name: 'a', Check: { TTL: '1s', Status: 'zz' } }, "Status for checks must 'passing', 'warning', 'critical'"],
  [{ Name: 'a', Connect: { Proxy: { ExecMode: 'zz' } } }, '1 error occurred:\n\t* invalid exec mode: zz\n\n'],
  [
    { Name: 'a', Kind: 'connect-proxy' },
    '2 errors occurred:\n\t* Proxy.DestinationServiceName must be non-empty for Connect proxy services\n\t* Port or SocketPath must be set for a Connect proxy\n\n',
  ],
  [
    { Name: 'a', Connect: { SidecarService: { ID: 'x', Connect: { SidecarService: 5 } } } },
    '2 errors occurred:\n\t* A SidecarService cannot specify an ID as this is managed by the agent\n\t* A SidecarService cannot have a nested SidecarService\n\n',
  ],
  [
    {
      Name: 'a',
      Kind: 'connect-proxy',
      Port: 1,
      Proxy: {
        DestinationServiceName: '*',
        Upstreams: [{ DestinationName: 'a', LocalBindPort: 1 }, { DestinationName: 'b', LocalBindPort: 1 }, { DestinationName: 'c' }],
      },
    },
    '3 errors occurred:\n\t* Proxy.DestinationServiceName must not be a wildcard for Connect proxy services\n\t* upstreams cannot contain duplicates by local bind address and port or unix path; "127.0.0.1:1" is specified twice\n\t* upstream local bind port or local socket path must be defined and nonzero\n\n',
  ],
  [
    { Name: 'a', Kind: 'mesh-gateway', Proxy: { DestinationServiceName: 'x' } },
    '2 errors occurred:\n\t* Port must be non-zero for a mesh-gateway\n\t* The Proxy.DestinationServiceName configuration is invalid for a mesh-gateway\n\n',
  ],
]
for (const [body, why] of WRONG_SERVICES) {
  test(`service refused: ${JSON.stringify(body)}`, (t) => t.deepEqual(serviceFromApi(body), { refused: 'invalid', why }))
}

/** Such a field cannot travel between threads under its name. */
const RESERVED: [json: string, why: string][] = [
  ['{"Name": "a", "Meta": {"__proto__": "x"}}', 'Request decode failed: Meta[__proto__]: a field cannot have this name'],
  [
    '{"Name": "a", "Connect": {"Proxy": {"Config": {"x": [{"__proto__": 1}]}}}}',
    'Request decode failed: Connect.Proxy.Config.x[0].__proto__: a field cannot have this name',
  ],
  [
    '{"Name": "a", "Check": {"TTL": "1s", "Header": {"__proto__": ["x"]}}}',
    'Request decode failed: Check.Header[__proto__]: a field cannot have this name',
  ],
]
for (const [json, why] of RESERVED) {
  test(`service refused: ${json}`, (t) => t.deepEqual(serviceFromApi(JSON.parse(json)), { refused: 'invalid', why }))
}

const WRONG_CHECKS: [body: unknown, why: string][] = [
  [{}, 'Missing check name'],
  [{ Name: 'x' }, 'Invalid check: TTL must be > 0 for TTL checks'],
  [{ Name: 'x', HTTP: 'http://x' }, 'Invalid check: Interval must be > 0 for Script, HTTP, H2PING, or TCP checks'],
  [{ Name: 'x', CheckID: 'x' }, 'Request decode failed: json: unknown field "CheckID"'],
  [{ Name: 'x', Script: 'x' }, 'Request decode failed: json: unknown field "Script"'],
  [{ Name: 'x', TTL: '1s', Status: 'no' }, 'Bad check status'],
]
for (const [body, why] of WRONG_CHECKS) {
  test(`check refused: ${JSON.stringify(body)}`, (t) => t.deepEqual(checkFromApi(body), { refused: 'invalid', why }))
}

const WRONG_FILES: [hcl: string, why: string][] = [
  [
    'node_meta { __proto__ = "x" }',
    'failed to parse a.hcl: 1 error occurred:\n\t* node_meta[__proto__]: a field cannot have this name (a.hcl:1)\n',
  ],
  ['service { name = "a" connect { proxy {} } }', 'service "a": Services with a Connect managed proxy must have a port set (a.hcl:1)'],
  [
    'services { name = "a" port = 1 connect { native = true proxy {} } }',
    'service "a": Services that are Connect native may not have a proxy configuration (a.hcl:1)',
  ],
  ['service { name = "a" port = 70000 }', 'service "a": invalid port: 70000 (a.hcl:1)'],
  [
    '\nservice { name = "a" port = 1\n connect { proxy { config { bind_port = "x" } } } }',
    'service "a": connect.proxy.config.bind_port must be a whole number up to 65535 (a.hcl:2)',
  ],
  [
    'check { name = "a" args = ["x"] interval = "1s" }',
    `check "a": Scripts are disabled on this agent; to enable, configure 'enable_script_checks' or 'enable_local_script_checks' to true (a.hcl:1)`,
  ],
  [
    'check { name = "a" ttl = "1s" status = "x" }',
    `check "a": invalid check status "x": must be 'passing', 'warning' or 'critical' (a.hcl:1)`,
  ],
]
for (const [hcl, why] of WRONG_FILES) test(`file refused: ${hcl}`, (t) => t.is(refusalOf('a.hcl', hcl), why))

test('any body is taken or refused with a reason', (t) => {
  const key = fc.constantFrom(
    'Name',
    'ID',
    'Kind',
    'Port',
    'Check',
    'Checks',
    'Connect',
    'Proxy',
    'SidecarService',
    'Config',
    'Upstreams',
    'TTL',
    'Tags',
    'Weights',
  )
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom('web', 'connect-proxy', '1s', 5))
  const body = fc.letrec((tie) => ({
    any: fc.oneof({ maxDepth: 4 }, value, fc.array(tie('any'), { maxLength: 3 }), tie('object')),
    object: fc.dictionary(key, tie('any'), { noNullPrototype: true }),
  })).object
  fc.assert(
    fc.property(body, (given) => {
      for (const read of [serviceFromApi(given), checkFromApi(given)]) t.true(!isRefused(read) || read.why !== '')
    }),
    { numRuns: 1000 },
  )
})

test('a body nested without end is refused', (t) => {
  let body: unknown = {}
  for (let depth = 0; depth < 100_000; depth += 1) body = { Name: body }
  t.deepEqual(serviceFromApi(body), { refused: 'invalid', why: 'Request decode failed: exceeded max depth' })
})
