import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import { runTribune, startAgent, temporaryDirectory, writeFiles } from '../kit/agents.ts'
import { until } from '../kit/running.ts'
import { listening } from '../kit/servers.ts'

test.serial('programs and web hooks are told of changes, and a reload changes who is', async (t) => {
  t.timeout(60_000)
  const told: unknown[] = []
  const hook = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => {
      const { 'x-consul-index': index, 'x-mine': mine, 'content-type': type } = request.headers
      told.push([request.method, index, mine, type, Object.keys(JSON.parse(body) as object)])
      response.end()
    })
  })
  const port = await listening(t, hook)
  const folder = temporaryDirectory(t)
  const out = join(folder, 'out')
  const lines = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [])
  const toldBy = (program: number, services: string[]) =>
    until(
      'both are told',
      () => [lines(out).length, (told.at(-1) as unknown[] | undefined)?.at(-1)],
      ([count, names]) => count === program && isDeepStrictEqual(names, services),
    )
  const script = (path: string) => ['/bin/sh', '-c', `echo "$CONSUL_INDEX $(cat)" >> ${path}`]
  const key = { type: 'key', key: 'a/b', args: script(out) }
  const web = {
    type: 'services',
    handler_type: 'http',
    http_handler_config: { path: `http://127.0.0.1:${port}/`, header: { 'X-Mine': ['1'] } },
  }
  const agent = await startAgent(t, { args: ['-dev', '-threads', '1'], files: { 'w.json': { watches: [key, web] } } })
  await toldBy(1, ['consul'])
  t.regex(lines(out)[0] ?? '', /^\d+ null$/)

  await agent.http('PUT', '/v1/kv/a/b', 'hello')
  await agent.http('PUT', '/v1/agent/service/register', { Name: 'web' })
  await toldBy(2, ['consul', 'web'])
  const [index = '', json = ''] = (lines(out)[1] ?? '').split(/ (.*)/)
  t.like(JSON.parse(json), { Key: 'a/b', Value: 'aGVsbG8=', Flags: 0, Session: '', ModifyIndex: Number(index) })
  t.deepEqual(told.at(-1), ['POST', (told.at(-1) as string[])[1], '1', 'application/json', ['consul', 'web']])

  const toldBefore = told.length
  const other = join(folder, 'other')
  writeFiles(agent.folder, { 'w.json': { watches: [key, { type: 'keyprefix', prefix: 'a/', args: script(other) }] } })
  t.is((await agent.http('PUT', '/v1/agent/reload')).status, 200)
  await until(
    'the new watch is told',
    () => lines(other).length,
    (count) => count === 1,
  )
  await agent.http('PUT', '/v1/agent/service/register', { Name: 'db' })
  await agent.http('PUT', '/v1/kv/a/b', 'again')
  await until(
    'both are told',
    () => [lines(other).length, lines(out).length],
    ([b, a]) => b === 2 && a === 3,
  )
  t.is(told.length, toldBefore, 'the web hook is told of nothing any more')
})

test.serial('a watch that cannot be is refused before anything runs', async (t) => {
  const folder = temporaryDirectory(t)
  writeFiles(folder, { 'w.json': { watches: [{ type: 'foo', args: ['true'] }] } })
  const ended = await runTribune(t, ['agent', '-dev', '-config-dir', folder])
  t.deepEqual([ended.code, ended.err.trim()], [1, `==> Failed to parse watch: Unsupported watch type: foo (${join(folder, 'w.json')}:1)`])
  writeFiles(folder, { 'd.json': { data_dir: folder } })
  t.is((await runTribune(t, ['validate', folder])).code, 0, 'only its form is looked at')
})
