import { request as ask, createServer } from 'node:http'
import test from 'ava'
import { type Candidacy, createClient, LockConflictError, LockTimeoutError, textOf } from '../../src/client/index.ts'
import { aborted } from '../../src/client/pace.ts'
import { startAgent } from '../kit/agents.ts'
import { listening } from '../kit/servers.ts'

test.serial('a lock has one holder, and larger tokens for later ones', async (t) => {
  t.timeout(90_000)
  const agent = await startAgent(t)
  const client = createClient({ address: agent.address, env: {} })
  t.teardown(() => client.close())

  const lock = await client.lock('jobs/a', { value: 'me' })
  t.like(await client.kv.get('jobs/a'), { Session: lock.session, LockIndex: lock.token, Flags: 0x2ddccbc058a50c18n })
  await t.throwsAsync(client.lock('jobs/a', { withinMs: 0 }), { instanceOf: LockTimeoutError })
  await t.throwsAsync(client.lock('jobs/a', { withinMs: 50 }), { instanceOf: LockTimeoutError })
  const reason = new Error('enough')
  const stop = new AbortController()
  const given = client.lock('jobs/a', { signal: stop.signal, onWaiting: () => stop.abort(reason) })
  await t.throwsAsync(given, { is: reason })

  // Its value may change while it is held, and stays when it is given back.
  await client.kv.put('jobs/a', 'half done', { flags: 0x2ddccbc058a50c18n })
  const waits = Promise.withResolvers<void>()
  const next = client.lock('jobs/a', { onWaiting: () => waits.resolve() })
  await waits.promise
  t.false(lock.lost.aborted)
  await Promise.all([lock.release(), lock.release()])
  t.true(lock.lost.aborted)
  const second = await next
  t.is(second.token, lock.token + 1)
  await second.release()
  t.like(await client.kv.get('jobs/a'), { Session: undefined } as never)
  t.deepEqual(await client.sessions.list(), [], 'no session stays behind')
})

test.serial('a lock that was taken away, whose key is gone or whose session has ended is lost', async (t) => {
  t.timeout(90_000)
  const own = await startAgent(t)
  const client = createClient({ address: own.address, env: {} })
  t.teardown(() => client.close())
  const takes: [string, (session: string) => Promise<unknown>][] = [
    ['released', (session) => client.kv.put('b', '', { release: session, flags: 0x2ddccbc058a50c18n })],
    ['deleted', () => client.kv.delete('b')],
    ['destroyed', (session) => client.sessions.destroy(session)],
  ]
  for (const [how, take] of takes) {
    const lock = await client.lock('b', { lockDelayMs: 0 })
    await take(lock.session)
    await aborted(lock.lost)
    t.is(String(lock.lost.reason), 'Error: the lock of b was taken away', how)
    await lock.release()
  }
  await client.kv.put('data', 'no lock')
  await t.throwsAsync(client.lock('data'), { instanceOf: LockConflictError })
  t.deepEqual(await client.sessions.list(), [])
})

test.serial('who cannot renew gives a lock up before anybody else can have it', async (t) => {
  t.timeout(90_000)
  const own = await startAgent(t)
  let isCut = false
  const way = createServer((incoming, outgoing) => {
    if (isCut) return incoming.socket.destroy()
    const { method, url: path, headers } = incoming
    const onward = ask({ host: '127.0.0.1', port: own.ports.http, method, path, headers, agent: false }, (reply) => {
      outgoing.writeHead(reply.statusCode ?? 0, reply.headers)
      reply.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  })
  const port = await listening(t, way)
  t.teardown(() => way.closeAllConnections())
  const client = createClient({ address: `127.0.0.1:${port}`, env: {} })
  const beside = createClient({ address: own.address, env: {} })
  t.teardown(() => beside.close())
  const beganMs = performance.now()
  const lock = await client.lock('c', { ttlMs: 10_000 })
  isCut = true
  way.closeAllConnections()
  await aborted(lock.lost)
  const heldMs = performance.now() - beganMs
  t.is(String(lock.lost.reason), `SessionLostError: session ${lock.session} could not be renewed in time`)
  t.true(heldMs > 5_000 && heldMs < 14_000, `it took ${heldMs} ms`)
  t.is((await beside.kv.get('c'))?.Session, lock.session, 'the cluster does not know yet')
  isCut = false
  await lock.release()
  t.is((await beside.kv.get('c'))?.Session, undefined)
})

test.serial('one candidate leads, the others follow it, and one of them is next', async (t) => {
  t.timeout(90_000)
  const own = await startAgent(t)
  const client = createClient({ address: own.address, env: {} })
  t.teardown(() => client.close())
  const stops = [new AbortController(), new AbortController()]
  const seen: string[] = []
  const changed = new EventTarget()
  const candidates = stops.map(async ({ signal }, number) => {
    for await (const state of client.elect('leader', { value: `c${number}`, lockDelayMs: 0, signal })) {
      seen.push(`c${number} ${shown(state)}`)
      changed.dispatchEvent(new Event('change'))
    }
  })
  const said = async (pattern: RegExp) => {
    while (!seen.some((line) => pattern.test(line))) {
      await new Promise((resolve) => changed.addEventListener('change', resolve, { once: true }))
    }
  }
  await said(/leading 1/)
  const leader = seen.some((line) => line === 'c0 leading 1') ? 0 : 1
  const other = 1 - leader
  await said(new RegExp(`c${other} following c${leader}`))
  t.is(textOf((await client.kv.get('leader')) ?? { Value: null }), `c${leader}`)
  stops[leader]?.abort()
  await candidates[leader]
  await said(new RegExp(`c${other} leading 2`))

  // It lost the lock without having asked for that, and stands again.
  const holder = (await client.kv.get('leader'))?.Session ?? ''
  await client.sessions.destroy(holder)
  await said(new RegExp(`c${other} leading 3`))
  stops[other]?.abort()
  await Promise.all(candidates)
  t.deepEqual(await client.sessions.list(), [])
})

test.serial('an election that cannot work says so', async (t) => {
  t.timeout(90_000)
  const own = await startAgent(t)
  const client = createClient({ address: own.address, env: {} })
  t.teardown(() => client.close())
  await client.kv.put('data', 'no lock')
  const states = client.elect('data')
  await t.throwsAsync(states.next(), { instanceOf: LockConflictError })
})

function shown(state: Candidacy): string {
  return state.is === 'leading' ? `leading ${state.token}` : `following ${state.value ?? 'nobody'}`
}
