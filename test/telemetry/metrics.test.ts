import test from 'ava'
import fc from 'fast-check'
import type { TelemetryConfig } from '../../src/config/config.ts'
import { quantile, Sample, together } from '../../src/kernel/sample.ts'
import { Collector } from '../../src/telemetry/collector.ts'
import { metricsJson, metricsPrometheus } from '../../src/telemetry/formats.ts'
import { countState, gaugesOf } from '../../src/telemetry/gauges.ts'
import { clientCounters, isKept, metricKey, parseMetricKey, pathLabel } from '../../src/telemetry/names.ts'
import { proxyGauges } from '../../src/telemetry/proxy-gauges.ts'
import { metricsDogstatsd, metricsStatsd, metricsStatsite } from '../../src/telemetry/sinks.ts'
import { timedLog } from '../../src/telemetry/timed-log.ts'
import { report, tell, withSidecar } from '../kit/reports.ts'
import { emptyTables } from '../kit/tables.ts'

const SETTINGS: TelemetryConfig = {
  metricsPrefix: 'consul',
  disableHostname: false,
  filterDefault: true,
  allowedPrefixes: [],
  blockedPrefixes: [],
  prometheusRetentionMs: 1,
  statsdAddress: '',
  statsiteAddress: '',
  dogstatsdAddress: '',
  dogstatsdTags: [],
  disableCompat19: false,
}

const USAGE = {
  heapBytes: 1,
  memoryBytes: 2,
  actors: 3,
  collections: 4,
  collectedMs: 1.5,
  levels: new Map([['rpc.queries_blocking', 7]]),
}
const MEMBERS = { servers: 3, clients: 2 }
const WELL = { isHealthy: true, tolerance: 1 }

function measured(...values: number[]) {
  const sample = new Sample()
  for (const value of values) sample.add(value)
  return sample.take()!
}

function collector(changes: Partial<TelemetryConfig> = {}): Collector {
  return new Collector({ hostname: 'vm', node: 'n1', wallMs: () => 1_234_567_890, settings: () => ({ ...SETTINGS, ...changes }) })
}

const GET_KV = metricKey('api.http', { method: 'GET', path: pathLabel('/v1/kv/*key') })
const GET_SELF = metricKey('api.http', { method: 'GET', path: pathLabel('/v1/agent/self') })

test('a sample knows its count, sum and bounds, and its quantiles to within a fifth', (t) => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0.002, max: 1e5, noNaN: true }), { minLength: 1 }), (values) => {
      const all = measured(...values)
      const sorted = [...values].sort((a, b) => a - b)
      const exact = sorted[Math.ceil(sorted.length / 2) - 1] ?? 0
      const found = quantile(all, 0.5)
      return (
        all.count === values.length && all.max === sorted.at(-1) && all.min === sorted[0] && found >= exact * 0.8 && found <= exact * 1.25
      )
    }),
  )
  const sample = new Sample()
  t.is(sample.take(), undefined)
  const [a, b] = [measured(1, 2), measured(3)]
  t.like(together(a, b), { count: 3, sum: 6, sumOfSquares: 14, min: 1, max: 3 })
})

test('names and labels come back as they were', (t) => {
  t.is(GET_KV, 'api.http;method=GET;path=v1.kv._')
  t.deepEqual(parseMetricKey(GET_KV), { name: 'api.http', labels: { method: 'GET', path: 'v1.kv._' } })
})

test('the longest prefix decides which metrics are kept', (t) => {
  const filter = { filterDefault: true, allowedPrefixes: ['consul.raft.apply'], blockedPrefixes: ['consul.raft'] }
  t.deepEqual(
    ['consul.raft.x', 'consul.raft.apply', 'consul.kvs'].map((name) => isKept(filter, name)),
    [false, true, true],
  )
  t.false(isKept({ ...filter, filterDefault: false }, 'consul.kvs'))
})

test('counters are what came since the last time, also after a thread began anew', (t) => {
  const all = collector()
  all.add(0, { counters: [['x', 5]], samples: [] })
  all.add(0, { counters: [['x', 7]], samples: [] })
  all.add(0, { counters: [['x', 1]], samples: [] })
  t.is(all.shown.counters.get('consul.x'), 8)
  all.turn()
  all.add(0, { counters: [['x', 4]], samples: [] })
  t.is(all.shown.counters.get('consul.x'), 8)
  t.is(all.totals.counters.get('consul.x'), 11)
})

test('JSON and Prometheus have the shapes of the reference', (t) => {
  const all = collector({ disableCompat19: true })
  all.add(0, { counters: [['raft.apply', 3]], samples: [[GET_SELF, measured(1, 3)]] })
  const gauges = all.gauges([{ name: 'autopilot.healthy', value: 1, labels: {} }])
  const shown = metricsJson(all.shown, gauges)
  t.deepEqual(Object.keys(shown), ['Timestamp', 'Gauges', 'Points', 'Counters', 'Samples'])
  t.is(shown['Timestamp'], '1970-01-15 06:56:00 +0000 UTC')
  t.deepEqual(shown['Gauges'], [{ Name: 'consul.vm.autopilot.healthy', Value: 1, Labels: {} }])
  t.deepEqual(shown['Counters'], [
    { Name: 'consul.raft.apply', Count: 3, Rate: 0.3, Sum: 3, Min: 1, Max: 1, Mean: 1, Stddev: 0, Labels: {} },
  ])
  t.like((shown['Samples'] as object[])[0], { Name: 'consul.api.http', Count: 2, Sum: 4, Mean: 2, Stddev: Math.SQRT2 })
  const text = metricsPrometheus(all.totals, all.recent, gauges)
  t.regex(text, /# TYPE consul_raft_apply counter\nconsul_raft_apply 3\n/)
  t.regex(text, /consul_vm_autopilot_healthy 1\n/)
  t.regex(text, /consul_api_http\{method="GET",path="v1\.agent\.self",quantile="0\.99"\} 3\n/)
  t.regex(
    text,
    /consul_api_http_sum\{method="GET",path="v1\.agent\.self"\} 4\nconsul_api_http_count\{method="GET",path="v1\.agent\.self"\} 2\n/,
  )
})

test('servers of metrics get lines, with labels as parts of names or as tags', (t) => {
  const all = collector({ disableCompat19: true })
  all.add(0, { counters: [['raft.apply', 3]], samples: [[GET_SELF, measured(1, 3)]] })
  const given = [{ name: 'consul.state.nodes', value: 1, labels: { datacenter: 'dc1' } }]
  const gauges = all.gauges(given)
  t.deepEqual(metricsStatsd(all.shown, gauges), [
    'consul.vm.consul.state.nodes.dc1:1|g',
    'consul.raft.apply:3|c',
    'consul.api.http.GET.v1.agent.self:2|ms|@0.5',
  ])
  t.deepEqual(metricsStatsite(all.shown, gauges), [
    'consul.vm.consul.state.nodes.dc1:1|g',
    'consul.raft.apply:3|c',
    'consul.api.http.GET.v1.agent.self:2|ms',
  ])
  t.deepEqual(metricsDogstatsd(all.shown, all.gauges(given, { withHostname: false }), ['env:test', 'a,b|c']), [
    'consul.consul.state.nodes:1|g|#env:test,a_b_c,datacenter:dc1',
    'consul.raft.apply:3|c|#env:test,a_b_c',
    'consul.api.http:2|ms|@0.5|#env:test,a_b_c,method:GET,path:v1.agent.self',
  ])
  t.deepEqual(metricsDogstatsd({ ...all.shown, samples: new Map() }, [], []), ['consul.raft.apply:3|c'])
})

test('gauges are filtered by their whole names, whether or not they are sent with that of the machine', (t) => {
  const gauges = [{ name: 'version', value: 1, labels: {} }]
  const all = collector({ blockedPrefixes: ['consul.vm.'] })
  t.deepEqual(all.gauges(gauges, { withHostname: false }), [])
  t.deepEqual(
    collector({ metricsPrefix: '', disableHostname: true })
      .gauges(gauges)
      .map(({ name }) => name),
    ['version'],
  )
})

test('Prometheus is no longer told of what was not measured for the retention time', (t) => {
  let nowMs = 0
  const settings = { ...SETTINGS, prometheusRetentionMs: 60_000, disableCompat19: true }
  const all = new Collector({ hostname: 'vm', node: 'n1', wallMs: () => nowMs, settings: () => settings })
  all.add(0, { counters: [['x', 5]], samples: [[GET_SELF, measured(1)]] })
  nowMs = 60_000
  all.add(0, { counters: [['x', 6]], samples: [] })
  t.deepEqual([all.totals.counters.size, all.totals.samples.size], [1, 1])
  nowMs = 60_001
  t.deepEqual([[...all.totals.counters], all.totals.samples.size], [[['consul.x', 6]], 0])
  nowMs = 200_000
  t.is(all.totals.counters.size, 0)
  all.add(0, { counters: [['x', 8]], samples: [] })
  t.deepEqual([...all.totals.counters], [['consul.x', 2]])
})

test('requests also count under their older name unless that is switched off', (t) => {
  const all = collector()
  all.add(0, { counters: [], samples: [[GET_KV, measured(1)]] })
  t.deepEqual([...all.shown.samples.keys()], ['consul.api.http;method=GET;path=v1.kv._', 'consul.http.GET.v1.kv._'])
})

test('requests count as what agents ask servers, those to the catalog by name', (t) => {
  const counters = (method: string, path: string) =>
    clientCounters(parseMetricKey(metricKey('api.http', { method, path: pathLabel(path) })), 'n1')
  t.deepEqual(counters('GET', '/v1/agent/self'), [])
  t.deepEqual(counters('PUT', '/v1/kv/*key'), ['client.rpc', 'rpc.request'])
  t.deepEqual(counters('GET', '/v1/catalog/service/*name'), [
    'client.rpc',
    'rpc.request',
    'rpc.query',
    'client.api.catalog_service_nodes;node=n1',
    'client.api.success.catalog_service_nodes;node=n1',
  ])
  t.deepEqual(clientCounters({ name: 'dns.domain_query', labels: {} }, 'n1'), [])
})

test('changes of state are measured under the names of Consul', (t) => {
  const measured = new Map<string, number>()
  const host = {
    ports: { clock: { monotonicMs: () => 0 } },
    count: () => undefined,
    samples: { of: (name: string) => ({ add: () => measured.set(name, (measured.get(name) ?? 0) + 1) }) },
  }
  const log = timedLog({ perform: (_request, done) => done({ outcomes: [], notice: { index: 1, touched: [] } }) }, () => host as never)
  const commands = [
    { kind: 'catalog.register' },
    { kind: 'sessions.renew' },
    { kind: 'config.set', request: { kind: 'proxy-defaults' } },
    { kind: 'config.delete', request: { kind: 'service-defaults' } },
    { kind: 'ca.bootstrap' },
  ]
  log.perform(
    { commands },
    () => undefined,
    () => undefined,
  )
  t.deepEqual(
    [...measured.keys()],
    [
      'raft.commitTime',
      'catalog.register',
      'fsm.register',
      'session.renew',
      'config_entry.apply',
      'fsm.config_entry.proxy-defaults',
      'config_entry.delete',
      'fsm.config_entry.service-defaults',
      'fsm.ca',
      'consul.fsm.ca',
    ],
  )
})

test('gauges tell of this process and of the members', async (t) => {
  const tables = emptyTables()
  const counts = await countState(tables.view, () => Promise.resolve(), 0)
  const values = new Map(gaugesOf(tables.view(), counts, USAGE, MEMBERS, WELL, 'dc1', 0).map(({ name, value }) => [name, value]))
  const shown = [
    'runtime.total_gc_runs',
    'runtime.total_gc_pause_ns',
    'rpc.queries_blocking',
    'consul.members.servers',
    'consul.members.clients',
    'autopilot.healthy',
    'autopilot.failure_tolerance',
  ]
  t.deepEqual(
    shown.map((name) => values.get(name)),
    [4, 1_500_000, 7, 3, 2, 1, 1],
  )
  const ofClient = gaugesOf(tables.view(), counts, USAGE, MEMBERS, undefined, 'dc1', 0)
  t.false(ofClient.some(({ name }) => name.startsWith('autopilot.')))
})

test('what the tables hold is counted by kind', async (t) => {
  const tables = emptyTables()
  const set = (kind: string, name: string) => ({ kind: 'config.set', atMs: 0, request: { kind, name, content: {} } })
  tables.apply([set('service-defaults', 'a'), set('service-defaults', 'b'), set('proxy-defaults', 'global')])
  const counts = await countState(
    () => tables.view(),
    () => Promise.resolve(),
    0,
  )
  const gauges = gaugesOf(tables.view(), counts, USAGE, MEMBERS, WELL, 'dc1', 0)
  const entries = gauges.filter(({ name }) => name === 'consul.state.config_entries').map(({ labels, value }) => [labels['kind'], value])
  t.deepEqual(Object.fromEntries(entries), {
    'proxy-defaults': 1,
    'service-defaults': 2,
    'service-intentions': 0,
    'service-router': 0,
    'service-splitter': 0,
    'service-resolver': 0,
    'ingress-gateway': 0,
    'terminating-gateway': 0,
    mesh: 0,
  })
  t.like(
    gauges.find(({ name }) => name === 'session_ttl.active'),
    { value: 0 },
  )
})

test('leaves are counted: all, those at risk, and when the first was made and will end', async (t) => {
  const tables = emptyTables()
  const leafGauges = async (nowMs: number) => {
    const counts = await countState(
      () => tables.view(),
      () => Promise.resolve(),
      nowMs,
    )
    const gauges = gaugesOf(tables.view(), counts, USAGE, MEMBERS, WELL, 'dc1', nowMs)
    return gauges.flatMap(({ name, value }) => (name.startsWith('tribune.leaf.') ? [`${name.slice('tribune.leaf.'.length)} ${value}`] : []))
  }
  t.deepEqual(await leafGauges(0), ['count 0', 'at_risk 0', 'renewal_failing 0'])
  for (const name of ['a', 'b', 'c', 'd']) withSidecar(tables, 'n1', name)
  tell(tables, 'n1', [
    report({ serviceId: 'a', leafIssuedMs: 10_000, leafValidUntilMs: 110_000 }),
    report({ serviceId: 'b', leafIssuedMs: 90_000, leafValidUntilMs: 200_000 }),
    report({ serviceId: 'c', leafIssuedMs: 90_000, leafValidUntilMs: 200_000, leafWhy: 'no authority' }),
    report({ serviceId: 'd', leafSerial: '' }),
  ])
  t.deepEqual(await leafGauges(105_000), ['count 3', 'at_risk 2', 'renewal_failing 1', 'oldest_age_seconds 95', 'first_end_seconds 5'])
})

test('open connections of sidecars are gauges with the names of Consul, for each pair', (t) => {
  const pair = { accepted: 1, refused: 0, receivedBytes: 0, sentBytes: 0 }
  t.deepEqual(
    proxyGauges({
      serviceId: 'web-1',
      service: 'web',
      pairs: [
        { ...pair, side: 'from', service: 'api', open: 2 },
        { ...pair, side: 'to', service: 'prepared_query:near', open: 0 },
      ],
    }),
    [
      { name: 'proxy.web-1.inbound.conns', labels: { src: 'api', dst: 'web' }, value: 2 },
      { name: 'proxy.web-1.upstream.conns', labels: { src: 'web', dst: 'prepared_query:near' }, value: 0 },
    ],
  )
  const [strange] = proxyGauges({ serviceId: 'a;b=c', service: 'x;y', pairs: [{ ...pair, side: 'to', service: 'z=', open: 1 }] })
  t.deepEqual(strange, { name: 'proxy.a_b_c.upstream.conns', labels: { src: 'x_y', dst: 'z_' }, value: 1 })
})
