import test from 'ava'
import { serviceInstances } from '../../actors/catalog/queries.ts'
import { configEntries } from '../../actors/config-entries/index.ts'
import { withCentralDefaults } from '../../actors/config-entries/merge.ts'
import { configEntry, configList } from '../../actors/config-entries/queries.ts'
import { intentionById, intentionsFrom } from '../../actors/intentions/queries.ts'
import { withCentralSettings } from '../../actors/proxies/central.ts'
import { serviceFromApi } from '../../src/config/definitions.ts'
import { configEntryOf } from '../../src/config/entries/index.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { granted } from '../kit/asking.ts'
import { tryLocal } from '../kit/local.ts'
import { emptyTables, type TestTables } from '../kit/tables.ts'
import { tryActor } from '../kit/try-actor.ts'

/** Writes entries as the API takes them, and gives what each write came to. */
function written(tables: TestTables, ...entries: object[]): unknown[] {
  const a = tryActor(configEntries, { args: { bootstrap: [] }, tables })
  return entries.map((entry) => a.call('write', { entry: granted(configEntryOf(entry)), token: '' }).result)
}

test('an entry is written once, and the same again changes nothing even with a wrong index', (t) => {
  const tables = emptyTables()
  const a = tryActor(configEntries, { args: { bootstrap: [] }, tables })
  const entry = granted(configEntryOf({ Kind: 'service-defaults', Name: 'web', Protocol: 'HTTP' }))
  t.deepEqual(a.call('write', { entry, cas: 7, token: '' }).result, { applied: false, warnings: [] })
  t.deepEqual(a.call('write', { entry, cas: 0, token: '' }).result, { applied: true, warnings: [] })
  t.deepEqual(a.call('write', { entry, cas: 99, token: '' }).result, { applied: true, warnings: [] })
  const other = granted(configEntryOf({ Kind: 'service-defaults', Name: 'web', Protocol: 'grpc' }))
  t.deepEqual(a.call('write', { entry: other, cas: 0, token: '' }).result, { applied: false, warnings: [] })
  t.deepEqual(a.call('write', { entry: other, cas: 1, token: '' }).result, { applied: true, warnings: [] })
  t.like(configEntry(tables.view(), 'service-defaults', 'web'), { index: 2, entry: { createIndex: 1, modifyIndex: 2 } })
  a.call('delete', { kind: 'service-defaults', name: 'web', token: '' })
  t.deepEqual(configEntry(tables.view(), 'service-defaults', 'web'), { index: 3, entry: undefined })
  t.is(a.call('delete', { kind: 'service-defaults', name: 'web', token: '' }).result, null)
  t.is(configList(tables.view(), '').index, 3)
})

test('intentions of an entry and those of the older interface are the same ones', (t) => {
  const tables = emptyTables()
  const id = '7f9f8a44-0c1d-4a71-8a3b-1d3d6f5f8e01'
  const intention = { id, source: 'web', destination: 'db', action: 'allow', description: '', meta: {} }
  tables.apply([{ kind: 'intentions.create', atMs: 0, request: intention }])
  t.like(configEntry(tables.view(), 'service-intentions', 'db').entry, { name: 'db', sources: [{ name: 'web', legacy: { id } }] })
  const Sources = [
    { Name: '*', Action: 'deny' },
    { Name: 'api', Action: 'allow' },
  ]
  written(tables, { Kind: 'service-intentions', Name: 'db', Sources, Meta: { a: 'b' } })
  t.is(intentionById(tables.view(), id).intention, undefined)
  t.deepEqual(
    intentionsFrom(tables.view(), 'web').intentions.map(({ source, action }) => [source, action]),
    [['*', 'deny']],
  )
  t.like(configEntry(tables.view(), 'service-intentions', 'db').entry, { sources: [{ name: 'api' }, { name: '*' }], meta: { a: 'b' } })
  tables.apply([{ kind: 'intentions.put', atMs: 0, request: { source: 'web', destination: 'db', action: 'allow', description: '' } }])
  t.like(configEntry(tables.view(), 'service-intentions', 'db').entry, { meta: { a: 'b' }, sources: { length: 3 } })
  tables.apply([{ kind: 'intentions.delete-entry', atMs: 0, request: { destination: 'db' } }])
  t.deepEqual(intentionsFrom(tables.view(), 'web').intentions, [])
})

test('entries of the configuration are written where there are none, and tried again', (t) => {
  const tables = emptyTables()
  written(tables, { Kind: 'service-defaults', Name: 'web', Protocol: 'tcp' })
  const bootstrap = [
    granted(configEntryOf({ Kind: 'service-defaults', Name: 'web', Protocol: 'http' })),
    granted(configEntryOf({ Kind: 'proxy-defaults', Name: 'any', Config: { a: 1 } })),
  ]
  const a = tryActor(configEntries, { args: { bootstrap }, tables, commits: 'keep' })
  for (const _entry of bootstrap) a.answer('commit', refuse('busy', 'full'))
  t.is(a.pending().length, 0)
  a.wait(2_000)
  t.is(a.pending().length, 2)
  const b = tryActor(configEntries, { args: { bootstrap }, tables })
  t.deepEqual(b.timers(), [])
  t.like(configEntry(tables.view(), 'service-defaults', 'web').entry, { content: { Protocol: 'tcp' } })
  t.like(configEntry(tables.view(), 'proxy-defaults', 'global').entry, { content: { Config: { a: 1 } } })
})

test('a reload writes what is new among the entries of the configuration, and no longer tries what left it', (t) => {
  const tables = emptyTables()
  const [web, db] = ['web', 'db'].map((Name) => granted(configEntryOf({ Kind: 'service-defaults', Name, Protocol: 'http' })))
  const a = tryActor(configEntries, { args: { bootstrap: [web!] }, tables, commits: 'keep' })
  a.answer('commit', refuse('busy', 'full'))
  t.is(a.call('reload', { bootstrap: [] }).result, null)
  t.deepEqual([a.timers(), a.pending()], [[], []])
  const b = tryActor(configEntries, { args: { bootstrap: [web!] }, tables })
  written(tables, { Kind: 'service-defaults', Name: 'web', Protocol: 'tcp' })
  t.is(b.call('reload', { bootstrap: [web!, db!] }).result, null)
  t.like(configEntry(tables.view(), 'service-defaults', 'web').entry, { content: { Protocol: 'tcp' } })
  t.like(configEntry(tables.view(), 'service-defaults', 'db').entry, { content: { Protocol: 'http' } })
})

const PROXY = {
  Name: 'web-proxy',
  Kind: 'connect-proxy',
  Port: 1,
  Proxy: {
    DestinationServiceName: 'web',
    Config: { local_connect_timeout_ms: 9 },
    Upstreams: [{ DestinationName: 'db', LocalBindPort: 91, Config: { connect_timeout_ms: 1 } }],
  },
}

test('a registration wins over service-defaults, and these over proxy-defaults', (t) => {
  const tables = emptyTables()
  const service = granted(serviceFromApi(PROXY))
  t.is(withCentralDefaults(tables.view(), service, { centralConfig: true }), service)
  written(
    tables,
    { Kind: 'proxy-defaults', Config: { protocol: 'http', local_connect_timeout_ms: 5, x: 1 }, MeshGateway: { Mode: 'local' } },
    {
      Kind: 'service-defaults',
      Name: 'web',
      Protocol: 'http2',
      MeshGateway: { Mode: 'remote' },
      Expose: { Checks: true },
      UpstreamConfig: { Defaults: { ConnectTimeoutMs: 7 }, Overrides: [{ Name: 'db', Limits: { MaxConnections: 3 } }] },
    },
    { Kind: 'service-defaults', Name: 'db', Protocol: 'grpc' },
  )
  const { proxy } = withCentralDefaults(tables.view(), service, { centralConfig: true })
  t.deepEqual(proxy?.config, { protocol: 'http2', local_connect_timeout_ms: 9, x: 1 })
  t.deepEqual(proxy?.meshGateway, { mode: 'remote' })
  t.true(proxy?.expose.checks)
  t.deepEqual(proxy?.upstreams[0]?.config, { protocol: 'grpc', connect_timeout_ms: 1, limits: { MaxConnections: 3 } })
  t.deepEqual(proxy?.upstreams[0]?.meshGateway, { mode: 'remote' })
})

test('a sidecar of this agent is announced anew when the central settings change', (t) => {
  const a = tryLocal()
  a.register(granted(serviceFromApi({ Name: 'web', Port: 80, Connect: { SidecarService: {} } })))
  const feed = a.subscribe('serviceChanges', { serviceId: 'web-sidecar-proxy' })
  const told = () => serviceInstances(a.tables.view(), 'web-sidecar-proxy').instances[0]?.instance.proxy?.config
  t.deepEqual(told(), {})
  a.commit('config.set', { kind: 'service-defaults', name: 'web', content: { Protocol: 'http' } })
  t.deepEqual(told(), { protocol: 'http' })
  t.deepEqual(feed.values.at(-1)?.definition.proxy?.config, { protocol: 'http' })
  a.commit('config.delete', { kind: 'service-defaults', name: 'web' })
  t.deepEqual(told(), {})
})

test('an agent without enable_central_service_config leaves its proxies as they were registered', (t) => {
  const a = tryLocal({ centralConfig: false })
  a.commit('config.set', { kind: 'service-defaults', name: 'web', content: { Protocol: 'http' } })
  a.register(granted(serviceFromApi({ Name: 'web', Port: 80, Connect: { SidecarService: {} } })))
  t.deepEqual(serviceInstances(a.tables.view(), 'web-sidecar-proxy').instances[0]?.instance.proxy?.config, {})
  const managed = granted(serviceFromApi({ Name: 'web', Port: 80, Connect: { Proxy: {} } }))
  a.commit('config.set', { kind: 'proxy-defaults', name: 'global', content: { Config: { handshake_timeout_ms: 9 } } })
  const settings = { datacenter: 'dc1', bindAddress: '', portMin: 0, portMax: 0, defaults: { upstreams: [], opaque: {} }, command: [] }
  t.is(withCentralSettings(a.tables.view(), managed, { ...settings, centralConfig: false }), managed)
  const changed = withCentralSettings(a.tables.view(), managed, { ...settings, centralConfig: true })
  t.is(changed.connect?.proxy?.config.handshakeTimeoutMs, 9)
})
