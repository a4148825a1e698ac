import test from 'ava'
import fc from 'fast-check'
import { type Way, wayFault } from '../../../sim/ports/way.ts'
import { connected, heard, networkOf, say } from './network-kit.ts'

test('a cut holds packets back, one way only; healed, they arrive in order once they are sent again', async (t) => {
  const { near, far, clock, network, pass } = await connected()
  const atFar = heard(far)
  const atNear = heard(near)
  network.cut('a', 'b')
  t.true(network.isCut('a', 'b') && !network.isCut('b', 'a'))
  const cutMs = clock.nowMs()
  say(near, 'one', 'two')
  say(far, 'other way')
  pass(5_000)
  t.deepEqual([atFar, atNear], [[], ['other way']])
  network.heal('a', 'b')
  say(near, 'three')
  await clock.until(() => atFar.length === 3)
  t.deepEqual(atFar, ['one', 'two', 'three'])
  const tookMs = clock.nowMs() - cutMs
  t.true(tookMs >= 6_200 && tookMs < 6_210, `sent again after 200 ms, 400 ms, … 3200 ms, it arrived after ${tookMs} ms`)
})

test('a cut that lasts too long breaks the connection at both ends, whether anything was said or not', async (t) => {
  for (const words of [['lost'], []]) {
    const { near, far, network, pass } = await connected({ giveUpMs: 10_000 })
    const atFar = heard(far)
    const atNear = heard(near)
    network.cut('a', 'b')
    say(near, ...words)
    pass(9_990)
    t.deepEqual([atNear, atFar], [[], []])
    pass(20)
    t.deepEqual([atNear, atFar], [['lost'], ['lost']])
    network.heal('a', 'b')
    pass(100_000)
    t.deepEqual([atNear, atFar], [['lost'], ['lost']])
  }
})

test('a cut that is healed in time and cut again begins anew to wait', async (t) => {
  const { near, far, network, pass } = await connected({ giveUpMs: 10_000 })
  const atFar = heard(far)
  network.cut('a', 'b')
  pass(6_000)
  network.heal('a', 'b')
  network.cut('a', 'b')
  pass(6_000)
  network.heal('a', 'b')
  say(near, 'still there')
  pass(1_000)
  t.deepEqual(atFar, ['still there'])
})

test('a dial across a cut gets no answer until there is a way', async (t) => {
  for (const [from, to] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    const { clock, network, outcomes, dial } = networkOf()
    network.cut(from, to)
    dial()
    clock.run(5_000)
    t.deepEqual(outcomes, [])
    network.heal(from, to)
    t.false('why' in (await clock.until(() => outcomes[0])))
  }
})

test('a partition stops everything between groups and nothing else, and who is in none reaches everybody', async (t) => {
  const { network, near, far, pass, outcomes, dial } = await connected()
  const atFar = heard(far)
  network.partition([['a'], ['b']])
  t.deepEqual(
    [network.isCut('a', 'b'), network.isCut('b', 'a'), network.isCut('a', 'c'), network.isCut('c', 'b'), network.isCut('a', 'a')],
    [true, true, false, false, false],
  )
  say(near, 'late')
  dial('10.0.0.2', 80, 'c')
  pass(2_000)
  t.deepEqual(atFar, [])
  t.is(outcomes.length, 2)
  network.partition([['a', 'b'], ['c']])
  t.true(network.isCut('a', 'c') && !network.isCut('a', 'b'))
  pass(2_000)
  t.deepEqual(atFar, ['late'])
  network.partition([])
  t.false(network.isCut('a', 'c'))
  t.throws(() => network.partition([['a'], ['a', 'b']]), { message: /a is in two/ })
})

test('healAll ends cuts, disturbances and partitions', async (t) => {
  const { network, near, far, pass, clock } = await connected()
  const atFar = heard(far)
  network.cut('a', 'b')
  network.partition([['a'], ['b', 'c']])
  network.disturb('a', 'b', { lost: 1, delayMs: { from: 500, to: 500 } })
  say(near, 'hello')
  pass(1_000)
  network.healAll()
  t.false(network.isCut('a', 'b'))
  await clock.until(() => atFar.length === 1)
  t.true(network.delayMs('a', 'b') <= 2)
})

test('a slow link takes its own time, in its direction', (t) => {
  const { network } = networkOf()
  network.disturb('a', 'b', { delayMs: { from: 80, to: 120 } })
  const there = Array.from({ length: 200 }, () => network.delayMs('a', 'b'))
  t.true(there.every((ms) => ms >= 80 && ms <= 120) && Math.max(...there) - Math.min(...there) > 30)
  t.true(network.delayMs('b', 'a') <= 2)
  network.restore('a', 'b')
  t.true(network.delayMs('a', 'b') <= 2)
})

test('loss over TCP is time: 200 ms, doubled each time, up to what is given up', (t) => {
  const { network } = networkOf({ drawDelayMs: () => 0 })
  network.disturb('a', 'b', { lost: 0.5 })
  const waits = new Set(Array.from({ length: 400 }, () => network.delayMs('a', 'b')))
  t.deepEqual([...waits].sort((one, other) => one - other).slice(0, 4), [0, 200, 600, 1_400])
  network.disturb('a', 'b', { lost: 1 })
  t.is(network.delayMs('a', 'b'), 30_000)
  t.is(network.delayMs('a', 'a'), 0)
})

test('a connection whose packets are all lost is given up at both ends', async (t) => {
  const { near, far, network, pass } = await connected()
  const logs = [heard(near), heard(far)]
  network.disturb('a', 'b', { lost: 1 })
  say(near, 'never')
  pass(29_990)
  t.deepEqual(logs, [[], []])
  pass(20)
  t.deepEqual(logs, [['lost'], ['lost']])
  pass(100_000)
  t.deepEqual(logs, [['lost'], ['lost']])
})

test('what gets lost is sent again until it gets through, and those behind it wait', async (t) => {
  const { near, far, network, pass, clock } = await connected({ drawDelayMs: () => 1 })
  const log: [number, string][] = []
  far.handlers = { data: (bytes) => log.push([clock.nowMs(), Buffer.from(bytes).toString('utf8')]) }
  far.resume()
  const beginMs = clock.nowMs()
  network.disturb('a', 'b', { lost: 1 })
  say(near, 'one')
  pass(100)
  say(near, 'two')
  pass(2_900)
  network.restore('a', 'b')
  say(near, 'three')
  pass(5_000)
  // Lost after 1 ms, then sent again after 200, 600, 1400 and 3000 ms.
  t.deepEqual(
    log,
    ['one', 'two', 'three'].map((word) => [beginMs + 1 + 3_000 + 1, word]),
  )
})

test('a way that loses much is slow, not stuck: a hundred packets need less than a minute', async (t) => {
  const { near, far, network, clock } = await connected()
  const log = heard(far)
  network.disturb('a', 'b', { lost: 0.3 })
  const beginMs = clock.nowMs()
  say(near, ...Array.from({ length: 100 }, (_, position) => String(position)))
  await clock.until(() => log.length === 100)
  t.true(clock.nowMs() - beginMs < 60_000)
})

test('under loss a dial is repeated, and given up after 127 s', async (t) => {
  const { network, clock, outcomes, dial } = networkOf()
  network.disturb('b', 'a', { lost: 1 })
  dial()
  clock.run(126_000)
  t.deepEqual(outcomes, [])
  t.like(await clock.until(() => outcomes[0]), { why: 'connection timed out' })
})

const way = fc.record<Partial<Way>>(
  {
    lost: fc.double({ min: 0, max: 0.6, noNaN: true }),
    duplicated: fc.double({ min: 0, max: 1, noNaN: true }),
    reordered: fc.double({ min: 0, max: 1, noNaN: true }),
    delayMs: fc.nat(300).map((from) => ({ from, to: from * 2 })),
  },
  { requiredKeys: [] },
)
const step = fc.oneof(
  fc.record({ do: fc.constant('say' as const) }),
  fc.record({ do: fc.constant('disturb' as const), way }),
  fc.record({ do: fc.constantFrom('restore' as const, 'cut' as const, 'heal' as const) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.nat(4_000) }),
)

test('whatever happens on the way, TCP delivers everything once and in order, or breaks', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.string(), async (steps, seed) => {
      const { near, far, network, pass } = await connected({}, seed)
      const log = heard(far)
      let said = 0
      for (const next of steps) {
        if (next.do === 'say') say(near, String(said++))
        else if (next.do === 'disturb') network.disturb('a', 'b', next.way)
        else if (next.do === 'wait') pass(next.ms)
        else network[next.do]('a', 'b')
      }
      network.healAll()
      pass(120_000)
      const words = Array.from({ length: said }, (_, position) => String(position))
      const isBroken = log.at(-1) === 'lost'
      const arrived = isBroken ? log.slice(0, -1) : log
      t.deepEqual(arrived, isBroken ? words.slice(0, arrived.length) : words)
      if (!isBroken) t.true(near.isOpen && far.isOpen)
    }),
    { numRuns: 300 },
  )
})

test('datagrams get lost, arrive twice and overtake each other as they are told to', (t) => {
  const { network, pass } = networkOf()
  const send = (count: number) => {
    const arrived: number[] = []
    for (let number = 0; number < count; number += 1) network.datagram('a', 'b', () => arrived.push(number))
    pass(1_000)
    return arrived
  }
  t.is(new Set(send(100)).size, 100)
  network.disturb('a', 'b', { lost: 0.3 })
  const kept = send(1_000).length
  t.true(kept > 630 && kept < 770, `${kept} of 1000 arrived`)
  network.restore('a', 'b')
  network.disturb('a', 'b', { duplicated: 0.5 })
  const doubled = send(1_000)
  t.true(new Set(doubled).size === 1_000 && doubled.length > 1_400 && doubled.length < 1_600)
  network.restore('a', 'b')
  network.disturb('a', 'b', { delayMs: { from: 1, to: 1 } })
  t.deepEqual(
    send(50),
    Array.from({ length: 50 }, (_, number) => number),
  )
  network.disturb('a', 'b', { reordered: 0.5 })
  const shuffled = send(50)
  t.is(shuffled.length, 50)
  t.notDeepEqual(
    shuffled,
    [...shuffled].sort((one, other) => one - other),
  )
})

test('a datagram does not cross a cut or a partition, and nobody who is down gets or sends one', (t) => {
  const { network, pass, listen } = networkOf()
  const arrived: string[] = []
  const send = (from: string, to: string) => {
    network.datagram(from, to, () => arrived.push(`${from}>${to}`))
    pass(10)
  }
  network.cut('a', 'b')
  send('a', 'b')
  send('b', 'a')
  network.healAll()
  network.partition([['a'], ['b']])
  send('b', 'a')
  network.healAll()
  for (const how of ['aloud', 'silently'] as const) {
    network.crash('b', how)
    send('a', 'b')
    send('b', 'a')
    listen()
  }
  t.deepEqual(arrived, ['b>a'])
  send('a', 'b')
  network.datagram('a', 'b', () => arrived.push('too late'))
  network.crash('b')
  pass(10)
  t.deepEqual(arrived, ['b>a', 'a>b'])
})

test('nothing disturbs a node in itself', (t) => {
  const { network, pass } = networkOf()
  network.disturb('a', 'a', { lost: 1, delayMs: { from: 9, to: 9 } })
  network.cut('a', 'a')
  t.deepEqual([network.isCut('a', 'a'), network.delayMs('a', 'a')], [false, 0])
  let arrived = 0
  network.datagram('a', 'a', () => (arrived += 1))
  pass(0)
  t.is(arrived, 1)
})

test('directions have streams of their own: trouble on one changes no time on another', (t) => {
  const times = (trouble: boolean) => {
    const { network } = networkOf()
    if (trouble) network.disturb('a', 'b', { lost: 0.9, delayMs: { from: 1, to: 9 } })
    return Array.from({ length: 20 }, () => [network.delayMs('a', 'b'), network.delayMs('b', 'a')][1])
  }
  t.deepEqual(times(true), times(false))
})

test('a loss costs no draw from the stream of delays', (t) => {
  const { network } = networkOf()
  const { network: other } = networkOf()
  other.disturb('a', 'b', { lost: 0.9 })
  for (let count = 0; count < 10; count += 1) other.delayMs('a', 'b')
  other.restore('a', 'b')
  const expected = Array.from({ length: 20 }, () => network.delayMs('a', 'b')).slice(10)
  t.deepEqual(
    Array.from({ length: 10 }, () => other.delayMs('a', 'b')),
    expected,
  )
})

test('what a way cannot be is said by its field', (t) => {
  const faults: [unknown, string][] = [
    [{ lost: 2 }, 'lost: must be a number from 0 to 1, got 2'],
    [{ duplicated: -1 }, 'duplicated: must be a number from 0 to 1, got -1'],
    [{ reordered: 'often' }, 'reordered: must be a number from 0 to 1, got "often"'],
    [{ delayMs: 5 }, 'delayMs: must have from and to, got 5'],
    [{ delayMs: { from: 9, to: 3 } }, 'delayMs.to: must be a number from delayMs.from (9), got 3'],
    [{ delayMs: { from: -1, to: 3 } }, 'delayMs.from: must be a number from 0, got -1'],
    [{ delayMs: { from: 1, to: 3, upTo: 4 } }, 'delayMs.upTo: unknown field'],
    [{ losses: 0.5 }, 'losses: unknown field'],
    [null, 'way: must be an object'],
  ]
  for (const [given, said] of faults) t.is(wayFault(given), said)
  t.is(wayFault({ lost: 0.5, delayMs: { from: 0, to: 0 } }), undefined)
  t.throws(() => networkOf().network.disturb('a', 'b', { lost: 2 }), { message: /lost: must be a number from 0 to 1, got 2/ })
})
