import { createServer as createWebServer } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createTcpServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { createProbes } from '../../net/probes/index.ts'
import { createSigner } from '../../net/signer.ts'
import type { ProbeOutcome } from '../../src/kernel/ports.ts'
import { asking, granted } from '../kit/asking.ts'
import { type Issued, newLeaf, newRoot } from '../kit/authority.ts'
import { dockerEngine } from '../kit/docker-engine.ts'
import { grpcHealth } from '../kit/grpc-health.ts'
import { closedPort, listening } from '../kit/servers.ts'

const ask = asking(createProbes())
const TLS = { tlsServerName: '', tlsSkipVerify: false }
const DOWN = 'rpc error: code = Unavailable desc = all SubConns are in TransientFailure, latest connection error: connection error: desc = '

async function grpc(
  target: string,
  changes: { timeoutMs?: number; useTls?: boolean; tlsSkipVerify?: boolean; tlsServerName?: string } = {},
) {
  return granted(await ask({ kind: 'grpc', target, timeoutMs: 10_000, useTls: false, ...TLS, ...changes }))
}

async function h2ping(address: string, changes: { timeoutMs?: number; tlsSkipVerify?: boolean; tlsServerName?: string } = {}) {
  return granted(await ask({ kind: 'h2ping', address, timeoutMs: 10_000, ...TLS, ...changes }))
}

async function docker(container: string, args: string[], { timeoutMs = 10_000, outputMax = 4_096 } = {}): Promise<ProbeOutcome> {
  return granted(await ask({ kind: 'docker', container, args, timeoutMs, outputMax }))
}

async function issued(): Promise<Issued> {
  const signer = asking(createSigner())
  return newLeaf(signer, await newRoot(signer), 'web')
}

function critical(output: string): ProbeOutcome {
  return { status: 'critical', output }
}

test('gRPC: a server and each of its services are judged by what they say', async (t) => {
  const server = `127.0.0.1:${await grpcHealth(t, { '': 1, web: 1, down: 2, new: 0, other: 3, odd: 77 })}`
  t.deepEqual(await grpc(server), { status: 'passing', output: `gRPC check ${server}: success` })
  t.deepEqual(await grpc(`${server}/web`), { status: 'passing', output: `gRPC check ${server}/web: success` })
  t.deepEqual(await grpc(`${server}/down`), critical(`gRPC ${server}/down serving status: NOT_SERVING`))
  t.deepEqual(await grpc(`${server}/new`), critical(`gRPC ${server}/new serving status: UNKNOWN`))
  t.deepEqual(await grpc(`${server}/other`), critical(`gRPC ${server}/other serving status: SERVICE_UNKNOWN`))
  t.deepEqual(await grpc(`${server}/odd`), critical(`gRPC ${server}/odd serving status: 77`))
  t.deepEqual(await grpc(`${server}/a/b`), critical('rpc error: code = NotFound desc = unknown service'))
})

test('gRPC: a server that cannot be asked is critical, in words that users know', async (t) => {
  const port = await closedPort(createTcpServer())
  const silent = await listening(t, createTcpServer())
  const hangs = await grpcHealth(t, { '': 'hangs' })
  const rude = await listening(t, createTcpServer((socket) => socket.destroy())) // biome-ignore format: one line
  const dialled = (why: string) => critical(`${DOWN}"transport: Error while dialing ${why}"`)
  t.deepEqual(await grpc(`127.0.0.1:${port}`), dialled(`dial tcp 127.0.0.1:${port}: connect: connection refused`))
  t.deepEqual(await grpc('127.0.0.1'), dialled('dial tcp: address 127.0.0.1: missing port in address'))
  t.deepEqual(await grpc('no-such-host.invalid:1'), dialled('dial tcp: lookup no-such-host.invalid: no such host'))
  t.deepEqual(await grpc(`127.0.0.1:${rude}`), critical(`${DOWN}"connection closed"`))
  for (const late of [silent, hangs]) {
    const outcome = await grpc(`127.0.0.1:${late}`, { timeoutMs: 100 })
    t.deepEqual(outcome, critical('rpc error: code = DeadlineExceeded desc = context deadline exceeded'))
  }
})

test('gRPC: TLS is verified unless told otherwise', async (t) => {
  const server = `127.0.0.1:${await grpcHealth(t, { '': 1 }, await issued())}`
  const handshake = (why: string) => critical(`${DOWN}"transport: authentication handshake failed: ${why}"`)
  t.deepEqual(await grpc(server, { useTls: true }), handshake('x509: certificate signed by unknown authority'))
  const trusting = { useTls: true, tlsSkipVerify: true, tlsServerName: 'my.name' }
  t.deepEqual(await grpc(server, trusting), { status: 'passing', output: `gRPC check ${server}: success` })
  t.is((await grpc(server)).status, 'critical')
  const plain = `127.0.0.1:${await grpcHealth(t, { '': 1 })}`
  t.deepEqual(await grpc(plain, { useTls: true }), handshake('tls: first record does not look like a TLS handshake'))
})

test('HTTP/2: a server that answers a ping is passing', async (t) => {
  const { certPem: cert, keyPem: key } = await issued()
  let serverName: unknown
  const server = createSecureServer({ cert, key }).on('secureConnection', (socket) => (serverName = socket.servername))
  const address = `127.0.0.1:${await listening(t, server)}`
  const passing = { status: 'passing', output: 'HTTP2 ping was successful' } as const
  t.deepEqual(await h2ping(address, { tlsSkipVerify: true, tlsServerName: 'my.name' }), passing)
  t.is(serverName, 'my.name')
  t.deepEqual(await h2ping(address, { tlsSkipVerify: true }), passing)
  t.deepEqual(await h2ping(address), critical(`Failed to dial to ${address}: x509: certificate signed by unknown authority`))
})

test('HTTP/2: a server that cannot be pinged is critical, and says why', async (t) => {
  const { certPem: cert, keyPem: key } = await issued()
  const port = await closedPort(createTcpServer())
  const refused = `dial tcp 127.0.0.1:${port}: connect: connection refused`
  t.deepEqual(await h2ping(`127.0.0.1:${port}`), critical(`Failed to dial to 127.0.0.1:${port}: ${refused}`))
  t.deepEqual(await h2ping('nowhere'), critical('Failed to dial to nowhere: dial tcp: address nowhere: missing port in address'))
  const plain = `127.0.0.1:${await listening(t, createWebServer())}`
  t.deepEqual(await h2ping(plain), critical(`Failed to dial to ${plain}: tls: first record does not look like a TLS handshake`))
  const silent = `127.0.0.1:${await listening(t, createTcpServer())}`
  t.deepEqual(await h2ping(silent, { timeoutMs: 50 }), critical(`Failed to dial to ${silent}: dial tcp ${silent}: i/o timeout`))
  const trusting = { tlsSkipVerify: true }
  const mute = `127.0.0.1:${await listening(t, createTlsServer({ cert, key }))}`
  t.deepEqual(await h2ping(mute, { ...trusting, timeoutMs: 500 }), critical('HTTP2 ping failed: context deadline exceeded'))
  const rude = `127.0.0.1:${await listening(
    t,
    createTlsServer({ cert, key }, (socket) => socket.destroy()),
  )}`
  t.regex((await h2ping(rude, trusting)).output, /^HTTP2 ping failed: |: EOF$/)
})

async function engine(t: ExecutionContext) {
  return dockerEngine(t, {
    true: { output: '', exitCode: 0 },
    warns: { output: 'so so\n', exitCode: 1 },
    chatty: { output: `${'x'.repeat(100)}end`, exitCode: 0 },
    sleep: 'hangs',
  })
}

test.serial('a program in a container passes with 0, warns with 1 and fails with anything else', async (t) => {
  const { asked } = await engine(t)
  t.deepEqual(await docker('box', ['true']), { status: 'passing', output: '' })
  t.deepEqual(asked, ['POST /containers/box/exec docker', 'POST /exec/exec0/start docker', 'GET /exec/exec0/json docker'])
  t.deepEqual(await docker('box', ['warns']), { status: 'warning', output: 'so so\n' })
  t.deepEqual(await docker('box', ['nope']), critical('not found'))
  t.deepEqual(await docker('box', ['chatty'], { outputMax: 4 }), { status: 'passing', output: 'Captured 4 of 103 bytes\n...\nxend' })
  t.deepEqual(await docker('box', ['sleep'], { timeoutMs: 100 }), critical('Timed out (100ms) running check'))
})

test.serial('a container that does not run anything says why', async (t) => {
  await engine(t)
  t.deepEqual(await docker('none', ['true']), critical('create exec failed for unknown container none'))
  t.deepEqual(await docker('paused', ['true']), critical('create exec failed since container paused is paused or stopped'))
  t.deepEqual(await docker('broken', ['true']), critical('create exec failed for container broken with status 500: {"message":"no room"}'))
})

test.serial('without an engine a container is critical', async (t) => {
  await engine(t)
  const port = await closedPort(createTcpServer())
  for (const [host, why] of [
    [
      'unix:///no/such.sock',
      'Post "http://%2Fno%2Fsuch.sock/containers/box/exec": dial unix /no/such.sock: connect: no such file or directory',
    ],
    [
      `tcp://127.0.0.1:${port}/v1`,
      `Post "http://127.0.0.1:${port}/v1/containers/box/exec": dial tcp 127.0.0.1:${port}: connect: connection refused`,
    ],
  ] as const) {
    process.env.DOCKER_HOST = host
    t.deepEqual(await docker('box', ['true']), critical(`create exec failed for container box: ${why}`))
  }
  process.env.DOCKER_HOST = 'nonsense'
  t.deepEqual(await docker('box', ['true']), critical('unable to parse docker host `nonsense`'))
})
