import { createServer } from 'node:net'
import { refuse } from '../../src/kernel/refusal.ts'
import { hostAndPort } from './dial-errors.ts'
import type { Probe } from './probe.ts'

/** Tries to listen on one port after the other. `conflict` if none of the range is free, `invalid` for an impossible range or address. */
export const freePortProbe: Probe<'free-port'> = ({ address, from, to, taken }, done) => {
  const isRange = Number.isInteger(from) && Number.isInteger(to) && from >= 1 && from <= to && to <= PORT_MAX
  if (!isRange) return done(refuse('invalid', `ports ${from} to ${to}: must be a range within 1 to ${PORT_MAX}`))
  const others = new Set(taken)

  function tryFrom(first: number): void {
    let port = first
    while (others.has(port)) port += 1
    if (port > to) return done(refuse('conflict', `no free port on ${address} from ${from} to ${to}`))
    const server = createServer()
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') return tryFrom(port + 1)
      done(refuse('invalid', `cannot listen on ${hostAndPort(address, port)}: ${error.message}`))
    })
    server.listen({ host: address, port, exclusive: true }, () => {
      server.close(() => done({ status: 'passing', output: `${hostAndPort(address, port)} is free`, port }))
    })
  }

  tryFrom(from)
}

const PORT_MAX = 65_535
