import test from 'ava'
import type { Add, LogNode } from './log-arms.ts'
import { arms, contents, history, LogCluster } from './log-arms.ts'

const INVALID = { refused: 'invalid', why: 'n must not be negative' }
const LOST = { refused: 'late', why: 'leadership was lost while the change was under way: it may have been carried out' }

for (const { name, make } of arms) {
  test(`${name}: a group is applied in order as one; once it is durable and visible its notice goes out, then its answer`, async (t) => {
    const { node, events } = await make(t)
    const seen: unknown[] = []
    node.propose([add('a', 1), add('a', -1), add('a', 2)], () => seen.push(history(node.tables.view())))
    t.deepEqual([node.events, history(node.tables.view())], [[], []])
    await events(2)
    t.deepEqual(node.events, ['notice 2', [1, INVALID, 3]])
    t.deepEqual(seen, [['a+1', 'a+2']])
  })

  test(`${name}: groups that are proposed together are applied and answered in their order`, async (t) => {
    const { node, events } = await make(t)
    for (let n = 1; n <= 3; n++) node.propose([add('a', n)])
    await events(6)
    t.deepEqual(node.events, ['notice 1', [1], 'notice 2', [3], 'notice 3', [6]])
    t.deepEqual(history(node.tables.view()), ['a+1', 'a+2', 'a+3'])
  })

  test(`${name}: an empty group is answered once everything before it is visible, and changes nothing`, async (t) => {
    const { node, events } = await make(t)
    node.propose([add('a', 1)])
    await events(2)
    node.propose([], () => t.deepEqual(history(node.tables.view()), ['a+1']))
    await events(3)
    t.deepEqual([node.events.at(-1), history(node.tables.view())], [[], ['a+1']])
  })

  test(`${name}: what a full disk refuses has not happened; what it takes later is answered then`, async (t) => {
    const { node, events } = await make(t)
    if (name === 'etcd') await begun(node, events)
    const before = node.events.length
    node.tables.failNext()
    node.propose([add('a', 1)])
    node.propose([add('a', 5)])
    const isLocal = name === 'local'
    await events(before + (isLocal ? 3 : 4))
    t.deepEqual(
      node.events.slice(before),
      isLocal ? [{ refused: 'busy', why: 'disk failed: simulated' }, 'notice 1', [5]] : ['notice 1', [1], 'notice 2', [6]],
    )
    t.deepEqual(history(node.tables.view()), isLocal ? ['a+5'] : ['a+1', 'a+5'])
  })

  test(`${name}: a bug in a command is thrown, and nothing of its group has happened`, async (t) => {
    const { node, events } = await make(t)
    await t.throwsAsync(
      async () => {
        node.propose([add('a', 1), add('a', 13)])
        await events(1)
      },
      { message: 'a bug' },
    )
    t.deepEqual([node.events, history(node.tables.view())], [[], []])
  })
}

/** Waits until the log has been joined. */
async function begun(node: LogNode, events: (count: number) => Promise<void>): Promise<void> {
  node.propose([])
  await events(1)
}

test('every member gets every entry, with its notice; only the proposer is answered', (t) => {
  const cluster = new LogCluster(3)
  const leader = cluster.elect()
  const [follower, other] = cluster.followers
  follower!.propose([add('a', 1)])
  cluster.run(100)
  t.deepEqual([leader.events, other!.events, follower!.events], [['notice 1'], ['notice 1'], ['notice 1', [1]]])
  t.deepEqual([cluster.log.head, cluster.log.entries[0]?.proposer], [1, follower!.name])
  t.deepEqual(
    cluster.nodes.map(({ name }) => cluster.log.appliedOf(name)),
    [1, 1, 1],
  )
})

test('an idle cluster does nothing', (t) => {
  const cluster = new LogCluster(3)
  cluster.elect().propose([add('a', 1)])
  cluster.run(20_000)
  const { events } = cluster.world
  cluster.run(1_000_000)
  t.is(cluster.world.events, events)
})

test('who was down gets what it missed, after what its disk has', (t) => {
  const cluster = new LogCluster(3)
  const leader = cluster.elect()
  const [away] = cluster.followers
  leader.propose([add('a', 1)])
  cluster.run(3_000)
  away!.crash()
  for (let n = 20; n < 218; n++) leader.propose([add('a', n)])
  cluster.run(2_000)
  t.is(cluster.log.appliedOf(away!.name), 1)
  away!.start()
  cluster.run(2_000)
  t.is(cluster.log.appliedOf(away!.name), 199)
  t.is(contents(away!.tables.view()), contents(leader.tables.view()))
})

test('what a power cut takes from the tables of a member comes again from the log, and it says nothing twice', (t) => {
  const cluster = new LogCluster(3)
  const leader = cluster.elect()
  const [away] = cluster.followers
  for (let n = 20; n < 30; n++) away!.propose([add('a', n)])
  cluster.run(500)
  const answers = () => away!.events.filter((event) => typeof event !== 'string').length
  t.deepEqual([answers(), cluster.log.appliedOf(away!.name)], [10, 10])
  away!.crash()
  t.is(cluster.log.appliedOf(away!.name), 0)
  away!.start()
  cluster.run(2_000)
  t.deepEqual([answers(), contents(away!.tables.view())], [10, contents(leader.tables.view())])
})

test('a crash in the middle of it loses nothing and does nothing twice', (t) => {
  for (let seed = 0; seed < 50; seed++) {
    const cluster = new LogCluster(3, { seed: `crash-${seed}` })
    const leader = cluster.elect()
    const [away] = cluster.followers
    for (let n = 20; n < 60; n++) leader.propose([add('a', n)])
    cluster.run(seed / 5)
    away!.crash()
    away!.start()
    cluster.run(2_000)
    t.is(contents(away!.tables.view()), contents(leader.tables.view()))
    t.is(history(leader.tables.view()).length, 40)
  }
})

test('who is cut off with a minority is told that there is no leader; the majority goes on', (t) => {
  const cluster = new LogCluster(5)
  const leader = cluster.elect()
  const [a, b, c] = cluster.followers
  cluster.isolate(a!.name, b!.name)
  a!.propose([add('a', 1)])
  c!.propose([add('a', 2)])
  leader.propose([add('a', 3)])
  cluster.run(2_000)
  t.deepEqual(a!.events, [{ refused: 'busy', why: 'No cluster leader' }])
  t.deepEqual([cluster.log.head, contents(c!.tables.view())], [2, contents(leader.tables.view())])
  cluster.cuts.clear()
  cluster.run(2_000)
  for (const { tables } of cluster.nodes) t.is(contents(tables.view()), contents(leader.tables.view()))
})

test('a leader that is cut off is replaced; nobody knows what becomes of what it had, but all know the same', (t) => {
  const cluster = new LogCluster(3)
  const old = cluster.elect()
  const [a] = cluster.followers
  cluster.isolate(old.name)
  old.propose([add('old', 1)])
  a!.propose([add('new', 1)])
  cluster.run(2_500)
  t.not(cluster.log.leader, old.name)
  t.deepEqual(old.events, [LOST])
  a!.propose([add('new', 2)])
  cluster.run(8_000)
  t.deepEqual(a!.events.slice(-2), [`notice ${history(a!.tables.view()).length}`, [history(a!.tables.view()).length === 2 ? 3 : 2]])
  cluster.cuts.clear()
  cluster.run(3_000)
  // Nobody but the old leader had it.
  t.false(history(a!.tables.view()).includes('old+1'))
  t.is(contents(old.tables.view()), contents(a!.tables.view()))
})

test('a proposal that is on its way when its way is cut waits there, unless its proposer stops waiting first', (t) => {
  for (const [cutMs, told, head] of [
    [3_000, 'answered', 1],
    [9_000, 'late', 0],
  ] as const) {
    const cluster = new LogCluster(3, { delayMsMax: 50 })
    const leader = cluster.elect()
    const [a] = cluster.followers
    a!.propose([add('a', 1)])
    cluster.cuts.add(`${a!.name}>${leader.name}`)
    cluster.run(cutMs)
    t.deepEqual([cluster.log.head, cluster.log.leader], [0, leader.name])
    cluster.cuts.clear()
    cluster.run(1_000)
    t.is(cluster.log.head, head)
    const [answer] = a!.events.filter((event) => typeof event !== 'string')
    t.is(Array.isArray(answer) ? 'answered' : (answer as { refused: string }).refused, told)
  }
})

test('without a majority there is no leader, and nothing happens until there is one', (t) => {
  const cluster = new LogCluster(3)
  const leader = cluster.elect()
  const [a, b] = cluster.followers
  a!.crash()
  b!.crash()
  leader.propose([add('a', 1)])
  cluster.run(4_000)
  t.is(cluster.log.leader, undefined)
  t.deepEqual(leader.events, [LOST])
  leader.propose([add('a', 2)])
  cluster.run(2_000)
  t.deepEqual(leader.events.slice(1), [{ refused: 'busy', why: 'No cluster leader' }])
  a!.start()
  cluster.run(3_000)
  a!.propose([add('a', 4)])
  cluster.run(1_000)
  t.true(a!.events.some((event) => Array.isArray(event)))
})

test('what is on its way when leadership is lost happens or not, everywhere; its proposer is told that nobody knows', (t) => {
  const heads = new Set<number>()
  for (let seed = 0; seed < 40; seed++) {
    const cluster = new LogCluster(3, { seed: `lost-${seed}`, delayMsMax: 20 })
    const leader = cluster.elect()
    leader.propose([add('a', 1)])
    leader.propose([add('a', 2)])
    cluster.run(1)
    cluster.log.loseLeader()
    cluster.run(5_000)
    t.not(cluster.log.leader, undefined)
    t.deepEqual(
      leader.events.filter((event) => typeof event !== 'string'),
      [LOST, LOST],
    )
    heads.add(cluster.log.head)
    for (const { tables } of cluster.nodes) t.deepEqual(history(tables.view()), ['a+1', 'a+2'].slice(0, cluster.log.head))
  }
  t.deepEqual([...heads].sort(), [0, 1, 2])
})

test('a leader that crashes is replaced; its own proposals are not answered, those of others are', (t) => {
  const cluster = new LogCluster(3)
  const leader = cluster.elect()
  const [a] = cluster.followers
  leader.propose([add('own', 1)])
  leader.crash()
  a!.propose([add('a', 1)])
  cluster.run(3_000)
  t.deepEqual(leader.events, [])
  t.not(cluster.log.leader, undefined)
  t.is(a!.events.filter((event) => typeof event !== 'string').length, 1)
})

test('a leader whose thread stands still is replaced while somebody needs it', (t) => {
  const cluster = new LogCluster(3)
  const leader = cluster.elect()
  const [a] = cluster.followers
  leader.stalledUntilMs = cluster.world.nowMs + 30_000
  a!.propose([add('a', 1)])
  cluster.run(3_000)
  t.not(cluster.log.leader, leader.name)
  cluster.run(5_000)
  t.deepEqual(a!.events, [{ refused: 'late', why: 'nobody answered in time: the change may have been carried out' }])
  a!.propose([add('a', 2)])
  cluster.run(1_000)
  t.deepEqual(a!.events.slice(1), ['notice 1', [2]])
  cluster.run(30_000)
  t.is(contents(leader.tables.view()), contents(a!.tables.view()))
})

test('entries come later to a member that lags, and its proposals are answered late or too late', (t) => {
  const cluster = new LogCluster(3)
  const leader = cluster.elect()
  const [a] = cluster.followers
  cluster.log.lag(a!.name, 3_000, cluster.world.nowMs + 20_000)
  leader.propose([add('a', 1)])
  cluster.run(1_000)
  t.deepEqual([a!.events, leader.events], [[], ['notice 1', [1]]])
  cluster.run(3_000)
  t.deepEqual(a!.events, ['notice 1'])
  cluster.log.lag(a!.name, 60_000, cluster.world.nowMs + 60_000)
  a!.propose([add('a', 2)])
  cluster.run(8_000)
  t.deepEqual(a!.events.slice(1), [{ refused: 'late', why: 'nobody answered in time: the change may have been carried out' }])
  t.is(cluster.log.head, 2)
  cluster.log.heal()
  cluster.run(100)
  t.is(cluster.log.appliedOf(a!.name), 2)
})

test('of outcomes that stay unknown some have happened and some have not', (t) => {
  const cluster = new LogCluster(3)
  cluster.elect()
  const [a] = cluster.followers
  cluster.log.unknownOutcomes(a!.name, cluster.world.nowMs + 10_000)
  for (let n = 20; n < 60; n++) a!.propose([add('a', n)])
  cluster.run(5_000)
  const answers = a!.events.filter((event) => typeof event !== 'string')
  t.is(answers.length, 40)
  for (const answer of answers) t.like(answer, { refused: 'late' })
  t.true(cluster.log.head > 5 && cluster.log.head < 35, `${cluster.log.head} of 40 happened`)
  cluster.log.heal()
  a!.propose([add('a', 1)])
  cluster.run(1_000)
  t.true(Array.isArray(a!.events.at(-1)))
})

test('a member that is started while it is up begins a new life', (t) => {
  const cluster = new LogCluster(3)
  const leader = cluster.elect()
  const [a] = cluster.followers
  a!.propose([add('a', 1)])
  a!.restart()
  cluster.run(2_000)
  t.deepEqual(
    a!.events.filter((event) => typeof event !== 'string'),
    [],
  )
  leader.propose([add('a', 2)])
  cluster.run(2_000)
  t.is(contents(a!.tables.view()), contents(leader.tables.view()))
})

test('five vote; a thousand members learn, in an event or two for each and entry', (t) => {
  const cluster = new LogCluster(1_000)
  const leader = cluster.elect()
  t.true(['n1', 'n2', 'n3', 'n4', 'n5'].includes(leader.name))
  const { events } = cluster.world
  for (let n = 20; n < 30; n++) {
    cluster.node('n900').propose([add('a', n)])
    cluster.run(100)
  }
  for (const { name } of cluster.nodes) t.is(cluster.log.appliedOf(name), 10)
  // One event brings it, one is the disk's.
  t.true(cluster.world.events - events < 10 * 2_100, `${cluster.world.events - events} events`)
})

test('misuse is told', (t) => {
  const cluster = new LogCluster(1)
  t.throws(() => cluster.log.crash('x'), { message: 'broken promise: the log has a member "x"' })
  t.throws(() => new LogCluster(0), { message: 'broken promise: a log has members' })
})

function add(key: string, n: number): Add {
  return { key, n }
}
