import { createSocket } from 'node:dgram'
import test, { type ExecutionContext } from 'ava'
import { feedsRef, type IntentionsOn } from '../../actors/feeds/protocol.ts'
import { intentionsRef } from '../../actors/intentions/index.ts'
import { kvRef } from '../../actors/kv/index.ts'
import { kvGet } from '../../actors/kv/queries.ts'
import { proxyRef } from '../../actors/proxy/protocol.ts'
import { threadRef } from '../../actors/thread.ts'
import { startThreads } from '../../net/threads.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { layoutOf } from '../../src/placement.ts'
import type { Threads } from '../../src/world.ts'
import { configOf } from '../config/kit.ts'
import { freePorts } from '../kit/free-ports.ts'

const WITHIN_MS = 20_000
const STATE = 1
const MESH = 3
/** One more crash than an actor may have within a minute ends its thread. */
const CRASHES = 6

type Agent = Threads & { printed: string[]; fatal: string[]; once(pattern: RegExp): Promise<string> }

/** All threads of a development agent in this process: main, state, edge, mesh. */
async function agent(t: ExecutionContext): Promise<Agent> {
  const ports = await freePorts()
  const flags = [
    '-dev',
    '-client=127.0.0.1',
    '-bind=127.0.0.1',
    `-http-port=${ports.next()}`,
    `-dns-port=${ports.next()}`,
    '-threads=1',
    '-mesh-threads=1',
    '-hcl=connect { proxy { allow_managed_api_registration = true } }',
  ]
  const config = { ...configOf(t, flags), boot: 'test' }
  const lines: string[] = []
  const fatal: string[] = []
  const looking = new Set<(line: string) => void>()
  const say = (line: string) => {
    lines.push(line)
    for (const look of looking) look(line)
  }
  const threads = await startThreads({
    config,
    layout: layoutOf(config, 1),
    print: (level, from, line) => say(`${level} ${from}: ${line}`),
    process: { perform: (_request, done) => done({ warnings: [] }) },
    fatal(why) {
      fatal.push(why)
      say(`fatal: ${why}`)
    },
  })
  if (isRefused(threads)) throw new Error(threads.why)
  t.teardown(() => threads.close())
  const once = (pattern: RegExp) =>
    new Promise<string>((resolve) => {
      looking.add((line) => {
        if (pattern.test(line)) resolve(line)
      })
    })
  return { ...threads, printed: lines, fatal, once }
}

/** Poisons an actor of the state thread until the thread gives up. Answers how each poisonous call was refused. */
async function endStateThread({ host }: Agent): Promise<string[]> {
  const codes: string[] = []
  for (let crash = 0; crash < CRASHES; crash++) {
    const answer = await host.asked(kvRef, 'put', null as never, WITHIN_MS)
    codes.push(isRefused(answer) ? answer.refused : 'answered')
  }
  return codes
}

function put({ host }: Agent, key: string) {
  return host.asked(kvRef, 'put', { key, value: Buffer.from(key), flags: 2n ** 64n - 1n, token: '' }, WITHIN_MS)
}

test('a worker that fails is started again: feeds, calls and the tables go on', async (t) => {
  const running = await agent(t)
  t.deepEqual(await put(running, 'before'), { applied: true })

  const rules: number[] = []
  let look: () => void = () => undefined
  running.host.follow(feedsRef, 'intentions', { destination: 'db' }, (value) => {
    rules.push((value as IntentionsOn).list.length)
    look()
  })
  const restarted = running.once(/^error threads: thread 1 \(state\) failed and is started again$/)
  t.deepEqual(await endStateThread(running), Array(CRASHES).fill('gone'))
  await restarted

  t.deepEqual(await put(running, 'after'), { applied: true })
  const view = running.host.ports.tables.view()
  for (const key of ['before', 'after']) {
    const { entry } = kvGet(view, key)
    t.is(entry && Buffer.from(entry.value).toString(), key)
    t.is(entry?.flags, 2n ** 64n - 1n)
  }

  const told = new Promise<void>((resolve) => {
    look = () => {
      if (rules.at(-1) === 1) resolve()
    }
  })
  const created = await running.host.asked(
    intentionsRef,
    'create',
    { source: 'web', destination: 'db', action: 'deny', description: '', meta: {}, token: '' },
    WITHIN_MS,
  )
  t.false(isRefused(created))
  await told
  const stats = await running.host.asked(threadRef(STATE), 'stats', null, WITHIN_MS)
  t.deepEqual(isRefused(stats) ? stats.why : stats.filter(({ restarts }) => restarts > 0), [])
  t.deepEqual(running.fatal, [])
})

test('a worker that fails a second time ends the agent with one line that says which thread and why', async (t) => {
  const running = await agent(t)
  for (const pattern of [/started again$/, /^fatal: /]) {
    const said = running.once(pattern)
    await endStateThread(running)
    await said
  }
  t.is(running.fatal.length, 1)
  t.regex(running.fatal[0] ?? '', /^thread 1 \(state\) failed again: kv crashed 6 times within 60 s, last: TypeError: .+$/)
  t.false(running.fatal[0]?.includes('\n'))
})

test('the edge thread outlives a restart of the state thread, and reads what is committed after it', async (t) => {
  const running = await agent(t)
  const url = `http://${running.listening.http[0]?.replace(/^https?:\/\//, '')}/v1/kv/k?raw`
  await put(running, 'k')
  t.is(await (await fetch(url)).text(), 'k')
  const restarted = running.once(/started again$/)
  await endStateThread(running)
  await restarted
  t.is(await (await fetch(url)).text(), 'k')
  t.deepEqual(await running.host.asked(kvRef, 'put', { key: 'k', value: Buffer.from('new'), flags: 0n, token: '' }, WITHIN_MS), {
    applied: true,
  })
  t.is(await (await fetch(url)).text(), 'new')
})

test('the thread for sidecars begins with the first one, and is linked with all others', async (t) => {
  const running = await agent(t)
  t.deepEqual(await running.host.asked(threadRef(MESH), 'stats', null, WITHIN_MS), { refused: 'gone', why: 'no link to thread 3' })

  const began = new Promise<void>((resolve) => {
    running.host.follow(proxyRef('web'), 'status', null, (status) => {
      if (status !== null) resolve()
    })
  })
  const url = `http://${running.listening.http[0]?.replace(/^https?:\/\//, '')}/v1/agent/service/register`
  const port = (await freePorts()).next()
  const body = JSON.stringify({ Name: 'web', Port: 8080, Connect: { Proxy: { Config: { bind_port: port } } } })
  t.is((await fetch(url, { method: 'PUT', body })).status, 200)
  await began
  const stats = await running.host.asked(threadRef(MESH), 'stats', null, WITHIN_MS)
  t.true(!isRefused(stats) && stats.some(({ actor, key }) => actor === 'proxy' && key === 'web'))

  const restarted = running.once(/started again$/)
  await endStateThread(running)
  await restarted
  t.deepEqual(await put(running, 'after'), { applied: true })
  const after = await running.host.asked(threadRef(MESH), 'stats', null, WITHIN_MS)
  t.false(isRefused(after))
  t.deepEqual(running.fatal, [])
})

test('a port that is taken is refused before anything is started', async (t) => {
  const ports = await freePorts()
  const port = ports.next()
  const taker = createSocket('udp4')
  await new Promise<void>((resolve) => taker.bind(port, '127.0.0.1', resolve))
  t.teardown(() => taker.close())
  const config = configOf(t, [
    '-dev',
    '-client=127.0.0.1',
    '-bind=127.0.0.1',
    `-http-port=${ports.next()}`,
    `-dns-port=${port}`,
    '-threads=1',
  ])
  const threads = await startThreads({
    config,
    layout: layoutOf(config, 1),
    print: () => undefined,
    process: { perform: (_request, done) => done({ warnings: [] }) },
    fatal: (why) => t.fail(why),
  })
  t.deepEqual(threads, {
    refused: 'conflict',
    why: `listen udp 127.0.0.1:${port}: the address is already in use; set another with ports.dns (-dns-port)`,
  })
})
