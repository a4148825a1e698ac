import test, { type ExecutionContext } from 'ava'
import { realClock, realRandom } from '../../../net/clock.ts'
import { openPool } from '../../../net/gossip/pool.ts'
import { createFarThread } from '../../../src/far-threads.ts'
import { defineActor } from '../../../src/kernel/actor.ts'
import { nodeOf } from '../../../src/kernel/far.ts'
import { Host } from '../../../src/kernel/host.ts'
import type { AnyActor } from '../../../src/kernel/instance.ts'
import type { LinkMember, LinksRequest } from '../../../src/kernel/link-ports.ts'
import type { GossipOutcome } from '../../../src/kernel/ports.ts'
import { type Call, refOf } from '../../../src/kernel/protocol.ts'
import { isRefused, type Result } from '../../../src/kernel/refusal.ts'
import type { Layout } from '../../../src/placement.ts'
import { placeFar } from '../../../src/placement.ts'
import { configOf } from '../../config/kit.ts'
import { temporaryDirectory } from '../../kit/temporary-directory.ts'

const LAYOUT: Layout = [['main', 'state', 'edge', 'mesh', 'gossip']]
const KEY = Buffer.alloc(32, 1).toString('base64')
type AskedProtocol = { who: Call<null, { by: string }> }
const asked = (name: string, abroad?: true) =>
  defineActor<AskedProtocol, Record<never, never>, null>({
    name,
    mailboxMax: 10,
    remote: ['who'],
    ...(abroad && { abroad }),
    init: () => null,
    on: { who: (_state, _request, _turn, caller) => ({ by: nodeOf(caller) ?? 'this one' }) },
  }) as unknown as AnyActor

/** The pool of all servers as the server n1 of a datacenter has it, on one thread. */
async function server(t: ExecutionContext, datacenter: string) {
  const config = configOf(t, ['-server', '-bootstrap', '-bind=127.0.0.1', '-data-dir=/x', '-node=n1', `-datacenter=${datacenter}`])
  const dataDir = temporaryDirectory(t)
  const pools = ([false, true] as const).map((wan) => openPool({ config: { ...config, dataDir }, layout: LAYOUT, wan }))
  const [lan, wide] = pools as [(typeof pools)[0], (typeof pools)[0]]
  const far = createFarThread(() => host)
  wide.links.attach(0, (message) => setImmediate(far.take, message))
  far.attach((message) => setImmediate(wide.links.take, 0, message))
  const host: Host = new Host({
    node: 'n1',
    thread: 0,
    ports: {
      clock: realClock,
      random: () => realRandom,
      tables: { view: () => ({ get: () => undefined, range: () => [] }) },
      devices: {},
      print: () => undefined,
    },
    actors: [asked('exchange', true), asked('kv')],
    place: () => 0,
    far: placeFar,
    reach: far.reach,
    soon: setImmediate,
    fatal: (why) => t.fail(why),
  })
  for (const actor of ['exchange', 'kv']) host.start(actor, '', null)
  const listen = (pool: typeof lan) =>
    new Promise<GossipOutcome>((resolve, reject) => {
      const request = { do: 'listen' as const, address: '127.0.0.1', port: 0, keys: [KEY] }
      const done = (result: Result<GossipOutcome>) => (isRefused(result) ? reject(new Error(result.why)) : resolve(result))
      pool.gossip.perform(request, done, () => undefined)
    })
  const [near, beyond] = [await listen(lan), await listen(wide)]
  t.teardown(async () => {
    host.close()
    for (const pool of pools) await pool.close()
  })
  const member: LinkMember = { node: `n1.${datacenter}`, peer: beyond.peer ?? '', host: '127.0.0.1', port: beyond.port ?? 0 }
  const links = (request: LinksRequest) =>
    new Promise<Result<object>>((resolve) =>
      wide.links.perform(
        request,
        (result) => setImmediate(() => setImmediate(resolve, result)),
        () => undefined,
      ),
    )
  return { host, member, links, peers: [near.peer, beyond.peer], keys: beyond.keys, dataDir }
}

test('a server is somebody else in each pool, and is asked from other datacenters under its whole name, what may be asked there', async (t) => {
  const [one, two] = [await server(t, 'dc1'), await server(t, 'dc2')]
  t.is(new Set([...one.peers, ...two.peers]).size, 4)
  t.deepEqual(one.keys, [KEY])
  for (const { links } of [one, two]) await links({ do: 'members', members: [one.member, two.member] })
  t.deepEqual(await one.links({ do: 'use', node: 'n1.dc2', datacenter: 'dc2' }), {})
  const ask = (actor: string) => one.host.asked({ ...refOf<AskedProtocol>(actor), datacenter: 'dc2' }, 'who', null, 10_000)
  t.deepEqual(await ask('exchange'), { by: 'n1.dc1' })
  t.deepEqual(await ask('kv'), { refused: 'forbidden', why: '"who" of kv cannot be asked from another datacenter' })
  await two.links({ do: 'members', members: [] })
  t.like(await ask('exchange'), { refused: 'gone' })
})
