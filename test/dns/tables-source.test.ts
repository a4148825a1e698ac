// biome-ignore-all lint/suspicious/noTemplateCurlyInString: prepared queries have places of this form.
import test from 'ava'
import { origin } from '../../actors/coordinates/tables.ts'
import type { PreparedQuery } from '../../actors/prepared-queries/tables.ts'
import { dnsSource } from '../../net/dns/tables-source.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { check, instance, proxyTo, registration } from '../kit/catalog.ts'
import { preparedQuery, template } from '../kit/queries.ts'
import { emptyTables } from '../kit/tables.ts'

function tried() {
  const tables = emptyTables()
  const source = dnsSource(() => tables.view(), 'n1')
  const register = (given: Parameters<typeof registration>[0]) =>
    tables.apply([{ kind: 'catalog.register', atMs: 0, request: registration(given) }])
  return { source, register, tables }
}

test('nodes and services are found by name and by address', (t) => {
  const { source, register } = tried()
  register({
    node: 'Web-1',
    address: '10.0.0.1',
    meta: { a: 'b' },
    service: instance({ name: 'Web', address: 'fd00:0::1', port: 80, tags: ['v1'] }),
  })
  t.deepEqual(source.node('web-1'), { name: 'Web-1', address: '10.0.0.1', meta: { a: 'b' } })
  t.like(source.nodeByAddress('10.0.0.1'), { name: 'Web-1' })
  t.is(source.serviceByAddress('fd00::1'), 'Web')
  t.like(source.service('web'), [{ node: { name: 'Web-1' }, address: 'fd00:0::1', port: 80, tags: ['v1'], status: 'passing' }])
  t.is(source.node('x'), undefined)
  t.is(source.nodeByAddress('10.0.0.11'), undefined)
  t.is(source.serviceByAddress('10.0.0.1'), undefined)
  t.deepEqual(source.service('x'), [])
})

test('an answer follows every change: the worst check of instance and node counts', (t) => {
  const { source, register, tables } = tried()
  register({ service: instance({ name: 'web' }), checks: [check({ checkId: 'c', serviceId: 'web' })] })
  const status = () => (source.service('web') as readonly { status: string }[]).map((one) => one.status)
  t.deepEqual(status(), ['passing'])
  register({ checks: [check({ checkId: 'disk', status: 'warning' })] })
  t.deepEqual(status(), ['warning'])
  register({ checks: [check({ checkId: 'c', serviceId: 'web', status: 'critical' })] })
  t.deepEqual(status(), ['critical'])
  tables.apply([{ kind: 'catalog.deregister', atMs: 0, request: { node: 'n1', serviceId: 'web', checkId: '' } }])
  t.deepEqual(status(), [])
})

test('what speaks Connect for a service is found by the service', (t) => {
  const { source, register } = tried()
  register({ service: instance({ name: 'web-proxy', port: 20_000, ...proxyTo('web') }) })
  t.like(source.connect('web'), [{ port: 20_000 }])
})

test('servers that are critical are left out', (t) => {
  const { source, register } = tried()
  register({ node: 'a', service: instance({ name: 'consul' }) })
  register({ node: 'b', service: instance({ name: 'consul' }), checks: [check({ checkId: 'serfHealth', status: 'critical' })] })
  t.like(source.servers(), [{ name: 'a' }])
})

test('questions without end keep no more than so many answers', (t) => {
  const { source, register } = tried()
  register({ node: 'a' })
  for (let i = 0; i < 10_000; i++) t.is(source.node(`x${i}`), undefined)
  t.like(source.node('a'), { name: 'a' })
})

test('a prepared query is asked by its name or through a template, near whoever asks', (t) => {
  const { source, register, tables } = tried()
  const place = (node: string, address: string, first: number) => {
    register({ node, address, service: instance({ name: 'Web' }) })
    const coordinate = { ...origin(), vec: [first, 0, 0, 0, 0, 0, 0, 0] }
    tables.apply([{ kind: 'coordinates.update', atMs: 0, request: { updates: [{ node, segment: '', coordinate }] } }])
  }
  place('n1', '10.0.0.1', 1)
  place('a', '10.0.0.2', 2)
  place('b', '10.0.0.3', 5)
  const write = (id: string, query: PreparedQuery) => tables.apply([{ kind: 'queries.create', atMs: 0, request: { id, query } }])
  write('1', preparedQuery({ name: 'Near', dns: { ttl: '10s', ttlMs: 10_000 } }, { near: '_ip' }))
  write('2', preparedQuery({ name: 'for-', ...template('^for-(.*)$') }, { service: '${match(1)}', near: '_agent' }))
  const asked = (name: string, ip = '') => {
    const found = source.query(name, { ip, chance: () => 0 })
    if (found === undefined || isRefused(found)) return []
    return [found.service, found.ttlMs, found.instances.map(({ node }) => node.name).join('')]
  }
  t.deepEqual(asked('near', '10.0.0.3'), ['web', 10_000, 'ban1'])
  t.deepEqual(asked('near', '10.0.0.2'), ['web', 10_000, 'an1b'])
  t.deepEqual(asked('for-web'), ['web', undefined, 'n1ab'])
  t.deepEqual(asked('for-nobody'), ['nobody', undefined, ''])
  t.is(source.query('nope', { ip: '', chance: () => 0 }), undefined)
})
