import test from 'ava'
import { servicesOf } from '../../actors/catalog/queries.ts'
import { applyGroup } from '../../actors/commands.ts'
import { feeds } from '../../actors/feeds/index.ts'
import { keptFeeds, keptFeedsRef } from '../../actors/kept-feeds/index.ts'
import { ledger, ledgerRef } from '../../actors/ledger.ts'
import { scaleOf } from '../../actors/local/announce.ts'
import { local } from '../../actors/local/index.ts'
import { localRef } from '../../actors/local/protocol.ts'
import { mirror } from '../../actors/mirror/index.ts'
import { applyMirrored } from '../../actors/mirror/rows.ts'
import type { Host } from '../../src/kernel/host.ts'
import { overlay } from '../../src/kernel/overlay.ts'
import type { Devices, StoreOutcome } from '../../src/kernel/ports.ts'
import { localLog } from '../../src/local-log.ts'
import { type Layout, placer } from '../../src/placement.ts'
import { linkedHosts } from '../kit/linked-hosts.ts'
import { localArgs, service } from '../kit/local.ts'

test('a service that is registered at a client agent is in the catalog of the server', async (t) => {
  const { register, catalog, mirrored } = cluster()
  t.is(await register('web'), null)
  t.deepEqual(catalog(), ['web'])
  t.deepEqual(mirrored(), ['web'], 'and in the tables of the client')
})

test('without a server a registration is kept, and told once there is one', async (t) => {
  const { use, register, catalog, kit } = cluster()
  use(undefined)
  t.is(await register('web'), null)
  t.deepEqual(catalog(), [])
  use('s1')
  kit.advance(30_000)
  t.deepEqual(catalog(), ['web'])
})

test('what the catalog has of this agent and should not is repaired within seconds', async (t) => {
  const { register, catalog, kit } = cluster()
  await register('web')
  const server = kit.host('s1')
  const base = { node: 'n1', id: '', address: '10.0.0.1', taggedAddresses: {}, meta: {}, skipNodeUpdate: true, checks: [] }
  const stranger = { ...base, service: { ...service({ name: 'ghost' }), native: false } }
  const commit = (kind: string, request: object) => server.asked(ledgerRef, 'commit', { kind, atMs: 0, request } as never, 1_000)
  const results = Promise.all([
    commit('catalog.register', stranger),
    commit('catalog.deregister', { node: 'n1', serviceId: 'web', checkId: '' }),
  ])
  kit.settle()
  t.deepEqual(await results, [null, null])
  kit.advance(4_000)
  t.deepEqual(catalog(), ['web'])
})

test('another machine proposes only what is about itself', async (t) => {
  const { kit } = cluster()
  const asked = kit.host('n1').asked(ledgerRef, 'commit', { kind: 'kv.put', atMs: 0, request: {} } as never, 1_000)
  kit.settle()
  t.deepEqual(await asked, { refused: 'forbidden', why: '"kv.put" cannot be proposed from another machine' })
})

test('feeds go on with what was said last, after a restart too', (t) => {
  const { use, kit, client } = cluster()
  const follow = () => {
    const values: unknown[] = []
    kit.host('n1').follow(keptFeedsRef, 'intentions', { destination: 'db' }, (value) => values.push(value))
    kit.settle()
    return values
  }
  const [first] = follow()
  t.deepEqual(first, { list: [], defaultAllow: true })
  kit.advance(1_000)
  use(undefined)
  kit.restart('n1')
  client()
  t.deepEqual(follow(), [first])
})

test('comparisons of many agents are further apart', (t) => {
  t.deepEqual([1, 128, 129, 256, 512, 1_024].map(scaleOf), [1, 1, 2, 2, 3, 4])
})

test('every thread with connections of a server answers clients', (t) => {
  const layout: Layout = [['main'], ['state'], ['edge'], ['edge']]
  const threads = layout.map((_roles, here) => placer(layout, true, here)('exchange', ''))
  t.deepEqual(threads, [2, 2, 2, 3])
})

function cluster() {
  const [ofServer, ofClient] = [tables(), tables()]
  const hosts = new Map<string, () => Host>()
  const kit = linkedHosts([
    {
      node: 's1',
      server: true,
      actors: [ledger, feeds],
      tables: ofServer,
      devices: { log: localLog({ tables: ofServer, apply: applyGroup, onCommitted: (notice) => hosts.get('s1')?.().notify(notice) }) },
    },
    {
      node: 'n1',
      server: false,
      actors: [local, mirror, keptFeeds],
      tables: ofClient,
      devices: {
        log: localLog({ tables: ofClient, apply: applyMirrored, onCommitted: (notice) => hosts.get('n1')?.().notify(notice) }),
        store: store(),
      },
    },
  ])
  for (const node of ['s1', 'n1']) hosts.set(node, () => kit.host(node))
  const facts = { ...localArgs().facts, server: false }
  const client = () => {
    kit.host('n1').start('local', '', localArgs({ facts }))
    kit.host('n1').start('mirror', '', { enabled: true })
    kit.host('n1').start('kept-feeds', '', { enabled: true })
    kit.settle()
  }
  kit.host('s1').start('ledger', '', undefined)
  kit.host('s1').start('feeds', '', { defaultAllow: true, datacenter: 'dc1' })
  kit.use('n1', 's1')
  client()
  return {
    kit,
    client,
    use(server: string | undefined) {
      kit.use('n1', server)
      kit.settle()
    },
    async register(name: string) {
      const result = kit
        .host('n1')
        .asked(localRef, 'registerService', { service: service({ name }), replaceExistingChecks: false, token: '' }, 1_000)
      kit.settle()
      return result
    },
    catalog: () => servicesOf(ofServer.view(), 'n1').map(({ id }) => id),
    mirrored: () => servicesOf(ofClient.view(), 'n1').map(({ id }) => id),
  }
}

function tables() {
  const rows = overlay({ get: () => undefined, range: () => [] })
  return {
    view: () => rows,
    transact<R>(work: (tx: typeof rows) => R, durable: (result: R) => void) {
      durable(work(rows))
    },
  }
}

function store(): Devices['store'] {
  const records = new Map<string, StoreOutcome['records'][number]>()
  return {
    perform(request, done) {
      if (request.do === 'load') return done({ records: structuredClone([...records.values()]) })
      const { kind, key } = request
      if (request.do === 'save') records.set(`${kind}/${key}`, { kind, key, record: structuredClone(request.record) })
      else records.delete(`${kind}/${key}`)
      done({ records: [] })
    },
  }
}
