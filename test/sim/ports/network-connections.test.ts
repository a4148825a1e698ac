import test from 'ava'
import { isRefused } from '../../../src/kernel/refusal.ts'
import { connected, heard, networkOf, PORT, say } from './network-kit.ts'

test('a pulled plug is not noticed at once: whoever has a connection gives up after 30 s', async (t) => {
  const { near, far, network, pass, outcomes, dial } = await connected()
  const logs = [heard(near), heard(far)]
  network.crash('b', 'silently')
  say(near, 'anybody?')
  dial()
  pass(29_990)
  t.deepEqual(logs, [[], []])
  t.is(outcomes.length, 1)
  pass(20)
  t.deepEqual(logs, [['lost'], []])
})

test('a machine that is back answers an old packet with a reset, and new dials', async (t) => {
  const { near, far, network, pass, listen, dial, outcomes } = await connected()
  const logs = [heard(near), heard(far)]
  network.crash('b', 'silently')
  say(near, 'anybody?')
  dial()
  pass(2_500)
  listen()
  pass(800)
  t.deepEqual(logs, [['reset'], []])
  pass(1_000)
  t.false(outcomes[1] === undefined || isRefused(outcomes[1]))
})

test('an idle connection to a machine that was off is found out by keep-alives', async (t) => {
  const { near, network, pass } = await connected({ keepAliveMs: 5_000 })
  const log = heard(near)
  network.crash('b', 'silently')
  pass(1_000)
  network.start('b')
  t.deepEqual(log, [])
  pass(5_010)
  t.deepEqual(log, ['reset'])
})

test('what a machine had sent before its plug was pulled still arrives, and nothing it would have sent again', async (t) => {
  const { near, far, network, pass } = await connected()
  const log = heard(near)
  say(far, 'last words')
  network.crash('b', 'silently')
  pass(100)
  t.deepEqual(log, ['last words'])
  const { near: other, far: cutOff, network: second, pass: wait } = await connected()
  const otherLog = heard(other)
  second.cut('b', 'a')
  say(cutOff, 'unheard')
  wait(100)
  second.crash('b', 'silently')
  second.heal('b', 'a')
  wait(20_000)
  t.deepEqual(otherLog, [])
})

test('a machine that is off cannot dial; one that crashed aloud can', (t) => {
  const { network, outcomes, dial, pass } = networkOf()
  network.crash('a', 'silently')
  dial()
  pass(200_000)
  t.deepEqual(outcomes, [])
  network.start('a')
  network.crash('a')
  dial()
  pass(10)
  t.is(outcomes.length, 1)
})

test('refused dials: everything of a node, or only what fits, until it is over', async (t) => {
  const { network, clock, outcomes, dial } = networkOf()
  network.listen('b', '', 81, () => undefined)
  const ask = async (port: number, from = 'a') => {
    outcomes.length = 0
    dial('10.0.0.2', port, from)
    const outcome = await clock.until(() => outcomes[0])
    return isRefused(outcome) ? outcome.why : 'connected'
  }
  const clear = network.refuseDials('b', { port: 81, peer: 'a' })
  t.deepEqual([await ask(81), await ask(PORT), await ask(81, 'c')], ['connection refused', 'connected', 'connected'])
  const clearAll = network.refuseDials('b')
  t.deepEqual([await ask(81, 'c'), await ask(PORT)], ['connection refused', 'connection refused'])
  clearAll()
  clear()
  t.deepEqual([await ask(81), await ask(PORT)], ['connected', 'connected'])
  network.refuseDials('b', { address: '10.0.0.2' })
  network.refuseDials('b', { path: '/run/db.sock' })
  t.is(await ask(PORT), 'connection refused')
  network.healAll()
  t.is(await ask(PORT), 'connected')
})

test('a path may be refused, like a port', async (t) => {
  const { network, clock, outcomes } = networkOf()
  const ask = async (socketPath: string) => {
    outcomes.length = 0
    network.dial('a', { host: '', port: 0, socketPath }, (outcome) => outcomes.push(outcome))
    return clock.until(() => outcomes[0])
  }
  network.listenOnPath('a', '/run/db.sock', () => undefined)
  network.listenOnPath('a', '/run/web.sock', () => undefined)
  network.refuseDials('a', { path: '/run/db.sock' })
  t.like(await ask('/run/db.sock'), { refused: 'gone', why: 'connection refused' })
  t.false(isRefused(await ask('/run/web.sock')))
})

test('all matching connections are reset at once at both ends, and the others stay', async (t) => {
  const { near, far, network, clock, dial, outcomes, pass } = await connected()
  dial('10.0.0.2', PORT, 'c')
  const third = await clock.until(() => outcomes[1])
  if (isRefused(third)) return t.fail(third.why)
  const logs = [heard(near), heard(far), heard(third)]
  t.is(network.resetConnections('b', { peer: 'a', port: 99 }), 0)
  t.is(network.resetConnections('b', { peer: 'a' }), 1)
  pass(0)
  t.deepEqual(logs, [['reset'], ['reset'], []])
  t.is(network.resetConnections('c'), 1)
  pass(100)
  t.deepEqual(logs, [['reset'], ['reset'], ['reset']])
})

test('a connection that is reset before its dial is answered counts as not made', (t) => {
  const { network, clock, dial, outcomes, accepted } = networkOf({ drawDelayMs: () => 10 })
  dial()
  clock.run(15)
  t.is(accepted.length, 1)
  t.is(network.resetConnections('b'), 1)
  clock.run(30)
  t.like(outcomes, [{ refused: 'gone', why: 'connection reset by peer' }])
})

test('held connections deliver nothing until they are let go, and then everything in order', async (t) => {
  const { near, far, network, pass, dial, clock, outcomes, accepted } = await connected()
  const logs = [heard(near), heard(far)]
  const letGo = network.holdConnections('b')
  say(near, 'one', 'two')
  say(far, 'the other end hears')
  dial()
  pass(60_000)
  const later = outcomes[1]
  const atLater = accepted[1]
  if (later === undefined || isRefused(later) || atLater === undefined) return t.fail('a connection is made all the same')
  const laterLog = heard(atLater)
  say(later, 'hello')
  later.reset()
  near.end()
  pass(60_000)
  t.deepEqual([...logs, laterLog], [['the other end hears'], [], []])
  letGo()
  await clock.until(() => laterLog.includes('reset'))
  t.deepEqual(logs[1], ['one', 'two', 'end'])
  t.deepEqual(laterLog, ['hello', 'reset'])
})

test('held twice, a connection is let go once both have ended; a reset reaches whoever does not read', async (t) => {
  const { near, far, network, pass } = await connected()
  const letGo = network.holdConnections('b', { peer: 'a' })
  const letGoOther = network.holdConnections('b', { port: PORT })
  network.holdConnections('b', { port: 99 })
  const log: string[] = []
  far.handlers = { data: () => log.push('data'), closed: (how) => log.push(how) }
  say(near, 'unread')
  near.reset()
  pass(100)
  letGo()
  letGo()
  pass(100)
  t.deepEqual(log, [])
  letGoOther()
  pass(0)
  t.deepEqual(log, ['reset'])
})

test('what somebody held is over with healAll', async (t) => {
  const { near, far, network, pass } = await connected()
  const log = heard(far)
  network.holdConnections('b')
  say(near, 'hello')
  pass(1_000)
  network.healAll()
  t.deepEqual(log, ['hello'])
})

test('the same seed gives the same run, whatever happened in it', async (t) => {
  const run = async (seed: string) => {
    const { near, far, network, clock, pass } = await connected({}, seed)
    const seen: string[] = []
    for (const socket of [near, far]) {
      socket.handlers = {
        data: (bytes) => seen.push(`${clock.nowMs()} ${bytes[0]}`),
        closed: (how) => seen.push(`${clock.nowMs()} ${how}`),
      }
      socket.resume()
    }
    network.disturb('a', 'b', { lost: 0.4, delayMs: { from: 5, to: 80 } })
    for (let number = 0; number < 30; number += 1) near.write(new Uint8Array([number]))
    pass(5_000)
    network.partition([['a'], ['b']])
    far.write(new Uint8Array([99]))
    pass(2_000)
    network.crash('a', 'silently')
    network.healAll()
    pass(3_000)
    network.start('a')
    pass(100_000)
    return seen
  }
  const first = await run('one')
  t.true(first.length > 5)
  t.deepEqual(first, await run('one'))
  t.notDeepEqual(first, await run('two'))
})
