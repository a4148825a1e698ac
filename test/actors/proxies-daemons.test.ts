import test from 'ava'
import type { ManagedProxyDefinition, ServiceDefinition } from '../../actors/definitions.ts'
import { feedsRef } from '../../actors/feeds/protocol.ts'
import { leafRef } from '../../actors/leaf/protocol.ts'
import { managedProxyOf } from '../../actors/local/expand.ts'
import { proxies } from '../../actors/proxies/index.ts'
import type { ProxySettings } from '../../actors/proxies/plan.ts'
import { granted } from '../kit/asking.ts'
import { service } from '../kit/local.ts'
import { proxySettings } from '../kit/proxies.ts'
import { tryActor } from '../kit/try-actor.ts'

const SETTINGS = proxySettings()

function managed(name: string, more: Partial<ManagedProxyDefinition> = {}): ServiceDefinition {
  const proxy: ManagedProxyDefinition = { execMode: 'daemon', command: ['their-proxy'], config: { upstreams: [], opaque: {} }, ...more }
  return service({ name, port: 8_080, connect: { native: false, proxy } })
}

function tryProxies(given: Partial<ProxySettings> = {}) {
  const a = tryActor(proxies, { args: { enabled: true, settings: { ...SETTINGS, ...given }, feeds: feedsRef, leaf: leafRef } })
  a.outcome('store', { records: [] })
  const wanted = a.subscribe('daemons', null)
  const told = () => a.effects().flatMap((effect) => (effect.did === 'call' && effect.name === 'proxyListening' ? [effect.request] : []))
  return { a, wanted, told }
}

test('a service with a command has a program of somebody else as its proxy: it gets a port and is in the catalog at once', (t) => {
  const { a, wanted, told } = tryProxies()
  t.deepEqual(wanted.values, [], 'nothing is said before it is known')
  a.value('services', [managed('web'), managed('db', { config: { upstreams: [], opaque: {}, bindAddress: '127.0.0.1', bindPort: 443 } })])
  t.deepEqual(wanted.values.at(-1), [
    { id: 'db-proxy', serviceId: 'db', service: 'db', command: ['their-proxy'] },
    { id: 'web-proxy', serviceId: 'web', service: 'web', command: ['their-proxy'] },
  ])
  const effects = told()
  t.deepEqual(effects, [
    { serviceId: 'web', address: '0.0.0.0', port: 20_000, silent: true },
    { serviceId: 'db', address: '127.0.0.1', port: 443, silent: true },
  ])
  t.deepEqual(a.acts('store'), [{ do: 'save', kind: 'proxy-port', key: 'web', record: { port: 20_000 } }])
})

test('the command of all proxies is daemon_command, unless a service has its own', (t) => {
  const { a, wanted } = tryProxies({ command: ['all'] })
  a.value('services', [managed('db', { command: [] }), managed('web')])
  t.deepEqual(
    wanted.values.at(-1)?.map(({ command }) => command),
    [['all'], ['their-proxy']],
  )
})

test('how a program is shows in the list of proxies', (t) => {
  const { a } = tryProxies()
  a.value('services', [managed('web')])
  const shown = () => granted(a.call('list', { token: '' }).result ?? []).map(({ phase, why }) => [phase, why])
  t.deepEqual(shown(), [['waiting', '']])
  const status = { id: 'web-proxy', why: '', pid: 7, attempts: 1 }
  a.value('daemons', [{ ...status, phase: 'running' }])
  t.deepEqual(shown(), [['listening', '']])
  a.value('daemons', [{ ...status, phase: 'waiting', why: 'exit code 1' }])
  t.deepEqual(shown(), [['failed', 'exit code 1']])
  a.value('daemons', [{ ...status, phase: 'forbidden', why: 'root' }])
  t.deepEqual(shown(), [['stopped', 'root']])
})

test('a script is refused, and so is a program without a service to speak for', (t) => {
  const { a, wanted } = tryProxies()
  a.value('services', [managed('web', { execMode: 'script' }), { ...managed('db'), port: 0 }])
  t.deepEqual(wanted.values.at(-1), [])
  t.deepEqual(
    granted(a.call('list', { token: '' }).result ?? []).map(({ why }) => why),
    ['port: a service with a managed proxy must have a port', 'connect.proxy.exec_mode: "script" is not supported'],
  )
})

test("the agent's own proxy ends before a program takes its place, and the other way round", (t) => {
  const { a, wanted, told } = tryProxies()
  a.value('services', [managed('web', { command: [] })])
  t.true(a.effects().some(({ did }) => did === 'start'))
  a.value('services', [managed('web')])
  t.deepEqual(wanted.values.at(-1), [])
  a.answer('shutDown', null)
  t.is(wanted.values.at(-1)?.length, 1)
  t.like(told(), { 0: { port: 20_000, silent: true }, length: 1 })
  a.value('services', [managed('web', { command: [] })])
  t.deepEqual(wanted.values.at(-1), [])
  t.true(a.effects().some(({ did }) => did === 'start'))
})

test('the registration of a program says how it is configured, its check begins as critical, and nobody waits for what it tells', (t) => {
  const config = {
    upstreams: [],
    opaque: { bind_port: 1, upstreams: [], mine: true },
    localServiceAddress: '[::1]:99',
    bindPort: 1,
  }
  const of = (silent: boolean) =>
    managedProxyOf(managed('web', { config }), { address: '0.0.0.0', port: 20_000, silent }, { upstreams: [], opaque: {} })
  t.like(of(true).proxy, { config: { bind_port: 1, mine: true }, localServiceAddress: '::1', localServicePort: 99, reports: undefined })
  t.like(of(true).checks[0], { name: 'Connect Proxy Listening', status: '', tcp: '127.0.0.1:20000' })
  t.like(of(false).proxy, { config: {}, reports: true })
  t.is(of(false).checks[0]?.status, 'passing')
})
