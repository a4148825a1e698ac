import test from 'ava'
import { SimNetwork, type SimNetworkOptions } from '../../../sim/ports/network.ts'
import type { SimClosing, SimSocket } from '../../../sim/ports/socket.ts'
import type { Random } from '../../../src/kernel/ports.ts'
import { assert, isRefused, type Refusal } from '../../../src/kernel/refusal.ts'
import { steppingClock } from '../../ports/mesh-arms.ts'

const PORT = 80

function world(options: Partial<SimNetworkOptions> = {}) {
  const clock = steppingClock()
  let draws = 0
  const random: Random = { next: () => (draws++ * 0.37) % 1, int: (from) => from, uuid: () => '' }
  const network = new SimNetwork({ nowMs: clock.nowMs, after: clock.after, random: () => random, ...options })
  network.addNode('a', '10.0.0.1')
  network.addNode('b', '10.0.0.2')
  const accepted: SimSocket[] = []
  const bound = network.listen('b', '0.0.0.0', PORT, (socket) => accepted.push(socket))
  assert(!isRefused(bound), 'b listens')
  const outcomes: (SimSocket | Refusal)[] = []
  const dial = (host = '10.0.0.2', port = PORT) => network.dial('a', { host, port }, (outcome) => outcomes.push(outcome))
  return { clock, network, accepted, outcomes, dial, bound }
}

/** What arrives at an end, in words. */
function heard(socket: SimSocket): string[] {
  const log: string[] = []
  socket.handlers = {
    data: (bytes) => log.push(Buffer.from(bytes).toString('utf8')),
    end: () => log.push('end'),
    closed: (how: SimClosing) => log.push(how),
  }
  socket.resume()
  return log
}

async function connected(options: Partial<SimNetworkOptions> = {}) {
  const made = world(options)
  made.dial()
  const outcome = await made.clock.until(() => made.outcomes[0])
  assert(!isRefused(outcome), 'a reaches b')
  const far = made.accepted[0]
  assert(far !== undefined, 'b accepted')
  return { ...made, near: outcome, far }
}

test('whatever the delays, bytes arrive in order and before the end', async (t) => {
  const { near, far, clock } = await connected()
  const log = heard(far)
  const words = Array.from({ length: 20 }, (_, position) => String(position))
  for (const word of words) near.write(Buffer.from(word))
  near.end()
  await clock.until(() => log.includes('end'))
  t.deepEqual(log, [...words, 'end'])
  const back = heard(near)
  far.write(Buffer.from('half-open'))
  far.end()
  await clock.until(() => back.includes('ended') && log.includes('ended'))
  t.deepEqual(back, ['half-open', 'end', 'ended'])
})

test('nothing is heard before resume, and nothing is lost by it', async (t) => {
  const { near, far, clock } = await connected()
  near.write(Buffer.from('early'))
  clock.run(clock.nowMs() + 100)
  t.deepEqual(heard(far), ['early'])
})

test('a cut holds packets back, one way only; healed, they arrive in order', async (t) => {
  const { near, far, clock, network } = await connected()
  const atFar = heard(far)
  const atNear = heard(near)
  network.cut('a', 'b')
  near.write(Buffer.from('one'))
  near.write(Buffer.from('two'))
  far.write(Buffer.from('other way'))
  clock.run(clock.nowMs() + 5_000)
  t.deepEqual(atFar, [])
  t.deepEqual(atNear, ['other way'])
  network.heal('a', 'b')
  await clock.until(() => atFar.length === 2)
  t.deepEqual(atFar, ['one', 'two'])
})

test('a cut that lasts too long breaks the connection at both ends', async (t) => {
  const { near, far, clock, network } = await connected({ giveUpMs: 10_000 })
  const atFar = heard(far)
  const atNear = heard(near)
  network.cut('a', 'b')
  near.write(Buffer.from('lost'))
  clock.run(clock.nowMs() + 11_000)
  network.heal('a', 'b')
  clock.run()
  t.deepEqual([atNear, atFar], [['lost'], ['lost']])
})

test('a dial across a cut gets no answer until there is a way', async (t) => {
  const { clock, network, outcomes, dial } = world()
  network.cut('b', 'a')
  dial()
  clock.run(5_000)
  t.deepEqual(outcomes, [])
  network.heal('b', 'a')
  const outcome = await clock.until(() => outcomes[0])
  t.false(isRefused(outcome))
})

test('a dial that was given up is never answered, and its other end is reset', (t) => {
  const { clock, accepted, outcomes, dial } = world({ drawDelayMs: () => 10 })
  const giveUp = dial()
  clock.run(15)
  giveUp()
  clock.run(100)
  t.deepEqual(outcomes, [])
  const far = accepted[0]
  t.false(far?.isOpen)
})

test('where nobody listens a dial is refused; a closed listener counts as nobody', async (t) => {
  const { clock, outcomes, dial, bound } = world()
  dial('10.0.0.2', 81)
  t.like(await clock.until(() => outcomes[0]), { refused: 'gone', why: 'connection refused' })
  bound.close()
  dial()
  t.like(await clock.until(() => outcomes[1]), { why: 'connection refused' })
})

test('a crash resets what the node had open and tells nobody on it', async (t) => {
  const { near, far, clock, network, outcomes, dial } = await connected()
  const atFar = heard(far)
  const atNear = heard(near)
  network.crash('b')
  clock.run(clock.nowMs() + 100)
  t.deepEqual([atNear, atFar], [['reset'], []])
  dial()
  t.like(await clock.until(() => outcomes[1]), { why: 'connection refused' })
})

test('loopback is each node itself, and a bound address counts', (t) => {
  const { network } = world()
  const ignore = () => undefined
  t.true('port' in network.listen('a', '127.0.0.1', PORT, ignore))
  t.true('port' in network.listen('a', '10.0.0.1', PORT, ignore))
  t.like(network.listen('a', '0.0.0.0', PORT, ignore), { refused: 'conflict', why: 'listen tcp 0.0.0.0:80: bind: address already in use' })
  t.like(network.listen('a', '10.0.0.2', PORT, ignore), { refused: 'invalid' })
})
