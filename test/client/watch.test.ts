import { createServer } from 'node:http'
import test, { type ExecutionContext } from 'ava'
import { httpSettings } from '../../src/cli/http-settings.ts'
import { createClient, ResponseError } from '../../src/client/index.ts'
import { reads } from '../../src/client/reads.ts'
import { createTransport } from '../../src/client/transport.ts'
import { follow, seenAfter } from '../../src/client/watch.ts'
import { granted } from '../kit/asking.ts'
import { listening } from '../kit/servers.ts'

type Answer = { index?: string; hash?: string; status?: number; text: string }

/** An agent that answers with these in turn, and then never again. */
async function agentWith(t: ExecutionContext, ...answers: Answer[]) {
  const urls: string[] = []
  const server = createServer((request, response) => {
    const answer = answers[urls.length]
    urls.push(request.url ?? '')
    if (!answer) return
    const { index, hash, status = 200, text } = answer
    const headers = { ...(index !== undefined && { 'X-Consul-Index': index }), ...(hash !== undefined && { 'X-Consul-Contenthash': hash }) }
    response.writeHead(status, headers).end(text)
  })
  const port = await listening(t, server)
  t.teardown(() => server.closeAllConnections())
  return { client: createClient({ address: `127.0.0.1:${port}`, env: {} }), urls, port }
}

/** The first values, then the loop is left. */
async function first<Value>(values: AsyncIterable<Value>, count: number): Promise<Value[]> {
  const seen: Value[] = []
  for await (const value of values) if (seen.push(value) === count) break
  return seen
}

test('the same answer again is not given again, and each question waits on the index before', async (t) => {
  const { client, urls } = await agentWith(
    t,
    { index: '7', text: '["a"]' },
    { index: '8', text: '["a"]' },
    { index: '18446744073709551615', text: '["b"]' },
    { index: '18446744073709551614', text: '["c"]' },
    { index: '0', text: '["c"]' },
    { index: '9', text: '["d"]' },
  )
  const seen = await first(client.watch.keys('x', { waitMs: 60_000 }), 4)
  t.deepEqual(seen, [['a'], ['b'], ['c'], ['d']])
  t.deepEqual(
    urls.map((url) => new URL(url, 'http://a').searchParams.get('index')),
    [null, '7', '8', '18446744073709551615', null, '1'],
  )
  t.is(urls[1], '/v1/kv/x?keys=&index=7&wait=60000ms')
})

test('what has a hash is waited for by its hash', async (t) => {
  const { client, urls } = await agentWith(t, { hash: 'abc', text: '{"ID":"a"}' }, { status: 404, text: '' })
  t.deepEqual(await first(client.watch.agentService('a'), 2), [{ ID: 'a' }, undefined] as never)
  t.is(urls[1], '/v1/agent/service/a?hash=abc&wait=300000ms')
})

test('failures that pass are waited out, from the start; others are thrown', async (t) => {
  const { client, urls } = await agentWith(
    t,
    { index: '7', text: '[]' },
    { status: 500, text: 'No cluster leader' },
    { index: '7', text: '[]' },
    { status: 403, text: 'Permission denied' },
  )
  const told: string[] = []
  const watched = first(client.watch.nodes({ onError: (error) => told.push(String(error)) }), 2)
  const error = await t.throwsAsync(watched, { instanceOf: ResponseError })
  t.like(error, { status: 403, text: 'Permission denied' })
  t.deepEqual(told, ['ResponseError: GET /v1/catalog/nodes: 500 (No cluster leader)'])
  t.deepEqual(
    urls.map((url) => url.includes('index=')),
    [false, true, false, true],
  )
})

test('a signal ends the loop, whatever it waits for', async (t) => {
  const { client, port } = await agentWith(t, { index: '7', text: '[]' })
  const stop = new AbortController()
  const seen: unknown[] = []
  for await (const nodes of client.watch.nodes({ signal: stop.signal })) {
    seen.push(nodes)
    queueMicrotask(() => stop.abort())
  }
  t.deepEqual(seen, [[]])
  t.deepEqual(await first(client.watch.nodes({ signal: AbortSignal.abort() }), 1), [])

  const later = new AbortController()
  const settings = granted(httpSettings({ 'http-addr': `127.0.0.1:${port}` }, {}))
  const transport = createTransport({ ...settings, port: 1 }, 1_000)
  const failing = follow(transport, reads.nodes(), { signal: later.signal, onError: () => later.abort() })
  t.deepEqual(await first(failing, 1), [])
})

test('what was seen: indexes that went back count from the start, and none is 0', (t) => {
  t.deepEqual(seenAfter({}, { index: '0' }), { index: '1' })
  t.deepEqual(seenAfter({ index: '5' }, { index: '5' }), { index: '5' })
  t.deepEqual(seenAfter({ index: '5' }, { index: '4' }), {})
  t.deepEqual(seenAfter({ index: '5' }, { hash: 'a' }), { hash: 'a' })
  t.deepEqual(seenAfter({ index: '5' }, {}), {})
})
