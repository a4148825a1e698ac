import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { type Agent, startAgent } from '../kit/agents.ts'

const MEBIBYTE = 1024 * 1024

/** Everything that comes back for these bytes until the agent closes the connection. */
function raw({ ports }: Agent, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(ports.http, '127.0.0.1', () => socket.write(bytes))
    socket.setEncoding('latin1').on('data', (piece: string) => {
      text += piece
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
}

/** Statuses of all answers in a text. */
function statuses(text: string): number[] {
  return [...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status))
}

function headersOf(text: string): string {
  return text.slice(0, text.indexOf('\r\n\r\n'))
}

const SMUGGLED = 'PUT /v1/kv/smuggled HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx'
const CHUNKED_SMUGGLED = `1\r\nx\r\n0\r\n\r\n${SMUGGLED}`
const put = (headers: string, body: string) => `PUT /v1/kv/outer HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n${body}`

/** Requests of which two servers could think differently where they end. */
const ambiguous: Record<string, string> = {
  'a length and chunks': put(`Content-Length: 4\r\nTransfer-Encoding: chunked`, CHUNKED_SMUGGLED),
  'chunks and a length': put(`Transfer-Encoding: chunked\r\nContent-Length: 4`, CHUNKED_SMUGGLED),
  'two lengths': put('Content-Length: 0\r\nContent-Length: 60', SMUGGLED),
  'a list of lengths': put('Content-Length: 0, 60', SMUGGLED),
  'a length with a sign': put('Content-Length: +0', SMUGGLED),
  'a length in hex': put('Content-Length: 0x0', SMUGGLED),
  'chunks that are not the last encoding': put('Transfer-Encoding: chunked, identity', CHUNKED_SMUGGLED),
  'an unknown encoding': put('Transfer-Encoding: xchunked', CHUNKED_SMUGGLED),
  'a blank before the colon': put('Content-Length : 0', SMUGGLED),
  'a header that goes on in the next line': put('Content-Length:\r\n 0', SMUGGLED),
  'a line end without its return': put('X: a\nContent-Length: 0', SMUGGLED),
  'a return alone': put('X: a\rContent-Length: 0', SMUGGLED),
  'a NUL in a header': put('X: a\0b\r\nContent-Length: 0', SMUGGLED),
  'a chunk whose size overflows': put('Transfer-Encoding: chunked', `fffffffffffffffff1\r\nx\r\n0\r\n\r\n${SMUGGLED}`),
  'a chunk longer than it says': put('Transfer-Encoding: chunked', `1\r\nxyz\r\n0\r\n\r\n${SMUGGLED}`),
}

test.serial('no request hides another one, no path leads out, no name becomes a header, and no body unfolds', async (t) => {
  t.timeout(60_000)
  const agent = await startAgent(t, { files: { 'a.json': { disable_http_unprintable_char_filter: true } } })

  for (const [name, bytes] of Object.entries(ambiguous)) {
    const answer = await raw(agent, bytes)
    t.deepEqual(statuses(answer).slice(-1), [400], `${name}: ${answer}`)
    t.regex(answer, /Connection: close/i, name)
    t.is((await agent.http('GET', '/v1/kv/smuggled')).status, 404, name)
  }

  const passwd = readFileSync('/etc/passwd', 'latin1').slice(0, 20)
  for (const path of [
    '/../../etc/passwd',
    '/v1/../../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/v1/kv/..%2f..%2f..%2fetc%2fpasswd?raw',
    '/ui/../../etc/passwd',
    '/..%5c..%5cetc/passwd',
    'file:///etc/passwd',
    '/debug/pprof/..%2f..%2fetc/passwd',
  ]) {
    const answer = await raw(agent, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    t.true([301, 400, 404].includes(statuses(answer)[0] ?? 0), `${path}: ${answer}`)
    t.false(answer.includes(passwd), path)
  }
  t.regex(await raw(agent, 'GET //evil.example/..%2f HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /\r\nLocation: \/[^/]/)

  const evil = 'a\r\nX-Injected: 1\r\n\r\n<script>'
  const inPath = encodeURIComponent(evil)
  t.is((await agent.http('PUT', `/v1/kv/${inPath}`, '<script>alert(1)</script>')).text.trim(), 'true')
  t.is((await agent.http('PUT', '/v1/agent/service/register', { Name: evil, Meta: { a: 'b' } })).status, 200)
  t.is((await agent.http('PUT', '/v1/connect/intentions', { SourceName: evil, DestinationName: evil, Action: 'deny' })).status, 405)
  for (const path of [
    `/v1/kv/${inPath}?raw`,
    `/v1//kv/${inPath}`,
    `/v1/kv/a?index=${inPath}`,
    `/v1/health/service/${inPath}`,
    `/v1/agent/health/service/name/${inPath}?format=text`,
    `/v1/agent/connect/ca/leaf/${inPath}`,
    `/v1/connect/intentions/check?source=${inPath}&destination=${inPath}`,
    `/v1/tribune/decisions?source=${inPath}`,
    `/v1/catalog/nodes?near=${inPath}&filter=${inPath}`,
    `/v1/${inPath}`,
  ]) {
    const answer = await raw(agent, `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Consul-Token: ${'a'.repeat(10)}\r\nConnection: close\r\n\r\n`)
    t.is(statuses(headersOf(answer)).length, 1, path)
    t.notRegex(headersOf(answer), /^X-Injected/im, path)
    if (/^Content-Type: text\/html/im.test(headersOf(answer))) t.false(answer.includes('<script>'), path)
  }
  const shown = headersOf(await raw(agent, `GET /v1/kv/${inPath}?raw HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`))
  t.regex(shown, /^X-Content-Type-Options: nosniff$/im)
  t.regex(shown, /^Content-Security-Policy: sandbox$/im)

  const bomb = gzipSync(Buffer.alloc(200 * MEBIBYTE))
  const head = `PUT /v1/kv/bomb HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.byteLength}\r\nConnection: close\r\n\r\n`
  t.deepEqual(statuses(await raw(agent, Buffer.concat([Buffer.from(head), bomb]))), [200])
  const [{ Value }] = await agent.json<[{ Value: string }]>('/v1/kv/bomb')
  t.true(Buffer.from(Value, 'base64').equals(bomb), 'a body is kept as it came')

  const posted = '{"SourceName":"*","DestinationName":"*","Action":"allow"}'
  const page = `POST /v1/connect/intentions HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\nContent-Type: text/plain\r\nContent-Length: ${posted.length}\r\nConnection: close\r\n\r\n${posted}`
  t.deepEqual(statuses(await raw(agent, page)), [403])
  t.deepEqual(await agent.json('/v1/connect/intentions'), [])
})
