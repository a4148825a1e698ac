import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type Agent, cleanEnvironment, startAgent, TRIBUNE } from '../kit/agents.ts'
import { type Running, startProgram, until } from '../kit/running.ts'

const LOCK_FLAGS = '3304740253564472344'
const CLIENT = fileURLToPath(new URL('../../src/client/index.ts', import.meta.url))
const TTL_MS = 1_000
const LOCK_DELAY_MS = 2_000
/** A session that is not renewed lives for so many times its TTL. */
const GRACE = 2

/** A holder as applications write them, whose session is as short as the agent allows. */
const HOLDER = `
import { createClient } from ${JSON.stringify(CLIENT)}
const client = createClient()
const lock = await client.lock('jobs/.lock', { ttlMs: ${TTL_MS}, lockDelayMs: ${LOCK_DELAY_MS} })
console.log('held', lock.session)
setInterval(() => undefined, 1_000)
`

test('who is killed with a lock loses it once its time and the delay are over, and the next one has it', async (t) => {
  t.timeout(120_000)
  const agent = await startAgent(t, { files: { 'short.json': { session_ttl_min: `${TTL_MS}ms` } } })
  const holder = program(t, agent, process.execPath, ['--input-type=module', '-e', HOLDER])
  const session = (await holder.line(/^held /)).split(' ')[1]
  const next = program(t, agent, TRIBUNE, ['lock', '-verbose', 'jobs', 'echo got $CONSUL_LOCK_SESSION'])
  await next.line(/^Attempting lock acquisition/)
  await until('both sessions', () => agent.json<{ ID: string }[]>('/v1/session/list'), (list) => list.length === 2) // biome-ignore format: one line
  t.like((await agent.json<object[]>('/v1/kv/jobs/.lock'))[0], { Session: session })

  const killedMs = performance.now()
  await holder.stop('SIGKILL')
  t.like((await agent.json<object[]>('/v1/kv/jobs/.lock'))[0], { Session: session }, 'nobody knows yet')
  await until('the session is over', () => agent.json<object[]>(`/v1/session/info/${session}`), (list) => list.length === 0) // biome-ignore format: one line
  const endedMs = performance.now()
  t.true(endedMs - killedMs >= TTL_MS, 'it was renewed at most a part of its time before')
  const [mine] = await agent.json<{ ID: string }[]>('/v1/session/list')
  const taken = await agent.http('PUT', `/v1/kv/jobs/.lock?acquire=${mine?.ID}&flags=${LOCK_FLAGS}`)
  t.is(taken.text.trim(), 'false', 'nobody gets it before the delay is over')

  const got = (await next.line(/^got /)).split(' ')[1]
  t.is(got, mine?.ID)
  t.true(performance.now() - killedMs >= TTL_MS * (GRACE - 1) + LOCK_DELAY_MS)
  t.like(await next.ended, { code: 0 })
  t.is((await agent.http('GET', '/v1/kv/jobs?recurse')).status, 404, 'the key goes with its last holder')
})

test('a session ends with its check, and its keys go or stay as it was told', async (t) => {
  t.timeout(60_000)
  const agent = await startAgent(t)
  await agent.http('PUT', '/v1/agent/check/register', { ID: 'alive', Name: 'alive', TTL: '60s', Status: 'passing' })
  const create = async (body: object): Promise<string> => {
    const { status, text } = await agent.http('PUT', '/v1/session/create', {
      NodeChecks: ['alive', 'serfHealth'],
      LockDelay: '1s',
      ...body,
    })
    t.is(status, 200, text)
    return (JSON.parse(text) as { ID: string }).ID
  }
  await until('the check', () => agent.json<object[]>('/v1/health/state/passing'), (checks) => checks.length === 2) // biome-ignore format: one line
  const releasing = await create({ Name: 'releasing' })
  const deleting = await create({ Name: 'deleting', Behavior: 'delete' })
  t.is((await agent.http('PUT', `/v1/kv/stays?acquire=${releasing}`, 'x')).text.trim(), 'true')
  t.is((await agent.http('PUT', `/v1/kv/goes?acquire=${deleting}`, 'x')).text.trim(), 'true')
  await agent.http('PUT', '/v1/agent/check/fail/alive')
  await until('no session', () => agent.json<object[]>('/v1/session/list'), (list) => list.length === 0) // biome-ignore format: one line
  const [stays] = await agent.json<Record<string, unknown>[]>('/v1/kv/stays')
  t.like(stays, { LockIndex: 1, Session: undefined })
  t.is((await agent.http('GET', '/v1/kv/goes')).status, 404)

  await agent.http('PUT', '/v1/agent/check/pass/alive')
  await until('the check', () => agent.json<object[]>('/v1/health/state/passing'), (checks) => checks.length === 2) // biome-ignore format: one line
  const later = await create({ Name: 'later' })
  await until('the delay is over', () => agent.http('PUT', `/v1/kv/stays?acquire=${later}`), ({ text }) => text.trim() === 'true') // biome-ignore format: one line
})

function program(t: ExecutionContext, agent: Agent, file: string, args: readonly string[]): Running {
  return startProgram(t, 'program', file, args, { env: cleanEnvironment({ CONSUL_HTTP_ADDR: agent.address }) })
}
