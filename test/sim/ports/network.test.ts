import test from 'ava'
import { connected, heard, networkOf, PORT, say } from './network-kit.ts'

test('whatever the delays, bytes arrive in order and before the end', async (t) => {
  const { near, far, clock } = await connected()
  const log = heard(far)
  const words = Array.from({ length: 20 }, (_, position) => String(position))
  say(near, ...words)
  near.end()
  await clock.until(() => log.includes('end'))
  t.deepEqual(log, [...words, 'end'])
  const back = heard(near)
  say(far, 'half-open')
  far.end()
  await clock.until(() => back.includes('ended') && log.includes('ended'))
  t.deepEqual(back, ['half-open', 'end', 'ended'])
})

test('nothing is heard before resume, and nothing is lost by it', async (t) => {
  const { near, far, pass } = await connected()
  say(near, 'early')
  pass(100)
  t.deepEqual(heard(far), ['early'])
})

test('what is said at once after accepting does not overtake the answer to the dial', async (t) => {
  for (const seed of ['1', '2', '3', '4', '5']) {
    const { network, pass, clock } = networkOf({}, seed)
    const arrivals: number[] = []
    network.listen('b', '0.0.0.0', 81, (socket) => say(socket, 'welcome'))
    let answeredMs = 0
    network.dial('a', { host: '10.0.0.2', port: 81 }, (socket) => {
      answeredMs = clock.nowMs()
      if ('why' in socket) return
      socket.handlers = { data: () => arrivals.push(clock.nowMs()) }
      socket.resume()
    })
    pass(100)
    t.is(arrivals.length, 1)
    t.true(answeredMs > 0 && (arrivals[0] ?? 0) >= answeredMs)
  }
})

test('on one node nothing takes time, and a dial elsewhere takes up to 4 ms', async (t) => {
  const { network, clock, outcomes, dial } = networkOf()
  network.listen('a', '127.0.0.1', PORT, () => undefined)
  dial('127.0.0.1')
  await clock.until(() => outcomes[0])
  t.is(clock.nowMs(), 0)
  dial()
  await clock.until(() => outcomes[1])
  t.true(clock.nowMs() > 0 && clock.nowMs() <= 4)
})

test('a dial that was given up is never answered, and its other end is reset', (t) => {
  const { clock, accepted, outcomes, dial } = networkOf({ drawDelayMs: () => 10 })
  const giveUp = dial()
  clock.run(15)
  giveUp()
  clock.run(100)
  t.deepEqual(outcomes, [])
  t.false(accepted[0]?.isOpen)
})

test('where nobody listens a dial is refused; a closed listener counts as nobody', async (t) => {
  const { clock, network, outcomes, dial, bound } = networkOf()
  dial('10.0.0.2', 81)
  t.like(await clock.until(() => outcomes[0]), { refused: 'gone', why: 'connection refused' })
  bound.close()
  dial()
  t.like(await clock.until(() => outcomes[1]), { why: 'connection refused' })
  network.dial('a', { host: '', port: 0, socketPath: '/run/db.sock' }, (outcome) => outcomes.push(outcome))
  t.like(await clock.until(() => outcomes[2]), { why: 'no such file or directory' })
})

test('a path is a way on one node only', async (t) => {
  const { clock, network, outcomes } = networkOf()
  const paths: string[] = []
  network.listenOnPath('a', '/run/db.sock', (socket) => paths.push(socket.target.socketPath ?? ''))
  for (const node of ['a', 'b']) network.dial(node, { host: '', port: 0, socketPath: '/run/db.sock' }, (outcome) => outcomes.push(outcome))
  await clock.until(() => outcomes.length === 2)
  t.deepEqual(paths, ['/run/db.sock'])
})

test('a node is reached by each of its addresses, and an address belongs to one node', async (t) => {
  const { clock, network, outcomes, dial } = networkOf()
  const dialled: string[] = []
  network.addNode('d', '10.0.0.4', 'fd00::4', 'd.example')
  network.listen('d', '', PORT, (socket) => dialled.push(socket.local.address))
  network.listen('d', '10.0.0.4', 81, (socket) => dialled.push(`81 of ${socket.local.address}`))
  for (const host of ['10.0.0.4', 'fd00::4', 'd.example']) dial(host)
  dial('10.0.0.4', 81)
  dial('fd00::4', 81)
  await clock.until(() => outcomes.length === 5)
  t.deepEqual(dialled.sort(), ['10.0.0.4', '81 of 10.0.0.4', 'd.example', 'fd00::4'])
  t.throws(() => network.addNode('e', '10.0.0.4'), { message: /e and d have 10\.0\.0\.4/ })
  t.throws(() => network.addNode('f', '127.0.0.1'), { message: /f has "127\.0\.0\.1"/ })
  t.throws(() => network.addNode('d', '10.0.0.9'), { message: /a name of its own/ })
  t.throws(() => network.listen('nobody', '', 1, () => undefined), { message: /has a node "nobody"/ })
})

test('an address that no node has keeps a dial waiting for 127 s, with few events', async (t) => {
  let events = 0
  const { clock, outcomes, dial } = networkOf({
    after: (ms, work) =>
      clock.after(ms, () => {
        events += 1
        work()
      }),
  })
  dial('192.0.2.1')
  clock.run(126_999)
  t.deepEqual(outcomes, [])
  t.like(await clock.until(() => outcomes[0]), { refused: 'gone', why: 'connection timed out' })
  t.is(clock.nowMs(), 127_000)
  t.true(events < 10, `${events} events`)
})

test('an address that a node gets meanwhile is reached at the next try', async (t) => {
  const { clock, network, outcomes, dial } = networkOf()
  dial('10.0.0.9')
  clock.run(4_000)
  network.addNode('late', '10.0.0.9')
  network.listen('late', '', PORT, () => undefined)
  t.false('why' in (await clock.until(() => outcomes[0])))
  t.true(clock.nowMs() >= 7_000 && clock.nowMs() < 7_010)
})

test('a crash resets what the node had open and tells nobody on it', async (t) => {
  const { near, far, clock, network, outcomes, dial, pass } = await connected()
  const atFar = heard(far)
  const atNear = heard(near)
  network.crash('b')
  pass(100)
  t.deepEqual([atNear, atFar], [['reset'], []])
  dial()
  t.like(await clock.until(() => outcomes[1]), { why: 'connection refused' })
})

test('nobody who dialled before a crash hears of it after, and no connection is left', (t) => {
  const { network, outcomes, dial, pass, accepted, clock } = networkOf({ drawDelayMs: () => 10 })
  dial()
  clock.run(5)
  network.crash('a')
  dial('10.0.0.2', 81)
  pass(1_000)
  t.like(outcomes, [{ why: 'connection refused' }])
  t.true(accepted.every(({ isOpen }) => !isOpen))
})

test('loopback is each node itself, and a bound address counts', (t) => {
  const { network } = networkOf()
  const ignore = () => undefined
  t.true('port' in network.listen('a', '127.0.0.1', PORT, ignore))
  t.true('port' in network.listen('a', '10.0.0.1', PORT, ignore))
  t.like(network.listen('a', '0.0.0.0', PORT, ignore), { refused: 'conflict', why: 'listen tcp 0.0.0.0:80: bind: address already in use' })
  t.like(network.listen('a', '10.0.0.2', PORT, ignore), { refused: 'invalid' })
})
