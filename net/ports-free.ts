import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import type { Config, PoolConfig } from '../src/config/config.ts'
import { isRefused, type Refusal, refuse } from '../src/kernel/refusal.ts'
import { listenOn } from './http/listen.ts'

const HTTP_OPTION = 'ports.http (-http-port)'
const DNS_OPTION = 'ports.dns (-dns-port)'
const GOSSIP_OPTION = 'ports.serf_lan (-serf-lan-port)'
const WAN_OPTION = 'ports.serf_wan (-serf-wan-port)'

/**
 * Refused if somebody else has one of the agent's ports. Threads that share a port would not notice: the system lets every
 * process of the same user share it with them.
 */
export async function portsFree({ ports, addresses }: Config): Promise<Refusal | undefined> {
  for (const address of ports.http > 0 ? addresses.http : []) {
    const taken = address.startsWith('unix://') ? undefined : await tcpTaken(address, ports.http, HTTP_OPTION)
    if (taken) return taken
  }
  for (const address of ports.dns > 0 ? addresses.dns : []) {
    const taken = (await tcpTaken(address, ports.dns, DNS_OPTION)) ?? (await udpTaken(address, ports.dns))
    if (taken) return taken
  }
  return undefined
}

/** Refused if somebody else has a port on which this agent would gossip: it would be alone and not know. */
export async function gossipPortFree({ gossip }: Config): Promise<Refusal | undefined> {
  return (await poolPortFree(gossip, 'LAN', GOSSIP_OPTION)) ?? (await poolPortFree(gossip?.wan, 'WAN', WAN_OPTION))
}

async function poolPortFree(pool: PoolConfig | undefined, name: 'LAN' | 'WAN', option: string): Promise<Refusal | undefined> {
  if (pool === undefined || pool.bind.port === 0) return undefined
  const taken = await tcpTaken(pool.bind.host, pool.bind.port, option)
  return taken && refuse(taken.refused, `Failed to start ${name} Serf: ${taken.why}`)
}

async function tcpTaken(address: string, port: number, option: string): Promise<Refusal | undefined> {
  const server = createServer()
  const listening = await listenOn(server, address, port, false, option)
  if (isRefused(listening)) return listening
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return undefined
}

function udpTaken(address: string, port: number): Promise<Refusal | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4' })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close()
      const reason = error.code === 'EADDRINUSE' ? 'the address is already in use' : error.message
      resolve(refuse('conflict', `listen udp ${address}:${port}: ${reason}; set another with ${DNS_OPTION}`))
    })
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(undefined)))
  })
}
