import { once } from 'node:events'
import { chmod, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { createProbes } from '../../net/probes/index.ts'
import { Tail } from '../../net/probes/tail.ts'
import { createSigner } from '../../net/signer.ts'
import type { ProbeOutcome, ProbeRequest } from '../../src/kernel/ports.ts'
import { asking, granted } from '../kit/asking.ts'
import { newLeaf, newRoot } from '../kit/authority.ts'
import { closedPort, listening } from '../kit/servers.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'

const ask = asking(createProbes())

type Script = Extract<ProbeRequest, { kind: 'script' }>
type Http = Extract<ProbeRequest, { kind: 'http' }>

async function script(args: string[], changes: Partial<Script> = {}): Promise<ProbeOutcome> {
  return granted(await ask({ kind: 'script', args, timeoutMs: 30_000, outputMax: 4_096, env: {}, ...changes }))
}

const HTTP: Omit<Http, 'url'> = {
  kind: 'http',
  method: '',
  headers: {},
  body: '',
  timeoutMs: 10_000,
  outputMax: 4_096,
  tlsServerName: '',
  tlsSkipVerify: false,
  disableRedirects: false,
}

async function http(url: string, changes: Partial<Http> = {}): Promise<ProbeOutcome> {
  return granted(await ask({ ...HTTP, url, ...changes }))
}

async function served(t: ExecutionContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  t.teardown(() => server.closeAllConnections())
  return `http://127.0.0.1:${await listening(t, server)}`
}

test('a script passes with 0, warns with 1 and fails with anything else', async (t) => {
  t.deepEqual(await script(['sh', '-c', 'echo fine']), { status: 'passing', output: 'fine\n' })
  t.deepEqual(await script(['sh', '-c', 'echo so so >&2; exit 1']), { status: 'warning', output: 'so so\n' })
  t.deepEqual(await script(['sh', '-c', 'exit 2']), { status: 'critical', output: '' })
  t.deepEqual(await script(['sh', '-c', 'kill -9 $$']), { status: 'critical', output: '' })
})

test('a script has no shell, no input and the variables it is given', async (t) => {
  t.deepEqual(await script(['echo', '$HOME', '*']), { status: 'passing', output: '$HOME *\n' })
  t.deepEqual(await script(['cat']), { status: 'passing', output: '' })
  t.deepEqual(await script(['sh', '-c', 'echo $GREETING; test -n "$PATH"'], { env: { GREETING: 'hello' } }), {
    status: 'passing',
    output: 'hello\n',
  })
})

test('of a long output the end is kept', async (t) => {
  t.deepEqual(await script(['seq', '1', '100'], { outputMax: 10 }), {
    status: 'passing',
    output: 'Captured 10 of 292 bytes\n...\n98\n99\n100\n',
  })
})

test('a script that takes too long is ended with everything it started', async (t) => {
  const server = createTcpServer()
  const port = await listening(t, server)
  const connected = once(server, 'connection')
  const child = `(exec 3<>/dev/tcp/127.0.0.1/${port}; sleep 1000) & echo started; sleep 1000`
  const outcome = script(['bash', '-c', child], { timeoutMs: 1_500 })
  const [socket] = await connected
  const hungUp = once(socket.resume(), 'close')
  t.deepEqual(await outcome, { status: 'critical', output: 'Timed out (1.5s) running check\n\nstarted\n' })
  await hungUp
})

test('a child that left the group and keeps the output open does not hold up the outcome', async (t) => {
  t.deepEqual(
    await script(['sh', '-c', 'echo $$; exec setsid --fork sleep 5'], { timeoutMs: 500, outputMax: 0 }).then(statusAndFirstLine),
    {
      status: 'critical',
      line: 'Timed out (500ms) running check',
    },
  )
})

test('a script that cannot be started says why', async (t) => {
  const folder = temporaryDirectory(t)
  const file = join(folder, 'check')
  await writeFile(file, 'not a program')
  await chmod(file, 0o600)
  t.deepEqual(await script(['no-such-program']), {
    status: 'critical',
    output: 'exec: "no-such-program": executable file not found in $PATH',
  })
  t.deepEqual(await script([join(folder, 'none')]), { status: 'critical', output: `fork/exec ${folder}/none: no such file or directory` })
  t.deepEqual(await script([file]), { status: 'critical', output: `fork/exec ${file}: permission denied` })
  t.deepEqual(await ask({ kind: 'script', args: [], timeoutMs: 0, outputMax: 1, env: {} }), {
    refused: 'invalid',
    why: 'args: must name a program to run',
  })
  t.like(await ask({ kind: 'script', args: ['echo', '\0'], timeoutMs: 0, outputMax: 1, env: {} }), { refused: 'invalid' })
  t.is((await script(['true'], { env: { BAD: '\0' } })).status, 'critical')
})

test('the end of a stream is kept to the byte, without halves of characters', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 }).map(ascii)), fc.nat(40), (chunks, bytesMax) => {
      const tail = new Tail(bytesMax)
      for (const chunk of chunks) tail.add(chunk)
      const whole = Buffer.concat(chunks)
      t.is(tail.text(), whole.subarray(Math.max(0, whole.length - bytesMax)).toString())
      t.is(tail.bytesTotal, whole.length)
    }),
  )
  const tail = new Tail(4)
  tail.add(Buffer.from('xäöü'))
  t.is(tail.text(), 'öü')
  const cut = new Tail(3)
  cut.add(Buffer.from('xäöü'))
  t.is(cut.text(), 'ü')
})

for (const [code, status, text] of [
  [200, 'passing', '200 OK'],
  [204, 'passing', '204 No Content'],
  [299, 'passing', '299 Fine'],
  [304, 'critical', '304 Not Modified'],
  [404, 'critical', '404 Not Found'],
  [429, 'warning', '429 Too Many Requests'],
  [503, 'critical', '503 Service Unavailable'],
] as const) {
  test(`HTTP ${code} is ${status}`, async (t) => {
    const url = await served(t, (_request, response) => response.writeHead(code, text.slice(4)).end(code === 200 ? 'ok' : undefined))
    t.deepEqual(await http(`${url}/health`), { status, output: `HTTP GET ${url}/health: ${text} Output: ${code === 200 ? 'ok' : ''}` })
  })
}

test('a web server sees the default headers, and the given ones instead', async (t) => {
  const url = await served(t, ({ method, headers }, response) => {
    const { host, accept, connection, 'user-agent': agent, 'x-many': many } = headers
    response.end(JSON.stringify([method, host, agent, accept, connection, many]))
  })
  const address = url.slice('http://'.length)
  const plain = await http(url)
  t.is(outputOf(plain), JSON.stringify([...['GET', address, 'Consul Health Check', 'text/plain, text/*, */*', 'close'], null]))
  const given = await http(url, { headers: { host: ['my.host'], 'user-agent': ['me'], 'X-Many': ['one', 'two'] } })
  t.is(outputOf(given), JSON.stringify(['GET', 'my.host', 'me', 'text/plain, text/*, */*', 'close', 'one, two']))
})

test('a body is sent with any method', async (t) => {
  const url = await served(t, async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    response.end(`${request.method} ${request.headers['content-length']} ${body}`)
  })
  t.is(outputOf(await http(url, { method: 'POST', body: 'grüß' })), 'POST 6 grüß')
  t.is(outputOf(await http(url, { method: 'GET', body: 'x', headers: { 'Content-Length': ['99'] } })), 'GET 1 x')
  t.is((await http(url, { method: 'PUT' })).output, `HTTP PUT ${url}: 200 OK Output: PUT 0 `)
})

test('of a long body the end is kept', async (t) => {
  const url = await served(t, (_request, response) => response.end(`${'x'.repeat(100_000)}end`))
  t.is(outputOf(await http(url, { outputMax: 5 })), 'xxend')
})

test('redirects are followed up to ten requests, without credentials to another host', async (t) => {
  const seen: string[] = []
  const other = await served(t, ({ method, url, headers }, response) => {
    seen.push(`${method} ${url} ${headers.authorization} ${headers.host === other.slice(7)}`)
    response.end('there')
  })
  const url = await served(t, ({ method, url: path = '', headers }, response) => {
    seen.push(`${method} ${path} ${headers.authorization}`)
    const location = path === '/away' ? `${other}/home` : path === '/once' ? '/away' : '/loop'
    response.writeHead(path === '/once' ? 307 : 302, { location }).end('moved')
  })
  const headers = { Authorization: ['secret'], Host: ['my.host'] }
  t.deepEqual(await http(`${url}/once`, { method: 'POST', body: 'x', headers }), {
    status: 'passing',
    output: `HTTP POST ${url}/once: 200 OK Output: there`,
  })
  t.deepEqual(seen, ['POST /once secret', 'POST /away secret', 'GET /home undefined true'])
  seen.length = 0
  t.deepEqual(await http(`${url}/loop`), { status: 'critical', output: `Get "${url}/loop": stopped after 10 redirects` })
  t.is(seen.length, 10)
  t.deepEqual(await http(`${url}/loop`, { disableRedirects: true }), {
    status: 'critical',
    output: `HTTP GET ${url}/loop: 302 Found Output: moved`,
  })
})

test('a redirect to something else than HTTP fails', async (t) => {
  const url = await served(t, (_request, response) => response.writeHead(302, { location: 'ftp://x/' }).end())
  t.deepEqual(await http(url), { status: 'critical', output: 'Get "ftp://x/": unsupported protocol scheme "ftp"' })
})

test('a server that does not answer in time fails; one that is slow with its body is judged by its status', async (t) => {
  const silent = await served(t, () => undefined)
  t.deepEqual(await http(silent, { timeoutMs: 50 }), {
    status: 'critical',
    output: `Get "${silent}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
  })
  const slow = await served(t, (_request, response) => response.write('begun'))
  t.deepEqual(await http(slow, { timeoutMs: 1_000 }), { status: 'passing', output: `HTTP GET ${slow}: 200 OK Output: begun` })
})

test('what goes wrong with HTTP is said in words that users know', async (t) => {
  const port = await closedPort(createTcpServer())
  const rude = `127.0.0.1:${await listening(
    t,
    createTcpServer((socket) => socket.destroy()),
  )}`
  const other = `127.0.0.1:${await listening(
    t,
    createTcpServer((socket) => socket.end('SSH-2.0-x\r\n')),
  )}`
  for (const [url, why] of [
    [`http://127.0.0.1:${port}/x`, `dial tcp 127.0.0.1:${port}: connect: connection refused`],
    [`https://127.0.0.1:${port}/x`, `dial tcp 127.0.0.1:${port}: connect: connection refused`],
    ['ftp://127.0.0.1/', 'unsupported protocol scheme "ftp"'],
    ['::', 'invalid URL'],
  ] as const) {
    t.deepEqual(await http(url), { status: 'critical', output: `Get "${url}": ${why}` })
  }
  t.regex((await http(`http://${rude}/`)).output, /^Get ".*": (EOF|read: connection reset by peer)$/)
  t.regex((await http(`http://${other}/`)).output, /malformed HTTP response/)
  t.regex((await http('http://127.0.0.1:1/', { method: 'BAD METHOD' })).output, /^Bad method "http:.*": net\/http: .*BAD METHOD/)
  t.regex((await http('http://127.0.0.1:1/', { headers: { 'bad name': ['x'] } })).output, /net\/http: .*bad name/)
  t.regex((await http(`http://me:secret@127.0.0.1:${port}/`)).output, /^Get "http:\/\/me:\*\*\*@127/)
})

test('HTTPS is verified unless told otherwise', async (t) => {
  const signer = asking(createSigner())
  const root = await newRoot(signer)
  const { certPem, keyPem } = await newLeaf(signer, root, 'web')
  let serverName: unknown
  const server = createTlsServer({ cert: certPem, key: keyPem }, (_request, response) => response.end('safe'))
  server.on('secureConnection', (socket) => {
    serverName = socket.servername
  })
  const url = `https://127.0.0.1:${await listening(t, server)}`
  t.deepEqual(await http(url), { status: 'critical', output: `Get "${url}": x509: certificate signed by unknown authority` })
  t.deepEqual(await http(url, { tlsSkipVerify: true, tlsServerName: 'my.name' }), {
    status: 'passing',
    output: `HTTP GET ${url}: 200 OK Output: safe`,
  })
  t.is(serverName, 'my.name')
  const plain = await served(t, (_request, response) => response.end())
  const mixed = plain.replace('http:', 'https:')
  t.deepEqual(await http(mixed), { status: 'critical', output: `Get "${mixed}": http: server gave HTTP response to HTTPS client` })
})

test('a port is connected to, by address and by name', async (t) => {
  const port = await listening(t, createTcpServer())
  for (const address of [`127.0.0.1:${port}`, `localhost:${port}`, `:${port}`]) {
    t.deepEqual(await ask({ kind: 'tcp', address, timeoutMs: 10_000 }), { status: 'passing', output: `TCP connect ${address}: Success` })
  }
})

test('a port that cannot be connected to says why', async (t) => {
  const port = await closedPort(createTcpServer())
  for (const [address, output] of [
    [`127.0.0.1:${port}`, `dial tcp 127.0.0.1:${port}: connect: connection refused`],
    ['127.0.0.1', 'dial tcp: address 127.0.0.1: missing port in address'],
    ['[::1]', 'dial tcp: address [::1]: missing port in address'],
    ['::1:80', 'dial tcp: address ::1:80: too many colons in address'],
    ['127.0.0.1:65536', 'dial tcp: address 65536: invalid port'],
    ['127.0.0.1:', 'dial tcp: address : invalid port'],
  ] as const) {
    t.deepEqual(await ask({ kind: 'tcp', address, timeoutMs: 10_000 }), { status: 'critical', output })
  }
})

test('the lowest port that is neither taken nor in use is found', async (t) => {
  const server = createTcpServer()
  const port = await listening(t, server)
  const inUse = await ask({ kind: 'free-port', address: '127.0.0.1', from: port, to: port, taken: [] })
  t.deepEqual(inUse, { refused: 'conflict', why: `no free port on 127.0.0.1 from ${port} to ${port}` })
  const free = await closedPort(createTcpServer())
  const range = { kind: 'free-port', address: '127.0.0.1', from: free, to: Math.min(free + 50, 65_535) } as const
  const first = granted(await ask({ ...range, taken: [] })).port ?? 0
  const second = granted(await ask({ ...range, taken: [first] })).port ?? 0
  t.true(first >= free && second > first)
  t.deepEqual(await ask({ ...range, to: free, taken: [free] }), {
    refused: 'conflict',
    why: `no free port on 127.0.0.1 from ${free} to ${free}`,
  })
})

test('a range or an address on which nobody can listen is refused', async (t) => {
  const range = { kind: 'free-port', address: '127.0.0.1', from: 20_000, to: 20_255, taken: [] } satisfies ProbeRequest
  t.deepEqual(await ask({ ...range, from: 0 }), { refused: 'invalid', why: 'ports 0 to 20255: must be a range within 1 to 65535' })
  t.deepEqual(await ask({ ...range, to: 19_999 }), { refused: 'invalid', why: 'ports 20000 to 19999: must be a range within 1 to 65535' })
  t.like(await ask({ ...range, address: '192.0.2.1' }), { refused: 'invalid' })
})

function outputOf({ output }: ProbeOutcome): string {
  return output.slice(output.indexOf(' Output: ') + ' Output: '.length)
}

function statusAndFirstLine({ status, output }: ProbeOutcome): { status: string; line: string | undefined } {
  return { status, line: output.split('\n')[0] }
}

function ascii(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.map((byte) => byte & 0x7f))
}
