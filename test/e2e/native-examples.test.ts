import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { fileURLToPath, pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { connect, type Peer } from '../../src/client/index.ts'
import { type Agent, ask, cleanEnvironment, startAgent, temporaryDirectory, writeFiles } from '../kit/agents.ts'
import { installed } from '../kit/installed.ts'
import { runProgram, startProgram, until } from '../kit/running.ts'

const EXAMPLE = fileURLToPath(new URL('../../examples/native', import.meta.url))
const CLIENT = pathToFileURL(fileURLToPath(new URL('../../src/client/index.ts', import.meta.url))).href
const PYTHON = installed('python3')

test.serial('the two applications of the example do what they say', async (t) => {
  t.timeout(60_000)
  const agent = await startAgent(t)
  const run = nodeExamples(t, agent)
  const db = run('db.mjs')
  await db.line(/^db listens on \d+ as spiffe:/)
  const web = run('web.mjs', { PORT: '0' })
  const url = /http:\S+/.exec(await web.line(/^web listens/))?.[0] ?? ''
  t.is((await ask(url)).text, 'rows for web\n')
  await isTold(agent)
  const denied = await agent.tribune('intention', 'create', '-deny', '-wait', 'web', 'db')
  t.regex(denied.out, /^enforced on 1 of 1 proxy in /m)
  t.is(denied.code, 0, denied.err)
  await until(
    'it is denied',
    () => ask(url),
    ({ status }) => status === 502,
  )
  await db.line(/did: '(closed|refused)'/)
  t.like(await db.stop(), { code: 0, err: '' })
  t.like(await web.stop(), { code: 0, err: '' })
  t.deepEqual(await agent.json('/v1/health/connect/db'), [])
})

test.serial(PYTHON ? 'the same in Python, with each other and with Node' : 'Python is not installed', async (t) => {
  t.timeout(60_000)
  if (!PYTHON) return t.pass()
  const agent = await startAgent(t)
  const env = cleanEnvironment({ CONSUL_HTTP_ADDR: agent.address, PYTHONDONTWRITEBYTECODE: '1' })
  const script = (name: string) => [join(EXAMPLE, 'python', name)]
  const db = startProgram(t, 'db.py', PYTHON, script('db.py'), { env })
  await db.line(/^db listens on \d+$/)
  const asked = (stdin: string) => runProgram(t, PYTHON, script('web.py'), { env, stdin })
  t.like(await asked('one\ntwo\n'), { code: 0, out: 'one for web\ntwo for web\n', err: '' })

  await using api = await connect.service('api', { address: agent.address, env: {} })
  const socket = await api.dial('db')
  const answer = new Promise((resolve) => socket.once('data', (piece) => resolve(String(piece))))
  socket.write('three\n')
  t.is(await answer, 'three for api\n')
  const closed = new Promise((resolve) => socket.once('close', resolve))
  await isTold(agent)
  const denied = await agent.tribune('intention', 'create', '-deny', '-wait', '*', 'db')
  t.regex(denied.out, /^enforced on 1 of 1 proxy in \d+ ms, 1 connection closed$/m)
  t.is(denied.code, 0, denied.err)
  await closed
  await db.line(/^closed spiffe:.*\/svc\/api: Matched L4 intention/)
  t.regex((await asked('four\n')).out, /^\n?$/)
  await db.line(/^refused spiffe:.*\/svc\/web from 127\.0\.0\.1:\d+: Matched L4 intention/)
  t.is((await db.stop()).code, 0)
  t.deepEqual(await agent.json('/v1/health/connect/db'), [])

  t.is((await agent.tribune('intention', 'delete', '*', 'db')).code, 0)
  const handler = (peer: TLSSocket, { service }: Peer) => peer.on('data', (piece) => peer.write(`${service} sent ${piece}`))
  const register = { Address: '127.0.0.1' }
  const own = await connect.listen('db', handler, { address: agent.address, env: {}, host: '127.0.0.1', register })
  t.teardown(() => own.close())
  await until(
    'Python reaches Node',
    () => asked('five\n'),
    ({ out }) => out === 'web sent five\n',
  )
})

function isTold(agent: Agent): Promise<unknown> {
  return until(
    'db has told what it has in force',
    () => agent.json<{ Proxies: object[] }>('/v1/tribune/enforcement?destination=db'),
    ({ Proxies }) => Proxies.length === 1,
  )
}

/** Starts programs of the example, which import the client of this tree. */
function nodeExamples(t: ExecutionContext, agent: Agent) {
  const folder = temporaryDirectory(t)
  const programs = readdirSync(EXAMPLE).filter((name) => name.endsWith('.mjs'))
  const text = (name: string) => readFileSync(join(EXAMPLE, name), 'utf8').replace("from 'tribune'", `from '${CLIENT}'`)
  writeFiles(folder, Object.fromEntries(programs.map((name) => [name, text(name)])))
  return (name: string, env: Readonly<Record<string, string>> = {}) =>
    startProgram(t, name, process.execPath, [join(folder, name)], { env: cleanEnvironment({ CONSUL_HTTP_ADDR: agent.address, ...env }) })
}
