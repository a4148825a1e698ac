import test from 'ava'
import fc from 'fast-check'
import type { Config } from '../../src/config/config.ts'
import { machine } from '../../src/config/host.ts'
import { loadAgentConfig } from '../../src/config/index.ts'
import { configFields } from '../../src/config/schema/index.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { configOf, loaded, refusalOf } from './kit.ts'

test('a development agent needs nothing but -dev', (t) => {
  const config = configOf(t, ['-dev'])
  t.like(config, {
    devMode: true,
    server: true,
    bootstrap: true,
    dataDir: '',
    datacenter: 'dc1',
    log: { level: 'debug' },
    connect: { enabled: true },
  })
  t.like(config.addresses, { bind: '127.0.0.1', advertise: '127.0.0.1', client: ['127.0.0.1'], http: ['127.0.0.1'], dns: ['127.0.0.1'] })
  t.like(config.ports, { dns: 8600, http: 8500, https: -1, grpc: -1, proxyMinPort: 20000, proxyMaxPort: 20255 })
  t.like(config.threads, { threads: -1, meshThreads: -1 })
  t.is(config.keys['ports.http'], 8500)
})

test('a durable server announces its private address', (t) => {
  const config = configOf(t, ['-server', '-bootstrap', '-data-dir', '/d', '-threads', '0'])
  t.like(config, { devMode: false, dataDir: '/d', addresses: { bind: '0.0.0.0', advertise: '10.0.0.5' }, log: { level: 'info' } })
  t.deepEqual(config.node.taggedAddresses, { lan: '10.0.0.5', lan_ipv4: '10.0.0.5', wan: '10.0.0.5', wan_ipv4: '10.0.0.5' })
  t.deepEqual(config.leave, { skipOnInterrupt: true, onTerminate: false, drainTimeMs: 5000 })
  t.is(config.threads.threads, 0)
})

test('servers that share their log know where etcd is', (t) => {
  const files = { 'a.hcl': 'log = "etcd" etcd { endpoints = ["https://[::1]"] ca_file = "ca" cert_file = "cert" key_file = "key" }' }
  const flags = ['-server', '-data-dir', '/d', '-etcd-endpoints', '10.0.0.1,http://etcd.internal:23/']
  const { config, warnings } = loaded([...flags, '-config-file', 'a.hcl'], files) as { config: Config; warnings: string[] }
  const plain = [
    { host: '10.0.0.1', port: 2379, tls: false },
    { host: 'etcd.internal', port: 23, tls: false },
  ]
  const endpoints = [...plain, { host: '::1', port: 2379, tls: true }]
  t.deepEqual([config.etcd, warnings], [{ own: undefined, endpoints, caFile: 'ca', certFile: 'cert', keyFile: 'key', holdMs: 7_000 }, []])
  t.is(configOf(t, ['-dev']).etcd, undefined)
})

test('the configuration cannot be changed', (t) => {
  const config = configOf(t, ['-dev', '-config-file', 'a.hcl'], { 'a.hcl': 'service { name = "web" }' })
  t.true([config, config.ports, config.services, config.services[0]?.tags].every(Object.isFrozen))
})

test('lists of flags come first and files add to them; scalars of flags win over files, fragments over both', (t) => {
  const files = {
    'one/b.hcl': 'recursors = ["2.2.2.2"]\nnode_meta { a = "b", same = "b" }\nservice { name = "b" }',
    'one/a.json':
      '{"recursors": ["1.1.1.1"], "node_meta": {"a": "a", "first": "a"}, "service": {"name": "a"}, "ports": {"dns": 1, "http": 1}}',
    'one/note.txt': 'not a configuration',
    'one/deeper/c.json': '{"ports": {"dns": 99}}',
    'last.json': '{"recursors": ["3.3.3.3:54"], "services": [{"name": "c"}], "ports": {"http": 2, "server": 2}}',
  }
  const args =
    '-dev -config-dir one -config-file last.json -recursor 9.9.9.9 -node-meta same:flag -node-meta bare -http-port 3 -server-port 3'
  const result = loaded([...args.split(' '), '-hcl', 'ports { server = 4 }'], files)
  if (typeof result === 'string') return t.fail(result)
  const { config, warnings } = result
  t.deepEqual(config.dns.recursors, ['9.9.9.9:53', '1.1.1.1:53', '2.2.2.2:53', '3.3.3.3:54'])
  t.deepEqual(
    config.services.map(({ name }) => name),
    ['a', 'b', 'c'],
  )
  t.deepEqual(config.node.meta, { a: 'b', first: 'a', same: 'flag', bare: '' })
  t.like(config.ports, { dns: 1, http: 3, server: 4 })
  t.deepEqual(warnings, ['skipping file one/note.txt, extension must be .hcl or .json, or config format must be set'])
})

test('files and folders are read in the order of the command line', (t) => {
  const files = { 'd/x.json': '{"node_name": "folder"}', 'f.json': '{"node_name": "file"}' }
  t.is(configOf(t, '-dev -config-dir d -config-file f.json'.split(' '), files).node.name, 'file')
  t.is(configOf(t, '-dev -config-file f.json -config-dir d'.split(' '), files).node.name, 'folder')
})

test('-config-format decides where a name does not', (t) => {
  t.is(configOf(t, '-dev -config-format hcl -config-file conf'.split(' '), { conf: 'node_name = "x"' }).node.name, 'x')
  t.is(loaded(['-dev', '-config-format', 'yaml']), `-config-format must be either 'hcl' or 'json', got "yaml"`)
})

test('servers that expect each other, or join others, look after an etcd of their own; a server alone needs none', (t) => {
  const base = ['-server', '-data-dir', '/d', '-bind', '10.0.0.1']
  const three = configOf(t, [...base, '-bootstrap-expect', '3'])
  const own = { expect: 3, bind: '10.0.0.1', advertise: '10.0.0.1', port: 8300 }
  t.deepEqual([three.etcd, three.bootstrap], [{ own, endpoints: [], caFile: '', certFile: '', keyFile: '', holdMs: 7_000 }, false])
  t.is(configOf(t, [...base, '-retry-join', '10.0.0.2']).etcd?.own?.expect, 0)
  t.is(configOf(t, [...base, '-bootstrap', '-log', 'etcd']).etcd?.own?.expect, 1)
  for (const args of [['-bootstrap', '-retry-join', '10.0.0.2'], ['-bootstrap-expect', '1'], ['-bootstrap']]) {
    t.deepEqual([configOf(t, [...base, ...args]).etcd, configOf(t, [...base, ...args]).bootstrap], [undefined, true])
  }
  const warningsOf = (expect: string) => {
    const result = loaded([...base, '-bootstrap-expect', expect])
    return typeof result === 'string' ? [result] : result.warnings
  }
  t.deepEqual(warningsOf('3'), ['bootstrap_expect > 0: expecting 3 servers'])
  t.is(warningsOf('2').length, 2)
  t.regex(warningsOf('4')[1] ?? '', /^bootstrap_expect is even/)
})

test('all mistakes of a file are told at once, each with its line', (t) => {
  const text = `ports { http = "1", dns = 70000 }
foo = 1
service { EnableTagOverride = true }
check { script = "x" ttl = "x" }
retry_join = "x"
verify_incoming = true
acl { enabled = true }
dns_config { service_ttl { "*" = "5x" } }
segment = "x"
watches = [{ type = "key" }]
connect = 5
node_meta { a = 1 }
recursors = ["1.1.1.1", 2]
services { name = 5 }
default_query_time = 5`
  t.is(
    refusalOf('bad.hcl', text),
    `failed to parse bad.hcl: 16 errors occurred:
\t* 'ports.http' expected type 'int', got unconvertible type 'string', value: '1' (bad.hcl:1)
\t* ports.dns: invalid port: 70000 (bad.hcl:1)
\t* invalid config key foo (bad.hcl:2)
\t* invalid config key service.EnableTagOverride (bad.hcl:3)
\t* invalid config key check.script (bad.hcl:4)
\t* check[].ttl: invalid duration: "x": time: invalid duration "x" (bad.hcl:4)
\t* 'retry_join': source data must be an array or slice, got string (bad.hcl:5)
\t* verify_incoming = true is not supported by this version (bad.hcl:6)
\t* acl.enabled = true is not supported by this version (bad.hcl:7)
\t* dns_config.service_ttl["*"]: invalid duration: "5x": time: unknown unit "x" in duration "5x" (bad.hcl:8)
\t* segment: Network segments are not supported in this version of Consul (bad.hcl:9)
\t* 'connect' expected a map, got 'int' (bad.hcl:11)
\t* 'node_meta[a]' expected type 'string', got unconvertible type 'int', value: '1' (bad.hcl:12)
\t* 'recursors[1]' expected type 'string', got unconvertible type 'int', value: '2' (bad.hcl:13)
\t* 'services[0].name' expected type 'string', got unconvertible type 'int', value: '5' (bad.hcl:14)
\t* 'default_query_time' expected type 'string', got unconvertible type 'int', value: '5' (bad.hcl:15)

service "": Missing service name (bad.hcl:14)
service "": Missing service name (bad.hcl:3)
check "": Missing check name (bad.hcl:4)
check "": TTL must be > 0 for TTL checks (bad.hcl:4)`,
  )
})

test('one unknown key has the text that Consul users know', (t) => {
  t.is(refusalOf('bad.hcl', '\n\nfoo = 1'), 'failed to parse bad.hcl: 1 error occurred:\n\t* invalid config key foo (bad.hcl:3)\n')
  t.is(refusalOf('bad.json', '{"a":'), 'failed to parse bad.json: At 1:6: expected a value, found the end of the file')
})

test('a file that is not there is named', (t) => {
  t.is(loaded(['-dev', '-config-file', 'x.hcl']), 'config: Open failed on x.hcl. open x.hcl: no such file or directory')
  t.is(loaded(['-dev', '-http-port', '70000']), 'ports.http: invalid port: 70000 (flag -http-port)')
})

test('the real file system gives the same words', (t) => {
  t.deepEqual(machine.readFolder('/no/such'), { refused: 'missing', why: 'open /no/such: no such file or directory' })
  t.true(isRefused(machine.readFile('/')))
  t.is(machine.readFolder(import.meta.filename), undefined)
  const names = machine.readFolder(import.meta.dirname)
  t.true(Array.isArray(names) && names.includes('load.test.ts'))
})

test('values that mean nothing or only the default are accepted, and old and enterprise keys with a warning', (t) => {
  const text = `acl_enforce_version_8 = false
audit { enabled = true }
encrypt = ""
acl { enabled = false, tokens { agent = "x" } }
retry_join = []
ports { https = -1, grpc = 0 }
ui = false
protocol = 3
autopilot { cleanup_dead_servers = false }
telemetry { disable_compat_1.9 = true }
non_voting_server = false
LOG_LEVEL = "warn"`
  const result = loaded(['-dev', '-config-file', 'a.hcl'], { 'a.hcl': text })
  if (typeof result === 'string') return t.fail(result)
  t.is(result.config.log.level, 'warn')
  t.deepEqual(result.warnings, [
    'config key "acl_enforce_version_8" is deprecated and should be removed (a.hcl:1)',
    '"audit" is a Consul Enterprise configuration and will have no effect (a.hcl:2)',
    '"read_replica" is a Consul Enterprise configuration and will have no effect (a.hcl:11)',
  ])
})

test('where metrics go is read with its tags, and a rule of prefix_filter without a sign only warns', (t) => {
  const text = `telemetry {
  statsd_address = ":8125"
  statsite_address = "[::1]:8125"
  dogstatsd_addr = "h:1"
  dogstatsd_tags = ["a:b"]
  prefix_filter = ["+a", "-b", "c", ""]
}`
  const result = loaded(['-dev', '-config-file', 'a.hcl'], { 'a.hcl': text })
  if (typeof result === 'string') return t.fail(result)
  t.like(result.config.telemetry, {
    statsdAddress: ':8125',
    statsiteAddress: '[::1]:8125',
    dogstatsdAddress: 'h:1',
    dogstatsdTags: ['a:b'],
    allowedPrefixes: ['a'],
    blockedPrefixes: ['b'],
  })
  t.deepEqual(result.warnings, [
    `telemetry.prefix_filter: Filter rule must begin with either '+' or '-': "c"`,
    'telemetry.prefix_filter: Cannot have empty filter rule in prefix_filter',
  ])
})

const INVALID: [hcl: string, why: string][] = [
  ['telemetry { dogstatsd_addr = "unix:///x" }', 'telemetry.dogstatsd_addr must be an address with a port, got "unix:///x"'],
  ['telemetry { statsite_address = "host" }', 'telemetry.statsite_address must be an address with a port, got "host"'],
  ['performance { raft_multiplier = 11 }', 'performance.raft_multiplier cannot be 11. Must be between 1 and 10'],
  ['raft_protocol = 2', 'raft_protocol version 2 is not supported by this version of Consul'],
  ['datacenter = "dc 1"', 'datacenter can only contain lowercase alphanumeric, - or _ characters. received: "dc 1"'],
  ['bind_addr = ""', 'bind_addr cannot be empty'],
  ['bind_addr = "host"', 'bind_addr must be an ip address'],
  ['advertise_addr = "0.0.0.0"', 'Advertise address cannot be 0.0.0.0, :: or [::]'],
  ['addresses { dns = "unix:///x" }', 'DNS address cannot be a unix socket'],
  ['ports { proxy_min_port = 2, proxy_max_port = 1 }', 'proxy_min_port must be less than proxy_max_port. To disable, set both to zero.'],
  ['connect { ca_provider = "x" }', 'x is not a valid CA provider'],
  ['connect { ca_config { leaf_cert_ttl = "1m" } }', 'leaf cert TTL must be greater or equal than 1h0m0s'],
  ['connect { ca_config { leaf_cert_ttl = "x" } }', `connect.ca_config: error decoding 'LeafCertTTL': time: invalid duration "x"`],
  ['connect { ca_config { private_key_bits = 255 } }', 'EC key length must be one of (224, 256, 384, 521) bits'],
  [
    'connect { ca_config { csr_max_concurrent = -1 } }',
    "connect.ca_config: error decoding 'CSRMaxConcurrent': must be a number of at least 0",
  ],
  ['connect { ca_provider = "aws-pca", ca_config { leaf_cert_ttl = "2h" } }', 'leaf cert TTL must be greater or equal than 24h0m0s'],
  ['log_level = "loud"', 'Invalid log level: loud. Valid log levels are: [TRACE DEBUG INFO WARN ERR]'],
  ['node_id = "x"', 'node_id must be a UUID, got "x"'],
  ['node_meta { "a b" = "c" }', "node_meta invalid: Couldn't load metadata pair ('a b', 'c'): Key contains invalid characters"],
  ['ui_config { content_path = "/?" }', 'ui-content-path can only contain alphanumeric, -, _, or /. received: "/?"'],
  ['alt_domain = "service.x"', 'alt_domain cannot start with {service,connect,node,query,addr,dc1}'],
  ['recursors = ["nowhere"]', 'recursors: "nowhere" must be ip or ip:port'],
  ['http_config { allow_hosts = ["http://a:80"] }', 'http_config.allow_hosts: "http://a:80" is not the name of a host'],
  ['http_config { allow_write_http_from = ["10.0.0.0/99"] }', 'http_config.allow_write_http_from: invalid CIDR address: 10.0.0.0/99'],
  ['reconnect_timeout = "1h"', 'reconnect_timeout must be >= 8h0m0s'],
  ['dns_config { a_record_limit = -1 }', 'dns_config.a_record_limit cannot be -1. Must be greater than or equal to zero'],
  ['primary_datacenter = "dc2"', 'primary_datacenter "dc2" is not supported by this version, which knows only its own datacenter'],
  ['ports { dns = 8500 }', 'HTTP address 127.0.0.1:8500 already configured for DNS'],
  [
    'client_addr = "{{ GetAllInterfaces }}"',
    'client_addr: address template {{ GetAllInterfaces }} is not supported by this version, only GetPrivateIP, GetPrivateIPs, GetPublicIP, GetPublicIPs, GetInterfaceIP, GetInterfaceIPs',
  ],
]
for (const [hcl, why] of INVALID) test(`refused: ${hcl}`, (t) => t.is(refusalOf('a.hcl', hcl), why))

const IMPOSSIBLE: [args: string, why: string][] = [
  ['-server -bootstrap', 'data_dir cannot be empty'],
  ['-bootstrap -data-dir d', "'bootstrap = true' requires 'server = true'"],
  ['-bootstrap-expect 1 -data-dir d', "'bootstrap_expect > 0' requires 'server = true'"],
  ['-server -bootstrap -bootstrap-expect 1 -data-dir d', "'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive"],
  ['-dev -threads -2', '-threads must be a whole number up to 256, or -1 for automatic, got -2'],
  ['-dev -ui', 'ui_config.enabled = true is not supported by this version (flag -ui)'],
  ['-dev -log raft', 'log must be "local" or "etcd", got "raft"'],
  ['-dev -log etcd', 'log = "etcd" requires etcd.endpoints'],
  ['-dev -etcd-endpoints 10.0.0.1:2379', 'etcd.endpoints are used only with log = "etcd"'],
  ['-dev -log etcd -etcd-endpoints ftp://a', 'etcd.endpoints: "ftp://a" is not an address such as https://10.0.0.1:2379'],
  ['-dev -log etcd -etcd-endpoints a:70000', 'etcd.endpoints: "a:70000" is not an address such as https://10.0.0.1:2379'],
  ['-dev -log etcd -etcd-endpoints a -etcd-key-file k', 'etcd.cert_file and etcd.key_file are given together or not at all'],
  ['-server -data-dir d -bootstrap-expect -1', 'bootstrap_expect cannot be -1. Must be greater than or equal to zero'],
  [
    '-server -data-dir d -bind 10.0.0.1 -bootstrap-expect 3 -serf-lan-port -1',
    'ports.serf_lan: servers that share their state find each other by it, it cannot be switched off',
  ],
  ['-server -data-dir d -bind 10.0.0.1 -bootstrap-expect 3 -etcd-ca-file f', 'etcd.ca_file, cert_file and key_file go with etcd.endpoints'],
  ['-zz', 'flag provided but not defined: -zz'],
]
for (const [args, why] of IMPOSSIBLE) test(`refused: ${args}`, (t) => t.is(loaded(args.split(' ')), why))

test('a mistake ends the agent with one message and exit code 1', (t) => {
  const said: string[] = []
  const io = {
    out: (line: string) => said.push(`out ${line}`),
    err: (line: string) => said.push(`err ${line}`),
    write: () => undefined,
    env: {},
    stdin: async () => Buffer.alloc(0),
  }
  t.is(loadAgentConfig(['-server'], io), 1)
  t.is(loadAgentConfig(['-dev', 'x'], io), 1)
  t.deepEqual(said, ['err ==> data_dir cannot be empty', 'err ==> Unexpected extra arguments: [x]'])
  t.is(loadAgentConfig(['-h'], io), 0)
  t.regex(said.at(-1) ?? '', /^out Usage: tribune agent \[options\]\n[\s\S]*-data-dir=<string>/)
})

test('any value under any key is taken or refused, and names the key', (t) => {
  const key = fc.constantFrom(...Object.keys(configFields))
  const inner = fc.oneof(fc.string(), fc.constantFrom('http', 'name', 'enabled', 'proxy', 'config', 'proxy_defaults', 'checks', 'ttl'))
  const value = fc.oneof(fc.jsonValue(), fc.dictionary(inner, fc.jsonValue()), fc.array(fc.dictionary(inner, fc.jsonValue())))
  fc.assert(
    fc.property(key, value, (name, given) => {
      const result = loaded(['-dev', '-config-file', 'a.json'], { 'a.json': JSON.stringify({ [name]: given }) })
      t.true(typeof result !== 'string' || result !== '')
    }),
    { numRuns: 1000 },
  )
})

test('the settings of the certificate authority may be written in two ways, and secrets are not among what is shown', (t) => {
  const file = `connect { ca_provider = "external", ca_config { cert_file = "c", KeyFile = "k", root_file = "r", leaf_cert_ttl = "2h", csr_max_per_second = 9, token = "T" } }`
  const { provider, settings, config } = configOf(t, ['-dev', '-config-file', 'a.hcl'], { 'a.hcl': file }).connect.ca
  t.is(provider, 'external')
  t.deepEqual(config, {
    IntermediateCertTTL: '8760h',
    LeafCertTTL: '2h',
    CertFile: 'c',
    KeyFile: 'k',
    RootFile: 'r',
    CSRMaxPerSecond: 9,
    Token: 'T',
  })
  t.deepEqual(settings, {
    provider: 'external',
    leafCertTtlMs: 7_200_000,
    csrMaxPerSecond: 9,
    csrMaxConcurrent: 0,
    forceWithoutCrossSigning: false,
    shown: { ...config, Token: 'hidden' },
  })
})
