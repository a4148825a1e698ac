import test from 'ava'
import type { GossipEvent, GossipOutcome, GossipRequest } from '../../src/kernel/ports.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { type Arm, arms, type End, KEYS } from './gossip-arms.ts'

const [ONE, TWO, THREE] = KEYS

for (const { name, make } of arms) {
  test(`${name}: two that are connected tell each other what they like, in order, until one hangs up`, async (t) => {
    const { arm, ends } = await started(t, make, [[], []])
    const [a, b] = ends as [Started, Started]
    t.deepEqual(await a.must(dialling(arm, b)), { peer: b.peer })
    const met = await arm.until(() => found(b, 'connected'))
    t.is(met.peer, a.peer)
    t.is(met.address.host, arm.host)
    t.deepEqual(a.of('connected'), [{ did: 'connected', peer: b.peer, address: { host: arm.host, port: b.port } }])
    const messages = [{ n: 1, nested: { list: [true, null, 'é'] } }, { n: 2 }, { n: 3, bytes: new Uint8Array([1, 2, 3]) }]
    for (const message of messages) t.deepEqual(await b.ask({ do: 'send', peer: a.peer, message }), {})
    await arm.until(() => a.of('message').length === 3)
    t.deepEqual(
      a.of('message').map(({ from, message }) => ({ from, message: plain(message) })),
      messages.map((message) => ({ from: b.peer, message: plain(message) })),
    )
    await a.must({ do: 'send', peer: b.peer, message: { last: true } })
    await a.must({ do: 'hang-up', peer: b.peer, why: 'the test is over' })
    t.is((await arm.until(() => found(a, 'disconnected'))).why, 'the test is over')
    t.is((await arm.until(() => found(b, 'disconnected'))).peer, a.peer)
    t.deepEqual(b.of('message'), [{ did: 'message', from: a.peer, message: { last: true } }])
    for (const request of [
      { do: 'send', peer: b.peer, message: {} },
      { do: 'hang-up', peer: b.peer, why: '' },
    ] as const) {
      const outcome = await a.ask(request)
      t.is(isRefused(outcome) && outcome.refused, 'gone')
    }
    t.deepEqual(await b.must(dialling(arm, a)), { peer: a.peer })
    await arm.until(() => a.of('connected').length === 2)
    t.deepEqual(await b.ask({ do: 'send', peer: a.peer, message: { again: true } }), {})
    await arm.until(() => a.of('message').length === 4)
  })

  test(`${name}: what is sent and published is counted on both sides, and anew when it listens again`, async (t) => {
    const { arm, ends } = await started(t, make, [[], []])
    const [a, b] = ends as [Started, Started]
    t.deepEqual((await a.must({ do: 'figures' })).figures, { messagesOut: 0, bytesOut: 0, messagesIn: 0, bytesIn: 0 })
    await a.must(dialling(arm, b))
    await arm.until(() => found(b, 'connected'))
    await a.must({ do: 'send', peer: b.peer, message: { text: 'x'.repeat(1_000) } })
    await arm.until(() => found(b, 'message'))
    const { figures: out } = await a.must({ do: 'figures' })
    const { figures: into } = await b.must({ do: 'figures' })
    t.deepEqual([out?.messagesOut, out?.messagesIn, into?.messagesIn, into?.messagesOut], [1, 0, 1, 0])
    t.is(out?.bytesOut, into?.bytesIn)
    t.true((out?.bytesOut ?? 0) > 1_000 && (out?.bytesOut ?? 0) < 1_050)
    await a.must({ do: 'listen', address: arm.host, port: 0, keys: [] })
    t.is((await a.must({ do: 'figures' })).figures?.messagesOut, 0)
  })

  test(`${name}: two pools on one machine have nothing to do with each other, with other keys too`, async (t) => {
    const { arm, ends } = await started(t, make, [[], [], [ONE], [ONE]])
    const [lan, lanOther, wan, wanOther] = ends as [Started, Started, Started, Started]
    await lan.must(dialling(arm, lanOther))
    await wan.must(dialling(arm, wanOther))
    t.true(isRefused(await wan.ask(dialling(arm, lanOther))))
    for (const end of ends) await end.must({ do: 'join-topic', topic: 't' })
    await arm.again(
      () => void wan.ask({ do: 'publish', topic: 't', message: { pool: 'wan' } }),
      () => found(wanOther, 'published'),
    )
    await arm.again(
      () => void lan.ask({ do: 'publish', topic: 't', message: { pool: 'lan' } }),
      () => found(lanOther, 'published'),
    )
    for (const [end, pool] of [
      [lanOther, 'lan'],
      [wanOther, 'wan'],
    ] as const) {
      for (const { message } of end.of('published')) t.deepEqual(message, { pool })
    }
    const [old, peer] = [wan.peer, wanOther.peer]
    await lan.must({ do: 'listen', address: arm.host, port: 0, keys: [] })
    await wan.must({ do: 'send', peer, message: { still: true } })
    await arm.until(() => wanOther.of('message').some(({ from }) => from === old))
  })

  test(`${name}: nothing is done before it listens`, async (t) => {
    const { arm, ends } = await started(t, make, [[]])
    const [a] = ends as [Started]
    const idle = arm.end()
    const requests: GossipRequest[] = [
      dialling(arm, a),
      { do: 'send', peer: a.peer, message: {} },
      { do: 'hang-up', peer: a.peer, why: '' },
      { do: 'join-topic', topic: 't' },
      { do: 'publish', topic: 't', message: {} },
      { do: 'keys', keys: [ONE] },
    ]
    for (const request of requests) {
      const outcome = await idle.ask(request)
      t.is(isRefused(outcome) && outcome.refused, 'gone', request.do)
    }
    const taken = await idle.ask({ do: 'listen', address: arm.host, port: a.port, keys: [] })
    t.true(isRefused(taken) && taken.refused === 'conflict' && taken.why.includes(String(a.port)))
    const noKey = await idle.ask({ do: 'listen', address: arm.host, port: 0, keys: ['short'] })
    t.is(isRefused(noKey) && noKey.refused, 'invalid')
    t.true('peer' in (await idle.must({ do: 'listen', address: arm.host, port: 0, keys: [] })))
  })

  test(`${name}: what is asked for while it begins to listen waits for that`, async (t) => {
    const { arm, ends } = await started(t, make, [[]])
    const [a] = ends as [Started]
    const end = arm.end()
    const asked = [
      end.ask({ do: 'listen', address: arm.host, port: 0, keys: [] }),
      end.ask({ do: 'join-topic', topic: 't' }),
      end.ask(dialling(arm, a)),
    ]
    const [, joined, dialled] = await Promise.all(asked)
    t.deepEqual([joined, dialled], [{}, { peer: a.peer }])
  })

  test(`${name}: dialling tries each address, says what was wrong at each, and keeps to the connection that stands`, async (t) => {
    const { arm, ends } = await started(t, make, [[], []])
    const [a, b] = ends as [Started, Started]
    // One that the system gives to nobody who asks for any.
    const dead = 1
    const addresses = [
      { host: arm.host, port: dead },
      { host: arm.host, port: b.port },
    ]
    const none = await a.ask({ do: 'dial', addresses: addresses.slice(0, 1) })
    t.true(isRefused(none) && none.refused === 'gone' && none.why.includes(`${arm.host}:${dead}`))
    t.is(isRefused(await a.ask({ do: 'dial', addresses: [] })), true)
    t.is(isRefused(await a.ask(dialling(arm, a))), true)
    t.deepEqual(await a.must({ do: 'dial', addresses }), { peer: b.peer })
    t.deepEqual(await a.must({ do: 'dial', addresses }), { peer: b.peer })
    t.is(a.of('connected').length, 1)
  })

  test(`${name}: a message has a size, when it is sent and when it is published`, async (t) => {
    const { arm, ends } = await started(t, make, [[], []])
    const [a, b] = ends as [Started, Started]
    await a.must(dialling(arm, b))
    for (const [bytes, fits] of [
      [65_000, true],
      [66_000, false],
    ] as const) {
      const message = { text: 'x'.repeat(bytes) }
      for (const request of [
        { do: 'send', peer: b.peer, message },
        { do: 'publish', topic: 't', message },
      ] as const) {
        const outcome = await a.ask(request)
        t.is(isRefused(outcome) ? outcome.refused : 'done', fits ? 'done' : 'invalid', request.do)
      }
    }
    const { message } = await arm.until(() => found(b, 'message'))
    t.deepEqual(message, { text: 'x'.repeat(65_000) })
  })

  test(`${name}: what is published reaches those who joined the topic, over others too, and says who published it`, async (t) => {
    const { arm, ends } = await started(t, make, [[], [], []])
    const [a, b, c] = ends as [Started, Started, Started]
    for (const end of ends) await end.must({ do: 'join-topic', topic: 'news' })
    await a.must(dialling(arm, b))
    await b.must(dialling(arm, c))
    let n = 0
    const publish = () => void a.ask({ do: 'publish', topic: 'news', message: { n: ++n } })
    const heard = await arm.again(publish, () => found(c, 'published'))
    t.is(heard.from, a.peer)
    t.is(heard.topic, 'news')
    t.deepEqual(Object.keys(heard.message), ['n'])
    t.deepEqual(a.of('published'), [])
    t.false(c.of('connected').some(({ peer }) => peer === a.peer))
  })

  test(`${name}: agents of different private networks do not meet, and are told why`, async (t) => {
    const { arm, ends } = await started(t, make, [[ONE], [TWO], []])
    const [one, two, open] = ends as [Started, Started, Started]
    for (const [from, to, why] of [
      [one, two, /none of the keys/],
      [one, open, /"encrypt" is missing there/],
      [open, one, /"encrypt" is missing here/],
    ] as const) {
      const outcome = await from.ask(dialling(arm, to))
      t.true(isRefused(outcome) && outcome.refused === 'gone')
      t.regex(isRefused(outcome) ? outcome.why : '', why)
      t.is((await arm.until(() => found(to, 'refused'))).times, 1)
    }
    t.is((await arm.until(() => found(one, 'refused'))).why, 'it has no key')
    t.deepEqual(
      ends.flatMap((end) => end.of('connected')),
      [],
    )
  })

  test(`${name}: keys are changed while connections stay, and each step still reaches who is a step behind`, async (t) => {
    const { arm, ends } = await started(t, make, [[ONE], [ONE]])
    const [a, b] = ends as [Started, Started]
    await a.must(dialling(arm, b))
    const bad = await a.ask({ do: 'keys', keys: [ONE, 'AAAA'] })
    t.is(isRefused(bad) && bad.refused, 'invalid')
    for (const [keys, behind] of [
      [[ONE, TWO], [ONE]],
      [
        [TWO, ONE],
        [ONE, TWO],
      ],
      [[TWO], [TWO, ONE]],
    ] as const) {
      await a.must({ do: 'keys', keys: [...keys] })
      await b.must({ do: 'keys', keys: [...behind] })
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        await from.must({ do: 'send', peer: to.peer, message: { keys } })
        const third = arm.end()
        await third.must({ do: 'listen', address: arm.host, port: 0, keys: [...(from === a ? behind : keys)] })
        t.deepEqual(await third.must(dialling(arm, from)), { peer: from.peer })
        await third.close()
      }
    }
    await b.must({ do: 'keys', keys: [THREE] })
    await arm.until(() => a.of('message').length === 3 && b.of('message').length === 3)
    t.deepEqual(
      a.of('disconnected').filter(({ peer }) => peer === b.peer),
      [],
    )
    await a.must({ do: 'hang-up', peer: b.peer, why: 'to come again' })
    t.is(isRefused(await a.ask(dialling(arm, b))), true)
  })

  test(`${name}: a key may have 16, 24 or 32 bytes`, async (t) => {
    for (const bytes of [16, 24, 32]) {
      const key = Buffer.alloc(bytes, 7).toString('base64')
      const { arm, ends } = await started(t, make, [[key], [key]])
      const [a, b] = ends as [Started, Started]
      t.deepEqual(await a.must(dialling(arm, b)), { peer: b.peer })
    }
  })

  test(`${name}: whoever listens again begins anew, as the same peer`, async (t) => {
    const { arm, ends } = await started(t, make, [[], []])
    const [a, b] = ends as [Started, Started]
    await a.must(dialling(arm, b))
    await arm.until(() => found(b, 'connected'))
    t.deepEqual(await a.must({ do: 'listen', address: arm.host, port: a.port, keys: [] }), { peer: a.peer, port: a.port })
    await arm.until(() => found(b, 'disconnected'))
    t.is(isRefused(await a.ask({ do: 'send', peer: b.peer, message: {} })), true)
    await b.must(dialling(arm, a))
    await b.must({ do: 'send', peer: a.peer, message: { again: true } })
    await arm.until(() => found(a, 'message'))
  })

  test(`${name}: whoever ends is gone for the others`, async (t) => {
    const { arm, ends } = await started(t, make, [[], []])
    const [a, b] = ends as [Started, Started]
    await a.must(dialling(arm, b))
    await b.close()
    t.is((await arm.until(() => found(a, 'disconnected'))).peer, b.peer)
    t.is(isRefused(await b.ask({ do: 'send', peer: a.peer, message: {} })), true)
  })
}

type Did = GossipEvent['did']
type Started = End & { peer: string; port: number; of<Kind extends Did>(did: Kind): Extract<GossipEvent, { did: Kind }>[] }

/** One end for each list of keys, all of which listen. */
async function started(t: { teardown(work: () => Promise<void>): void }, make: () => Arm, networks: readonly (readonly string[])[]) {
  const arm = make()
  t.teardown(() => arm.close())
  const ends: Started[] = []
  for (const keys of networks) {
    const end = arm.end()
    const { peer, port } = (await end.must({ do: 'listen', address: arm.host, port: 0, keys: [...keys] })) as Required<GossipOutcome>
    ends.push({ ...end, peer, port, of: (did) => end.events.filter((event) => event.did === did) as never })
  }
  return { arm, ends }
}

function found<Kind extends Did>(end: Started, did: Kind): Extract<GossipEvent, { did: Kind }> | undefined {
  return end.of(did)[0]
}

function dialling(arm: Arm, { port }: Started): GossipRequest {
  return { do: 'dial', addresses: [{ host: arm.host, port }] }
}

/** Bytes as lists of numbers, whatever kind of array they came in. */
function plain(message: object): unknown {
  return Object.fromEntries(Object.entries(message).map(([key, value]) => [key, value instanceof Uint8Array ? [...value] : value]))
}
