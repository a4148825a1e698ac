import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { type Agent, beginAgent, startAgent, temporaryDirectory, writeFiles } from '../kit/agents.ts'
import { freePorts } from '../kit/free-ports.ts'
import { until } from '../kit/running.ts'

const STOPPED_WITHIN_MS = 5_000

test.serial('SIGHUP and `reload` take over what changed in the files', async (t) => {
  t.timeout(60_000)
  const agent = await startAgent(t, {
    files: { 'a.json': { service: { name: 'stays', port: 1001 } }, 'b.json': { service: { name: 'goes', port: 1002 } } },
  })
  await servicesAre(agent, ['goes', 'stays'])
  rmSync(join(agent.folder, 'b.json'))
  const entries = 'config_entries { bootstrap { kind = "service-defaults" name = "comes" protocol = "http" } }'
  writeFiles(agent.folder, { 'c.hcl': `service { name = "comes" port = 1003 }\n${entries}` })
  agent.signal('SIGHUP')
  await servicesAre(agent, ['comes', 'stays'])
  t.like(await agent.json('/v1/config/service-defaults/comes'), { Protocol: 'http' })

  rmSync(join(agent.folder, 'c.hcl'))
  t.deepEqual(await agent.tribune('reload'), { code: 0, signal: null, out: 'Configuration reload triggered\n', err: '' })
  await servicesAre(agent, ['stays'])
})

test.serial('a reload changes the log level, and a broken file changes nothing', async (t) => {
  t.timeout(60_000)
  const { port, proxied } = { port: (await freePorts()).next(), proxied: { connect: { proxy: {} } } }
  const agent = await startAgent(t, { files: { 'log.json': { log_level: 'warn' }, 'a.json': { service: { name: 'a', port } } } })
  writeFiles(agent.folder, { 'log.json': { log_level: 'info' }, 'a.json': { service: { name: 'a', port, ...proxied } } })
  t.notRegex(agent.said(), /\[INFO\]/)
  agent.signal('SIGHUP')
  await agent.line(/\[INFO\] {2}proxy\/a: Proxy loaded config and ready to serve/)
  writeFiles(agent.folder, { 'a.json': '{"service": {"name": "c", "prot": 1}}' })
  agent.signal('SIGHUP')
  const complaint = await agent.line(/\[ERROR\]/)
  t.regex(complaint, /a\.json/)
  await agent.line(/invalid config key .*prot/)
  await servicesAre(agent, ['a', 'a-proxy'])
})

for (const { signal, config, code } of [
  { signal: 'SIGINT', config: {}, code: 1 },
  { signal: 'SIGTERM', config: {}, code: 1 },
  { signal: 'SIGINT', config: { skip_leave_on_interrupt: false }, code: 0 },
  { signal: 'SIGTERM', config: { leave_on_terminate: true }, code: 0 },
] as const) {
  test.serial(`${signal} with ${JSON.stringify(config)} ends a server with code ${code}, in time, whatever is open`, async (t) => {
    const pidFile = join(temporaryDirectory(t), 'pid')
    const agent = await startAgent(t, { args: ['-dev', '-pid-file', pidFile], files: { 'leave.json': config } })
    t.is(readFileSync(pidFile, 'utf8').trim(), String(agent.pid))
    const waiting = agent.http('GET', '/v1/kv/x?index=1&wait=5m').catch(() => undefined)
    const idle = await openConnection(agent.ports.http)
    const beganMs = performance.now()
    const ended = await agent.stop(signal)
    const tookMs = performance.now() - beganMs
    t.deepEqual([ended.code, ended.signal, ended.err], [code, null, ''])
    t.true(tookMs < STOPPED_WITHIN_MS, `it took ${tookMs} ms`)
    t.regex(ended.out, new RegExp(`agent: Exit code: code=${code}\\n$`))
    t.false(existsSync(pidFile))
    await waiting
    await idle.closed
  })
}

test.serial('`leave` ends the agent with code 0', async (t) => {
  const agent = await startAgent(t)
  t.deepEqual(await agent.tribune('leave'), { code: 0, signal: null, out: 'Graceful leave complete\n', err: '' })
  t.is((await agent.ended).code, 0)
})

test.serial('a second signal does not wait, and leaves no pid file behind', async (t) => {
  const pidFile = join(temporaryDirectory(t), 'pid')
  const config = { skip_leave_on_interrupt: false, leave_on_terminate: true }
  const agent = await startAgent(t, { args: ['-dev', '-pid-file', pidFile], files: { 'leave.json': config } })
  t.true(existsSync(pidFile))
  agent.signal('SIGINT')
  agent.signal('SIGTERM')
  const { code, out } = await agent.ended
  t.is(code, 1)
  t.notRegex(out, /Exit code/)
  t.false(existsSync(pidFile))
})

test.serial('an error that nobody handles ends the agent with a line in the log, in the middle of writes too', async (t) => {
  const throwing = 'process.on("SIGUSR2", () => { throw new Error("unforeseen") })'
  const agent = await startAgent(t, { env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(throwing)}` } })
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (;;) {
      const reply = await agent.http('PUT', `/v1/kv/${writer}`, 'x'.repeat(100_000)).catch(() => undefined)
      if (reply === undefined) return
      agent.signal('SIGUSR2')
    }
  })
  const { code, out } = await agent.ended
  t.is(code, 1)
  t.regex(out, /\[ERROR\] agent: cannot go on: error=\s+Error: unforeseen/)
  await Promise.all(writers)
})

test.serial('threads that fail all at once are all started again, and linked with each other', async (t) => {
  t.timeout(60_000)
  const ready = [/proxy\/a: Proxy loaded config and ready to serve/, /proxy\/b: Proxy loaded config and ready to serve/]
  const failing = `import { isMainThread } from 'node:worker_threads'
    const all = new BroadcastChannel('all')
    all.unref()
    if (isMainThread) process.on('SIGUSR2', () => all.postMessage(null))
    else all.onmessage = () => { throw new Error('unforeseen') }`
  const agent = await startAgent(t, {
    args: ['-dev', '-threads=2', '-mesh-threads=2'],
    env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(failing)}` },
    // Ports in a row, so that each of both threads for sidecars has one and has begun.
    files: { 'ab.json': { services: ['a', 'b'].map((name) => ({ name, port: 1, connect: { proxy: {} } })) } },
  })
  await Promise.all(ready.map((line) => agent.line(line)))
  const before = agent.mark()
  agent.signal('SIGUSR2')
  await Promise.all(ready.map((line) => agent.line(line, { after: before })))
  await until(
    'writes are taken again',
    () => agent.http('PUT', '/v1/kv/x', '1'),
    ({ status }) => status === 200,
  )
  const restarts = agent.said().match(/\[ERROR\] threads: thread \d \(\w+\) failed and is started again/g) ?? []
  t.deepEqual(restarts.map((line) => /\d(?= \()/.exec(line)?.[0]).sort(), ['1', '2', '3', '4', '5'])
  t.notRegex(agent.said(), /cannot go on|detached/)
})

test.serial('a signal is heard while the agent starts', async (t) => {
  const agent = await beginAgent(t)
  await agent.line(/^==> Starting/)
  agent.signal('SIGHUP')
  agent.signal('SIGTERM')
  const { code, out, err } = await agent.ended
  t.deepEqual([code, err], [1, ''])
  t.regex(out, /agent: Exit code: code=1\n$/)
})

test.serial('a pid file that cannot be written ends the start, and nothing stays behind', async (t) => {
  const path = join(temporaryDirectory(t), 'missing', 'pid')
  const { code, err } = await (await beginAgent(t, { args: ['-dev', `-pid-file=${path}`] })).ended
  t.is(code, 1)
  t.is(err, `==> could not write the pid file: ENOENT: no such file or directory, open '${path}'\n`)
})

/** A connection on which nothing is said. `closed` resolves when the other side ends it, in whichever way. */
async function openConnection(port: number): Promise<{ closed: Promise<unknown> }> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.resume()
  const closed = new Promise((resolve) => {
    socket.once('error', resolve)
    socket.once('close', resolve)
  })
  return { closed }
}

async function servicesAre(agent: Agent, names: string[]): Promise<void> {
  await until(
    `the services are ${names}`,
    async () => Object.keys(await agent.json<Record<string, unknown>>('/v1/agent/services')).sort(),
    (found) => JSON.stringify(found) === JSON.stringify(names),
  )
}
