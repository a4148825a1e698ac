import test from 'ava'
import { readGossipAddress } from '../../src/config/build-gossip.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { configOf, loaded } from './kit.ts'

const KEY = Buffer.alloc(32, 5).toString('base64')

test('an agent listens for others; one for development only if it is given a reason', (t) => {
  t.is(configOf(t, ['-dev', '-bind=127.0.0.1']).gossip, undefined)
  t.is(configOf(t, ['-server', '-bootstrap', '-data-dir=/x', '-bind=127.0.0.1', '-serf-lan-port=-1']).gossip, undefined)
  t.deepEqual(configOf(t, ['-server', '-bootstrap', '-data-dir=/x', '-bind=127.0.0.1', '-advertise=10.0.0.1']).gossip, {
    bind: { host: '127.0.0.1', port: 8301 },
    advertise: { host: '10.0.0.1', port: 8301 },
    key: '',
    startJoin: [],
    retryJoin: [],
    retryIntervalMs: 30_000,
    retryMax: 0,
    allowedNetworks: [],
    rejoinsAfterLeave: false,
    wan: {
      bind: { host: '127.0.0.1', port: 8302 },
      advertise: { host: '10.0.0.1', port: 8302 },
      startJoin: [],
      retryJoin: [],
      retryIntervalMs: 30_000,
      retryMax: 0,
      allowedNetworks: [],
    },
  })
  for (const flag of [`-encrypt=${KEY}`, '-serf-lan-bind=127.0.0.1', '-join=a', '-retry-join=a']) {
    t.truthy(configOf(t, ['-dev', '-bind=127.0.0.1', flag]).gossip, flag)
  }
})

test('whom to join, how often, and with which key', (t) => {
  const text = `retry_join = ["10.0.0.2:1", "db"]
start_join = ["[::1]:2"]
retry_interval = "5s"
retry_max = 3
rejoin_after_leave = true
serf_lan = "127.0.0.3"
encrypt = "${KEY}"`
  t.like(configOf(t, ['-dev', '-bind=127.0.0.1', '-config-file=a.hcl'], { 'a.hcl': text }).gossip, {
    bind: { host: '127.0.0.3', port: 8301 },
    key: KEY,
    startJoin: [{ host: '::1', port: 2 }],
    retryJoin: [
      { host: '10.0.0.2', port: 1 },
      { host: 'db', port: 8301 },
    ],
    retryIntervalMs: 5_000,
    retryMax: 3,
    rejoinsAfterLeave: true,
  })
})

test('servers have a second pool, for those of all datacenters', (t) => {
  const text = `retry_join_wan = ["10.0.0.2:1", "db"]
start_join_wan = ["[::1]:2"]
retry_interval_wan = "5s"
retry_max_wan = 3
advertise_addr_wan = "192.0.2.1"
ports { serf_wan = 18302 }
serf_wan = "127.0.0.3"`
  const args = ['-bind=127.0.0.1', '-data-dir=/x', '-config-file=a.hcl']
  const server = [...args, '-server', '-bootstrap']
  t.deepEqual(configOf(t, server, { 'a.hcl': text }).gossip?.wan, {
    bind: { host: '127.0.0.3', port: 18_302 },
    advertise: { host: '192.0.2.1', port: 18_302 },
    startJoin: [{ host: '::1', port: 2 }],
    retryJoin: [
      { host: '10.0.0.2', port: 1 },
      { host: 'db', port: 8302 },
    ],
    retryIntervalMs: 5_000,
    retryMax: 3,
    allowedNetworks: [],
  })
  const flags = ['-join-wan=a', '-retry-join-wan=b:7', '-retry-interval-wan=9s', '-retry-max-wan=2', '-serf-wan-port=9302']
  t.like(configOf(t, ['-dev', '-bind=127.0.0.1', ...flags]).gossip, {
    retryJoin: [],
    wan: { startJoin: [{ host: 'a', port: 8302 }], retryJoin: [{ host: 'b', port: 7 }], retryIntervalMs: 9_000, retryMax: 2 },
  })
  t.truthy(configOf(t, ['-dev', '-bind=127.0.0.1', '-serf-wan-bind=127.0.0.1']).gossip?.wan)
  const without = [...server.slice(0, 2), '-server', '-bootstrap', '-serf-wan-port=-1']
  t.is(configOf(t, without).gossip?.wan, undefined)
  const client = loaded(args, { 'a.hcl': text })
  t.is(typeof client === 'string' ? client : client.config.gossip?.wan, undefined)
  t.regex(typeof client === 'string' ? '' : client.warnings.join('\n'), /retry_join_wan: only servers join other datacenters/)
  t.regex(
    String(loaded([...without, '-retry-join-wan=a'])),
    /ports\.serf_wan: this server can join no other datacenter while it is switched off/,
  )
  t.regex(String(loaded([...server.slice(0, 2), '-server', '-bootstrap', '-serf-wan-bind=x'])), /serf_wan/)
  t.regex(String(loaded([...server.slice(0, 2), '-server', '-bootstrap', '-retry-join-wan=a:b'])), /retry_join_wan: "a:b" must be host/)
})

test('where members may be is told for each pool', (t) => {
  const args = ['-server', '-bootstrap', '-data-dir=/x', '-bind=10.0.0.5', '-serf-lan-allowed-cidrs=10.0.0.0/8']
  const both = loaded([...args, '-serf-wan-allowed-cidrs=192.0.2.0/24', '-serf-wan-allowed-cidrs=2001:db8::/32'])
  if (typeof both === 'string') return t.fail(both)
  t.like(both.config.gossip, { allowedNetworks: ['10.0.0.0/8'], wan: { allowedNetworks: ['192.0.2.0/24', '2001:db8::/32'] } })
  t.regex(both.warnings.join('\n'), /^serf_wan_allowed_cidrs: 10\.0\.0\.5, which is this agent's own address, is not among them/m)
  t.notRegex(both.warnings.join('\n'), /serf_lan_allowed_cidrs/)
  for (const network of ['10.0.0.1', '10.0.0.0/33', 'x/8']) {
    const refused = loaded([...args, `-serf-wan-allowed-cidrs=${network}`])
    t.regex(String(refused), new RegExp(`serf_wan_allowed_cidrs: invalid CIDR address: ${network}`))
  }
})

test('names of members are bounded, that among all servers with its datacenter', (t) => {
  const args = ['-bind=127.0.0.1', '-data-dir=/x', '-datacenter=dc2']
  const of = (length: number, ...more: string[]) => loaded([...args, `-node=${'n'.repeat(length)}`, ...more])
  const text = (length: number) => new RegExp(`NodeName is ${length} characters\\. Valid length is between 1 and 128 characters`)
  t.regex(String(of(129)), text(129))
  t.is(typeof of(128), 'object')
  t.regex(String(of(125, '-server', '-bootstrap')), text(129))
  t.is(typeof of(124, '-server', '-bootstrap'), 'object')
  t.is(typeof of(128, '-server', '-bootstrap', '-serf-wan-port=-1'), 'object')
})

test('what cannot be meant is refused with its key', (t) => {
  const base = ['-dev', '-bind=127.0.0.1']
  t.regex(String(loaded([...base, '-encrypt=secret'])), /^encrypt has invalid key: /)
  t.regex(String(loaded([...base, '-retry-join=a:b'])), /retry_join: "a:b" must be host or host:port/)
  t.regex(String(loaded([...base, '-retry-join=provider=aws tag_key=x'])), /cloud provider/)
  t.regex(String(loaded([...base, '-serf-lan-bind=x'])), /serf_lan/)
  t.regex(String(loaded([...base, '-join=a', '-serf-lan-port=-1'])), /ports\.serf_lan: this agent can join nobody/)
})

test('an address is a host, with a port if it is another one', (t) => {
  for (const [text, host, port] of [
    ['a.b', 'a.b', 8301],
    ['10.0.0.1', '10.0.0.1', 8301],
    ['10.0.0.1:5', '10.0.0.1', 5],
    ['::1', '::1', 8301],
    ['[fe80::1]', 'fe80::1', 8301],
    ['[::1]:65535', '::1', 65_535],
  ] as const) {
    t.deepEqual(readGossipAddress(text, 8301), { host, port })
  }
  for (const text of ['', ' ', 'a b', 'a:0', 'a:65536', 'a:-1', ':1', '[::1', '::1]:2', 'a/b:x'])
    t.true(isRefused(readGossipAddress(text, 8301)), text)
})
