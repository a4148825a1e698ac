import test from 'ava'
import { feeds } from '../../actors/feeds/index.ts'
import { preparedQuery } from '../kit/queries.ts'
import { tryActor } from '../kit/try-actor.ts'

const PUT = { description: '', action: 'allow' }

function tryFeeds() {
  return tryActor(feeds, { args: { defaultAllow: true, datacenter: 'dc1' } })
}

test('followers get what holds now and then each change of what they ask about, with its index', (t) => {
  const a = tryFeeds()
  const feed = a.subscribe('intentions', { destination: 'db' })
  t.deepEqual(feed.values, [{ list: [], defaultAllow: true }])
  a.commit('intentions.put', { source: 'web', destination: 'db', ...PUT })
  a.commit('intentions.put', { source: 'web', destination: 'other', ...PUT })
  a.commit('intentions.put', { source: 'web', destination: 'db', ...PUT, description: 'the same rule' })
  const list = [{ id: '', source: 'web', destination: 'db', action: 'allow' }]
  t.deepEqual(feed.values.slice(1), [
    { list, defaultAllow: true },
    { list, defaultAllow: true },
  ])
  t.is(feed.index, 3)
})

test('followers of the same question share its evaluation; the last to leave ends it', (t) => {
  const a = tryFeeds()
  const one = a.subscribe('intentions', { destination: 'db' })
  const other = a.subscribe('intentions', { destination: 'db' })
  t.is(a.state.queries.size, 1)
  a.leave(one as never)
  a.commit('intentions.put', { source: '*', destination: 'db', ...PUT })
  t.is(other.values.length, 2)
  t.is(one.values.length, 1)
  a.leave(other as never)
  t.is(a.state.queries.size, 0)
})

test('there are no roots to tell of before there is an authority', (t) => {
  const a = tryFeeds()
  const feed = a.subscribe('roots', null)
  t.deepEqual(feed.values, [])
})

test('instances are those whose checks all pass, with the address that is to be dialled', (t) => {
  const a = tryFeeds()
  const feed = a.subscribe('instances', { service: 'db' })
  t.deepEqual(feed.values, [[]])
  a.commit('catalog.register', registration('db-1', '', 'passing'))
  a.commit('catalog.register', registration('db-2', '10.0.0.2', 'critical'))
  const first = { node: 'n1', id: 'db-1', address: '10.0.0.9', port: 21_000, service: 'db', datacenter: 'dc1', weight: 1 }
  t.deepEqual(feed.values.at(-1), [first])
  a.commit('catalog.register', registration('db-2', '10.0.0.2', 'passing'))
  t.deepEqual(feed.values.at(-1), [first, { ...first, id: 'db-2', address: '10.0.0.2' }])
})

test('instances that a prepared query names are told with each change of it or of them', (t) => {
  const a = tryFeeds()
  const feed = a.subscribe('query', { query: 'near-db' })
  t.deepEqual(feed.values, [{ instances: [], why: 'there is no prepared query "near-db"' }])
  a.commit('catalog.register', registration('db-1', '', 'passing'))
  a.commit('catalog.register', registration('db-2', '10.0.0.2', 'warning'))
  t.is(feed.values.length, 1)
  const id = '11111111-2222-4333-8444-555555555555'
  a.commit('queries.create', { id, query: preparedQuery({ name: 'near-db' }, { service: 'db' }) })
  const ids = () => feed.values.at(-1)?.instances.map((one) => one.id)
  t.deepEqual(ids(), ['db-1', 'db-2'], 'a query may name those with a warning')
  t.like(feed.values.at(-1)?.instances[0], { address: '10.0.0.9', port: 21_000, service: 'db' })
  a.commit('queries.update', { id, query: preparedQuery({ name: 'near-db' }, { service: 'db', onlyPassing: true }) })
  t.deepEqual(ids(), ['db-1'])
  const before = feed.values.length
  a.commit('kv.put', { key: 'x', value: new Uint8Array(), flags: 0n })
  t.is(feed.values.length, before)
})

function registration(id: string, address: string, status: string): object {
  const proxy = {
    destinationServiceName: 'db',
    destinationServiceId: id,
    localServiceAddress: '',
    localServicePort: 0,
    localServiceSocketPath: '',
    mode: '',
    config: {},
    upstreams: [],
    meshGateway: { mode: '' },
    expose: { checks: false, paths: [] },
    transparentProxy: { outboundListenerPort: 0, dialedDirectly: false },
  }
  const check = {
    checkId: `c-${id}`,
    name: 'c',
    status,
    notes: '',
    output: '',
    type: 'tcp',
    interval: '',
    timeout: '',
    exposedPort: 0,
    definition: {},
  }
  return {
    node: 'n1',
    id: '',
    address: '10.0.0.9',
    taggedAddresses: null,
    meta: null,
    skipNodeUpdate: false,
    service: {
      id,
      name: 'db-proxy',
      kind: 'connect-proxy',
      tags: [],
      address,
      taggedAddresses: {},
      meta: {},
      port: 21_000,
      socketPath: '',
      enableTagOverride: false,
      weights: { passing: 1, warning: 1 },
      native: false,
      proxy,
    },
    checks: [{ ...check, node: 'n1', serviceId: id }],
  }
}
