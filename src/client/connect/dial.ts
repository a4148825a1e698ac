import { isIP } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { shuffled } from '../../kernel/shuffled.ts'
import { DialError, isPassing } from '../errors.ts'
import type { Transport } from '../transport.ts'
import type { Material } from './identity.ts'
import { calledFault, calledPeer, dialFault, type Peer, serverNameOf } from './peer.ts'
import { type Instance, readOf, type Target, textOfTarget } from './target.ts'

export type DialOptions = {
  /** How long all tries together may take. Default: 10 s. */
  withinMs?: number
  /** How long one instance may take to finish its handshake, before the next is tried. Default: 5 s. */
  attemptMs?: number
  /** Proposed to the other side, such as `h2`. Default: none. */
  alpnProtocols?: readonly string[]
  /** Gives up with the signal's reason. */
  signal?: AbortSignal
}

const WITHIN_MS = 10_000
const ATTEMPT_MS = 5_000
/** So much of the time may go by until the agent says where instances are. */
const ASKING_PART = 2
const KEEP_ALIVE_MS = 15_000
const KNOWN_MAX = 256

export type Dialer = (target: Target, options?: DialOptions) => Promise<{ socket: TLSSocket; peer: Peer }>

/**
 * Dials healthy instances in random order until one finishes its handshake as who it should be. Rejects with a DialError that has all
 * tries. When the agent does not answer, the instances it named last are tried.
 */
export function createDialer(transport: Transport, material: () => Material): Dialer {
  const known = new Map<string, Instance[]>()
  const find = async (target: Target, timeoutMs: number, signal?: AbortSignal): Promise<Instance[]> => {
    const { read, datacenter } = readOf(target)
    const key = JSON.stringify(target)
    try {
      const { path, query = {} } = read
      const instances = read.value(await transport.request('GET', path, { query, datacenter, signal, timeoutMs }))
      remember(known, key, instances)
      return instances
    } catch (error) {
      const before = known.get(key)
      if (signal?.aborted || !isPassing(error) || before === undefined) throw error
      return before
    }
  }
  return async (target, { withinMs = WITHIN_MS, attemptMs = ATTEMPT_MS, alpnProtocols, signal } = {}) => {
    signal?.throwIfAborted()
    const deadlineMs = performance.now() + withinMs
    const instances = shuffled(await find(target, withinMs / ASKING_PART, signal), Math.random)
    const tries: string[] = []
    for (const instance of instances) {
      const leftMs = deadlineMs - performance.now()
      if (leftMs <= 0) break
      try {
        return await attempt(instance, material(), { limitMs: Math.min(attemptMs, leftMs), alpnProtocols, signal })
      } catch (error) {
        if (signal?.aborted) throw signal.reason
        tries.push(dialFault(addressOf(instance), error))
      }
    }
    throw new DialError(failure(textOfTarget(target), instances.length, tries), tries)
  }
}

function attempt(
  instance: Instance,
  { context, trustDomain }: Material,
  { limitMs, alpnProtocols, signal }: { limitMs: number; alpnProtocols: readonly string[] | undefined; signal: AbortSignal | undefined },
): Promise<{ socket: TLSSocket; peer: Peer }> {
  const expected = { ...instance, trustDomain }
  const servername = serverNameOf(expected)
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host: instance.host,
      port: instance.port,
      secureContext: context,
      rejectUnauthorized: true,
      ...(servername !== undefined && { servername }),
      ...(alpnProtocols && { ALPNProtocols: [...alpnProtocols] }),
      checkServerIdentity(_host, certificate) {
        const fault = calledFault(certificate, expected)
        return fault === undefined ? undefined : new Error(fault)
      },
    })
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
      socket.off('error', fail)
      socket.off('close', closed)
    }
    const fail = (error: unknown) => {
      end()
      socket.on('error', () => undefined)
      socket.destroy()
      reject(error)
    }
    const stop = () => fail(signal?.reason)
    const closed = () => fail(new Error('the connection was closed during the TLS handshake'))
    const timer = setTimeout(() => fail(Object.assign(new Error('too late'), { code: 'ETIMEDOUT' })), limitMs)
    signal?.addEventListener('abort', stop)
    socket.on('error', fail)
    socket.on('close', closed)
    socket.once('secureConnect', () => {
      end()
      socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS)
      resolve({ socket, peer: calledPeer(socket, expected) })
    })
  })
}

/** The oldest is forgotten when there are too many. */
function remember(known: Map<string, Instance[]>, key: string, instances: Instance[]): void {
  known.delete(key)
  known.set(key, instances)
  const oldest = known.keys().next()
  if (known.size > KNOWN_MAX && !oldest.done) known.delete(oldest.value)
}

function failure(target: string, count: number, tries: readonly string[]): string {
  if (count === 0) return `dial ${target}: no healthy instance`
  const which = tries.length < count ? `${tries.length} of ${count} instances were tried` : `none of ${count} instances could be reached`
  return `dial ${target}: ${which}: ${tries.join('; ')}`
}

function addressOf({ host, port }: Instance): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`
}
