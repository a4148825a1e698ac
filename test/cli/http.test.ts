import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { httpSettings } from '../../src/cli/http-settings.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { selfSigned } from '../kit/self-signed.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { runCommand, tryCommand } from './kit.ts'

const DATACENTERS = { 'GET /v1/catalog/datacenters': { json: ['dc1'] } }
const COMMAND = ['catalog', 'datacenters']
const folder = temporaryDirectory()

function fileWith(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

test('the token comes from the flag, then its file, then the environment', async (t) => {
  const file = fileWith('token', ' from-file \n')
  const tokenOf = async (args: string[], env: Record<string, string>) =>
    (await tryCommand([...COMMAND, ...args], DATACENTERS, { env })).requests[0]?.headers['x-consul-token']
  const everything = { CONSUL_HTTP_TOKEN: 'from-env', CONSUL_HTTP_TOKEN_FILE: file }
  t.is(await tokenOf(['-token=from-flag'], everything), 'from-flag')
  t.is(await tokenOf([], everything), 'from-file')
  t.is(await tokenOf(['-token-file', file], { CONSUL_HTTP_TOKEN: 'from-env' }), 'from-file')
  t.is(await tokenOf([], { CONSUL_HTTP_TOKEN: 'from-env' }), 'from-env')
  t.is(await tokenOf([], {}), undefined)
  const missing = await runCommand([...COMMAND, '-token-file=/nowhere'])
  t.is(missing.err, 'Error connecting to Consul agent: Error loading token file: open /nowhere: no such file or directory\n')
})

test('basic authentication, datacenter, staleness and namespace are sent', async (t) => {
  const { requests } = await tryCommand(
    ['kv', 'get', '-datacenter=dc2', '-stale', '-namespace=n', 'x'],
    {},
    { env: { CONSUL_HTTP_AUTH: 'me:secret' } },
  )
  t.is(requests[0]?.headers.authorization, `Basic ${Buffer.from('me:secret').toString('base64')}`)
  t.is(requests[0]?.url, '/v1/kv/x?dc=dc2&ns=n&stale=')
})

test('writes are never stale', async (t) => {
  t.deepEqual((await tryCommand(['kv', 'put', '-stale', 'x'], { 'PUT /v1/kv/x': { text: 'true' } })).seen, ['PUT /v1/kv/x'])
})

test('paths are escaped as Go does it', async (t) => {
  const { seen } = await tryCommand(['kv', 'put', 'a b/ü?#%&=+(', 'x'], {})
  t.deepEqual(seen, ['PUT /v1/kv/a%20b/%C3%BC%3F%23%25&=+%28 x'])
})

test('a redirect is not followed, because it names another key', async (t) => {
  const server = http.createServer((_request, response) => response.writeHead(301, { location: '/v1/kv/a/b' }).end('<a href>'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const { code, err } = await runCommand(['kv', 'put', `-http-addr=127.0.0.1:${port}`, 'a//b', 'x'])
  t.is(code, 1)
  t.is(
    err,
    'Error! Failed writing data: Unexpected response code: 301 (paths cannot have empty, "." or ".." parts; the nearest is /v1/kv/a/b)\n',
  )
})

test('a refused connection and another answer have the texts that scripts look for', async (t) => {
  const server = net.createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  const refused = await runCommand(COMMAND, { env: { CONSUL_HTTP_ADDR: `127.0.0.1:${port}` } })
  t.is(
    refused.err,
    `Error listing datacenters: Get "http://127.0.0.1:${port}/v1/catalog/datacenters": dial tcp 127.0.0.1:${port}: connect: connection refused\n`,
  )
  t.is(refused.code, 1)
  const failing = await tryCommand(COMMAND, { 'GET /v1/catalog/datacenters': { status: 500, text: 'No cluster leader' } })
  t.is(failing.err, 'Error listing datacenters: Unexpected response code: 500 (No cluster leader)\n')
  const noJson = await tryCommand(COMMAND, { 'GET /v1/catalog/datacenters': { text: '<html>' } })
  t.regex(noJson.err, /^Error listing datacenters: \/v1\/catalog\/datacenters did not answer with JSON: /)
})

test('a server that hangs up or answers with noise is an error', async (t) => {
  for (const [answer, expected] of [
    ['', / EOF\n$/],
    ['SSH-2.0-noise\r\n\r\n', /malformed HTTP response/],
    ['HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n[', /EOF|aborted|reset/],
  ] as const) {
    const server = net.createServer((socket) => socket.once('data', () => socket.end(answer)))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const { code, err } = await runCommand(COMMAND, { env: { CONSUL_HTTP_ADDR: `127.0.0.1:${port}` } })
    server.close()
    t.is(code, 1)
    t.regex(err, expected)
  }
})

test('a UNIX socket will do', async (t) => {
  const path = join(folder, 'http.sock')
  const server = http.createServer((_, response) => response.end('["dc1"]')).listen(path)
  await once(server, 'listening')
  t.is((await runCommand([...COMMAND, `-http-addr=unix://${path}`])).out, 'dc1\n')
  server.close()
  const missing = await runCommand([...COMMAND, '-http-addr=unix:///nowhere.sock'])
  t.regex(missing.err, /dial unix \/nowhere\.sock: connect: no such file or directory\n$/)
})

test('HTTPS checks the certificate, shows one, and can be told to trust', async (t) => {
  const { cert, key } = selfSigned()
  const [certFile, keyFile] = [fileWith('cert.pem', cert), fileWith('key.pem', key)]
  mkdirSync(join(folder, 'authorities'))
  writeFileSync(join(folder, 'authorities', 'one.pem'), cert)
  const server = https.createServer({ cert, key, ca: cert, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    response.end(JSON.stringify([(request.socket as import('node:tls').TLSSocket).authorized ? 'known' : 'unknown']))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const ask = (args: string[], env: Record<string, string> = {}) =>
    runCommand([...COMMAND, ...args], { env: { CONSUL_HTTP_ADDR: address, ...env } })
  const secure = { CONSUL_HTTP_SSL: 'true' }
  t.is((await ask([`-http-addr=https://${address}`, `-ca-file=${certFile}`])).out, 'unknown\n')
  t.is((await ask([`-ca-path=${join(folder, 'authorities')}`], secure)).out, 'unknown\n')
  t.is((await ask([`-ca-file=${certFile}`, `-client-cert=${certFile}`, `-client-key=${keyFile}`], secure)).out, 'known\n')
  t.is((await ask([], { ...secure, CONSUL_HTTP_SSL_VERIFY: 'false' })).out, 'unknown\n')
  t.is((await ask([`-ca-file=${certFile}`, '-tls-server-name=localhost'], secure)).out, 'unknown\n')
  t.regex((await ask([], secure)).err, /x509: certificate signed by unknown authority\n$/)
  t.regex(
    (await ask([`-ca-file=${certFile}`, '-tls-server-name=elsewhere'], secure)).err,
    /x509: certificate is not valid for elsewhere\n$/,
  )
  t.regex((await ask([`-client-cert=${certFile}`], secure)).err, /needs both -client-cert and -client-key/)
  t.regex((await ask(['-ca-file=/nowhere.pem'], secure)).err, /Error loading CA file: open \/nowhere\.pem: no such file or directory\n$/)
  t.regex((await ask(['-ca-file=/nowhere.pem'])).err, /Error loading CA file: /)
  t.regex((await ask(['-ca-path=/nowhere'], secure)).err, /Error loading CA path: open \/nowhere: no such file or directory\n$/)
  server.close()
})

test('HTTPS to a server that speaks HTTP says so', async (t) => {
  const { err } = await tryCommand(COMMAND, DATACENTERS, { env: { CONSUL_HTTP_SSL: 'true' } })
  t.regex(err, /^Error listing datacenters: Get "https:\/\/.*http: server gave HTTP response to HTTPS client\n$/)
})

test('addresses and variables that make no sense are refused by name', async (t) => {
  const errorOf = async (env: Record<string, string>) => (await runCommand(COMMAND, { env })).err
  t.is(await errorOf({ CONSUL_HTTP_ADDR: 'ftp://x' }), 'Error connecting to Consul agent: Unknown protocol scheme: ftp\n')
  t.regex(await errorOf({ CONSUL_HTTP_ADDR: 'a:b:c' }), /bad HTTP address "a:b:c": must be host:port/)
  t.regex(await errorOf({ CONSUL_HTTP_ADDR: 'a:99999' }), /bad HTTP address/)
  t.regex(await errorOf({ CONSUL_HTTP_SSL: 'maybe' }), /could not parse CONSUL_HTTP_SSL: "maybe" is neither true nor false/)
})

test('any text as an address gives settings or a reason', (t) => {
  fc.assert(
    fc.property(fc.string(), (address) => {
      const settings = httpSettings({ 'http-addr': address }, {})
      return isRefused(settings) ? settings.why !== '' : settings.socketPath !== '' || (settings.port >= 0 && settings.port < 65_536)
    }),
  )
  t.like(httpSettings({ 'http-addr': '[::1]:8500' }, {}), { host: '::1', port: 8500, authority: '[::1]:8500' })
  t.like(httpSettings({ 'http-addr': 'http://agent:8500/' }, {}), { host: 'agent', port: 8500, scheme: 'http' })
  t.like(httpSettings({ 'http-addr': 'agent' }, {}), { host: 'agent', port: 80 })
})
