import { isIPv6, type Server } from 'node:net'
import type { UnixSocketsConfig } from '../../src/config/config.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { dropStaleSocket } from '../stale-socket.ts'
import { own } from './ownership.ts'

/**
 * Opens a listener on an IP address and port, or on `unix:///path`, which then belongs to whom `sockets` says. The answer says where;
 * a refusal names place and option.
 */
export async function listenOn(
  server: Server,
  address: string,
  port: number,
  reusePort: boolean,
  option: string,
  sockets?: UnixSocketsConfig,
): Promise<Result<string>> {
  const path = address.startsWith('unix://') ? address.slice('unix://'.length) : undefined
  if (path !== undefined) await dropStaleSocket(path)
  const place = path ?? `${isIPv6(address) ? `[${address}]` : address}:${port}`
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) =>
      resolve(refuse('conflict', `listen ${place}: ${reasonOf(error)}; set another with ${option}`))
    server.once('error', failed)
    const listening = () => {
      server.off('error', failed)
      const owned = path === undefined || sockets === undefined ? null : own(path, sockets)
      if (isRefused(owned)) resolve(refuse(owned.refused, `listen ${place}: ${owned.why}; set another with unix_sockets`))
      else resolve(path === undefined ? place : `unix://${path}`)
    }
    if (path !== undefined) server.listen(path, listening)
    else server.listen({ host: address, port, reusePort, backlog: 4_096 }, listening)
  })
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return 'the address is already in use'
  if (error.code === 'EACCES') return 'permission denied'
  if (error.code === 'EADDRNOTAVAIL') return 'this machine has no such address'
  return error.message
}
