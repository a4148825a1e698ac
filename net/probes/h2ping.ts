import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { dialErrorText } from './dial-errors.ts'
import { critical, type Probe } from './probe.ts'
import { targetOf } from './target.ts'
import { tlsErrorText } from './tls-errors.ts'

/** Connects over TLS, sends one PING of HTTP/2 and waits for its answer. Passing if that comes in time, else critical. */
export const h2pingProbe: Probe<'h2ping'> = ({ address, timeoutMs, tlsServerName, tlsSkipVerify }, done) => {
  const target = targetOf(address)
  if (typeof target === 'string') return done(critical(undialled(address, `dial tcp: ${target}`)))
  const name = tlsServerName === '' ? target.host : tlsServerName
  const serverName = isIP(name) === 0 ? { servername: name } : {}
  const socket = connectTls({ ...target, ...serverName, ALPNProtocols: ['h2'], rejectUnauthorized: !tlsSkipVerify })
  let session: ClientHttp2Session | undefined

  const timer = setTimeout(
    () => fail(session ? 'HTTP2 ping failed: context deadline exceeded' : undialled(address, `dial tcp ${address}: i/o timeout`)),
    timeoutMs > 0 ? timeoutMs : TIMEOUT_MS_DEFAULT,
  )

  function close(): void {
    clearTimeout(timer)
    session?.destroy()
    socket.destroy()
  }

  function fail(output: string): void {
    close()
    done(critical(output))
  }

  socket.on('error', (error: NodeJS.ErrnoException) => {
    const isDialling = error instanceof AggregateError || error.syscall === 'connect' || error.syscall === 'getaddrinfo'
    if (!session) fail(undialled(address, isDialling ? dialErrorText(error, address) : tlsErrorText(error)))
  })
  socket.on('secureConnect', () => {
    const pinging = connectHttp2(`https://${address}`, { createConnection: () => socket })
    session = pinging
    pinging.on('error', (error) => fail(`HTTP2 ping failed: ${error.message}`))
    pinging.on('close', () => fail('HTTP2 ping failed: EOF'))
    pinging.ping((error) => {
      if (error) return fail(`HTTP2 ping failed: ${error.message}`)
      close()
      done({ status: 'passing', output: 'HTTP2 ping was successful' })
    })
  })
}

const TIMEOUT_MS_DEFAULT = 10_000

function undialled(address: string, why: string): string {
  return `Failed to dial to ${address}: ${why}`
}
