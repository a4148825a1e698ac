import { connect } from 'node:net'
import { dialErrorText } from './dial-errors.ts'
import { critical, type Probe } from './probe.ts'
import { targetOf } from './target.ts'

/** Connects and hangs up. Passing if the connection was made in time, else critical with Go's words for why not. */
export const tcpProbe: Probe<'tcp'> = ({ address, timeoutMs }, done) => {
  const target = targetOf(address)
  if (typeof target === 'string') return done(critical(`dial tcp: ${target}`))
  const socket = connect(target)
  const timer = setTimeout(
    () => {
      socket.destroy()
      done(critical(`dial tcp ${address}: i/o timeout`))
    },
    timeoutMs > 0 ? timeoutMs : TIMEOUT_MS_DEFAULT,
  )
  socket.on('connect', () => {
    clearTimeout(timer)
    socket.destroy()
    done({ status: 'passing', output: `TCP connect ${address}: Success` })
  })
  socket.on('error', (error) => {
    clearTimeout(timer)
    socket.destroy()
    done(critical(dialErrorText(error, address)))
  })
}

const TIMEOUT_MS_DEFAULT = 10_000
