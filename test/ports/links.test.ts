import test, { type ExecutionContext } from 'ava'
import type { LinksRequest } from '../../src/kernel/link-ports.ts'
import { type Ref, refOf } from '../../src/kernel/protocol.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { type AgentOptions, arms, echoRef, type LinkedAgent, type LinkedAgents, linkedAgents, simulatedAgents } from './links-arms.ts'

const WITHIN_MS = 20_000
type Echo = typeof echoRef extends Ref<infer P> ? P : never
const there = (node: string) => refOf<Echo>('kv', '', node)

async function agents<const Names extends readonly string[], Agent extends LinkedAgent = LinkedAgent>(
  t: ExecutionContext,
  world: LinkedAgents<Agent>,
  names: Names,
  options: AgentOptions = {},
): Promise<{ [At in keyof Names]: Agent }> {
  t.teardown(() => world.close())
  const list = await Promise.all(names.map((name) => world.start(name, options)))
  const members = list.map(({ member }) => member)
  for (const agent of list) await agent.ask({ do: 'members', members })
  return list as never
}

const say = (agent: LinkedAgent, bytes: Uint8Array, node?: string) =>
  agent.host.asked(node === undefined ? echoRef : there(node), 'echo', { bytes }, WITHIN_MS)

/** Threads hear of it in a turn of their own. */
async function use(client: LinkedAgent, node: string) {
  const outcome = await client.ask({ do: 'use', node })
  await heard()
  return outcome
}

const heard = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

for (const { name, make } of arms) {
  test(`${name}: an agent asks an actor of another one, small and large, and is answered`, async (t) => {
    const [one] = await agents(t, make(), ['s1', 's2'])
    for (const size of [0, 10, 65_536, 5_000_000]) {
      const bytes = new Uint8Array(size).fill(7)
      const answer = await say(one, bytes, 's2')
      t.false(isRefused(answer))
      if (!isRefused(answer)) t.deepEqual([answer.by, Buffer.compare(answer.bytes, bytes)], ['s2', 0])
    }
    const many = await Promise.all(Array.from({ length: 2_000 }, () => say(one, new Uint8Array(100), 's2')))
    t.true(many.every((answer) => !isRefused(answer)))
    t.deepEqual(await one.host.asked(there('s2'), 'secret', null, WITHIN_MS), {
      refused: 'forbidden',
      why: '"secret" of kv cannot be asked from another machine',
    })
    t.deepEqual(await say(one, new Uint8Array(), 's9'), { refused: 'gone', why: 'no member s9' })
  })

  test(`${name}: one server of each datacenter is asked for it, each for itself; without any, the reason is said`, async (t) => {
    const world = make()
    const [one, , s3] = await agents(t, world, ['s1', 's2', 's3', 's4'])
    const byOf = async (datacenter: string) => {
      const answer = await one.host.asked({ ...echoRef, datacenter }, 'echo', { bytes: new Uint8Array() }, WITHIN_MS)
      return isRefused(answer) ? `${answer.refused} ${answer.why}` : answer.by
    }
    const none = 'gone No path to datacenter'
    const all = async () => [
      await byOf('dc2'),
      await byOf('dc3'),
      await say(one, new Uint8Array(), 's4').then((got) => !isRefused(got) && got.by),
    ]
    t.deepEqual(await all(), [none, none, 's4'])
    const choose = async (request: LinksRequest) => {
      const outcome = await one.ask(request)
      await heard()
      return outcome
    }
    t.deepEqual(await choose({ do: 'use', node: 's2', datacenter: 'dc2' }), {})
    t.deepEqual(await choose({ do: 'use', node: 's3', datacenter: 'dc3' }), {})
    t.deepEqual(await all(), ['s2', 's3', 's4'])
    t.deepEqual(await choose({ do: 'use', node: 's4', datacenter: 'dc2' }), {})
    t.deepEqual(await all(), ['s4', 's3', 's4'])
    t.deepEqual(await choose({ do: 'use-none', datacenter: 'dc2', why: 'for the test' }), {})
    t.deepEqual(await all(), ['gone for the test', 's3', 's4'])
    await s3.close()
    await world.lookout.until(() => one.events.length > 0)
    await heard()
    t.like(one.events, [{ did: 'lost', node: 's3', datacenter: 'dc3' }])
    t.regex(await byOf('dc3'), /^gone (?!No path)/)
    t.deepEqual(await choose({ do: 'use-none', datacenter: 'dc3', why: '' }), {})
    t.deepEqual(await all(), ['gone for the test', none, 's4'])
  })

  test(`${name}: a client asks the server in use; another server takes over, its feeds too; without any it is refused`, async (t) => {
    const world = make()
    const [client] = await agents(t, world, ['c1', 's1', 's2'])
    t.deepEqual(await say(client, new Uint8Array()), { refused: 'gone', why: 'No known Consul servers' })
    t.deepEqual(await client.ask({ do: 'use', node: 's9' }), { refused: 'missing', why: 'no member s9' })
    t.deepEqual(await use(client, 's1'), {})
    const byOf = async () => {
      const answer = await say(client, new Uint8Array())
      return isRefused(answer) ? answer.why : answer.by
    }
    const values: unknown[] = []
    client.host.follow(echoRef, 'count', null, (value) => {
      values.push(value)
      world.lookout.changed()
    })
    t.is(await byOf(), 's1')
    const waiting = client.host.asked(echoRef, 'never', null, WITHIN_MS)
    t.deepEqual(await use(client, 's2'), {})
    t.is(await byOf(), 's2')
    const refused = await waiting
    t.true(isRefused(refused) && refused.refused === 'gone')
    await world.lookout.until(() => values.length === 2)
    t.deepEqual(values, [1, 1])
    await client.ask({ do: 'use-none' })
    await heard()
    t.is(await byOf(), 'No known Consul servers')
  })

  test(`${name}: whoever uses a server that ends is told, and its calls are refused at once`, async (t) => {
    const world = make()
    const [client, server] = await agents(t, world, ['c1', 's1'])
    t.deepEqual(await use(client, 's1'), {})
    t.false(isRefused(await say(client, new Uint8Array())))
    const waiting = client.host.asked(echoRef, 'never', null, WITHIN_MS)
    await server.close()
    const refused = await waiting
    t.true(isRefused(refused) && refused.refused === 'gone')
    const lost = await world.lookout.until(() => client.events.find(({ did }) => did === 'lost'))
    t.like(lost, { did: 'lost', node: 's1' })
    const none = await use(client, 's1')
    t.true(isRefused(none) && none.refused === 'gone')
  })

  test(`${name}: a stranger is refused with a reason and complained about; whoever becomes a member meanwhile is not`, async (t) => {
    const world = make()
    t.teardown(() => world.close())
    const server = await world.start('s1', { strangerMs: 50 })
    const stranger = await world.start('s2')
    await stranger.ask({ do: 'members', members: [server.member, stranger.member] })
    await server.ask({ do: 'members', members: [server.member] })
    const refused = await say(stranger, new Uint8Array(), 's1')
    t.deepEqual(refused, { refused: 'gone', why: 'you are no member that I know of' })
    t.deepEqual(await world.lookout.until(() => server.events[0]), {
      did: 'refused',
      who: stranger.member.peer,
      why: 'it wants a link and is no member',
      times: 1,
    })
    const patient = await world.start('s3')
    await patient.ask({ do: 'members', members: [patient.member] })
    await stranger.ask({ do: 'members', members: [patient.member, stranger.member] })
    const early = say(stranger, new Uint8Array(), 's3')
    await patient.ask({ do: 'members', members: [patient.member, stranger.member] })
    t.like(await early, { by: 's3' })
    await patient.ask({ do: 'members', members: [patient.member] })
    const gone = await say(stranger, new Uint8Array(), 's3')
    t.true(isRefused(gone) && gone.refused === 'gone')
  })

  test(`${name}: what is too large for one batch ends the link with a reason`, async (t) => {
    const [one] = await agents(t, make(), ['s1', 's2'])
    const refused = await say(one, new Uint8Array(40_000_000), 's2')
    t.true(isRefused(refused) && /40000\d\d\d bytes/.test(refused.why), JSON.stringify(refused))
    t.like(await say(one, new Uint8Array(1), 's2'), { by: 's2' })
  })
}

for (const [name, bytes] of [
  ['no frames', Buffer.alloc(64, 0xff)],
  ['a frame that is too large', Buffer.from([0, 16, 0, 0, 2, 0, 0, 0, 1])],
  ['a kind that there is not', Buffer.from([0, 0, 0, 5, 99, 0, 0, 0, 1])],
  ['a channel for nobody', Buffer.from([0, 0, 0, 5, 0x81, 0, 0, 0, 1])],
  ['pieces of two batches', Buffer.from([0, 0, 0, 5, 0x83, 0, 0, 0, 1, 0, 0, 0, 5, 0x83, 0, 0, 0, 2])],
] as const) {
  test(`garbage ends the link that it comes over and nothing else: ${name}`, async (t) => {
    const [one, two] = await agents(t, linkedAgents(), ['s1', 's2'])
    t.like(await say(one, new Uint8Array(), 's2'), { by: 's2' })
    const stream = await one.raw(two)
    const ended = new Promise((resolve) => {
      stream.addEventListener('close', resolve)
      stream.addEventListener('remoteCloseWrite', resolve)
    })
    stream.send(bytes)
    await ended
    t.like(await say(one, new Uint8Array(), 's2'), { by: 's2' })
  })
}

test('a batch that is no batch is dropped by the thread it is for; the link stays', async (t) => {
  const [one, two] = await agents(t, linkedAgents(), ['s1', 's2'])
  const stream = await one.raw(two)
  stream.send(Buffer.concat([Buffer.from([0, 0, 0, 12, 0x81, 0, 0, 0, 1]), Buffer.from('0 state')]))
  stream.send(Buffer.from([0, 0, 0, 7, 0x82, 0, 0, 0, 1, 0xc1, 0xc1]))
  t.like(await say(one, new Uint8Array(), 's2'), { by: 's2' })
  t.is(stream.status, 'open')
  t.true((two.host.counters.get('kernel.dropped') ?? 0) > 0)
})

test('an agent that says nothing counts as lost', async (t) => {
  const { 0: client, 1: server } = await agents(t, linkedAgents(), ['c1', 's1'], { pingMs: 50, silenceMsMax: 2_000 })
  const stream = await client.raw(server)
  const ended = new Promise((resolve) => stream.addEventListener('close', resolve))
  // It reads nothing and answers no ping.
  stream.pause()
  await ended
  t.deepEqual(await use(client, 's1'), {})
  t.like(await say(client, new Uint8Array()), { by: 's1' })
})

test('simulated: an agent that nothing gets through to counts as lost', async (t) => {
  const world = simulatedAgents()
  const [client] = await agents(t, world, ['c1', 's1', 's2'])
  t.deepEqual(await use(client, 's1'), {})
  const waiting = client.host.asked(echoRef, 'never', null, 60_000)
  world.cut?.('c1', 's1')
  const refused = await waiting
  t.true(isRefused(refused) && refused.refused === 'gone', JSON.stringify(refused))
  t.like(client.events, [{ did: 'lost', node: 's1' }])
  t.deepEqual(await use(client, 's2'), {})
  t.like(await say(client, new Uint8Array()), { by: 's2' })
})
