import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { cleanEnvironment, startAgent, TRIBUNE, temporaryDirectory } from '../kit/agents.ts'
import { startProgram, until } from '../kit/running.ts'

test('a watch runs its program at the beginning and at each change of its key, and ends with 0 on SIGINT', async (t) => {
  t.timeout(60_000)
  const agent = await startAgent(t)
  const file = join(temporaryDirectory(t), 'seen')
  const env = cleanEnvironment({ CONSUL_HTTP_ADDR: agent.address })
  const watch = startProgram(t, 'watch', TRIBUNE, ['watch', '-type=key', '-key=a', `cat >> ${file}; echo "index $CONSUL_INDEX"`], { env })
  await watch.line(/^index \d+$/)
  const mark = watch.mark()
  await agent.http('PUT', '/v1/kv/other', 'x')
  await agent.http('PUT', '/v1/kv/a', '1')
  await watch.line(/^index \d+$/, { after: mark })
  t.like(await watch.stop('SIGINT'), { code: 0, err: '' })
  const values = readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line)) // biome-ignore format: one line
  t.is(values.length, 2)
  t.is(values[0], null)
  t.like(values[1], { Key: 'a', Value: Buffer.from('1').toString('base64') })
})

test('a watch of a service hears of its checks', async (t) => {
  t.timeout(60_000)
  const agent = await startAgent(t)
  const env = cleanEnvironment({ CONSUL_HTTP_ADDR: agent.address })
  await agent.http('PUT', '/v1/agent/service/register', { Name: 'web', Check: { TTL: '10m', Status: 'critical' } })
  await until('web is in the catalog', () => agent.json<object[]>('/v1/health/service/web'), ({ length }) => length === 1) // biome-ignore format: one line
  const watch = startProgram(t, 'watch', TRIBUNE, ['watch', '-type=service', '-service=web', '-passingonly', 'cat'], { env })
  await watch.line(/^\[\]$/)
  await agent.http('PUT', '/v1/agent/check/pass/service:web')
  await watch.line(/^\[\{"Node":.*"Status":"passing"/)
  const once = await agent.tribune('watch', '-type=checks', '-service=web')
  t.is(once.code, 0)
  t.is(JSON.parse(once.out)[0].Status, 'passing')
})

test('events reach a watch, exec finds nobody who takes part and leaves nothing behind, and there are no ACLs', async (t) => {
  t.timeout(60_000)
  const agent = await startAgent(t)
  const env = cleanEnvironment({ CONSUL_HTTP_ADDR: agent.address })
  const watch = startProgram(t, 'watch', TRIBUNE, ['watch', '-type=event', '-name=deploy', 'cat'], { env })
  await watch.line(/^\[\]$/)
  await agent.tribune('event', '-name=other')
  const fired = await agent.tribune('event', '-name=deploy', 'v7')
  const id = /^Event ID: (.*)$/m.exec(fired.out)?.[1] ?? ''
  t.is(JSON.parse(await watch.line(/^\[\{/))[0].ID, id)
  const nobody = await agent.tribune('exec', '-wait=100ms', 'uptime')
  t.like(nobody, { code: 0, out: '0 / 0 node(s) completed / acknowledged\n', err: '' })
  t.is((await agent.http('GET', '/v1/kv/_rexec?recurse')).status, 404)
  t.deepEqual(await agent.json('/v1/session/list'), [])
  const refused = await agent.tribune('acl', 'token', 'list')
  t.like(refused, { code: 1, err: 'Failed to retrieve the token list: Unexpected response code: 401 (ACL support disabled)\n' })
})
