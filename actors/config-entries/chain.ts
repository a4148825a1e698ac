import type { View } from '../../src/kernel/tables.ts'
import { indexOf } from '../command.ts'
import { proxyDefaults, serviceDefaults } from './queries.ts'
import { DEFAULTS_INDEX } from './tables.ts'

/** How connections to a service find its instances: itself, in one datacenter, because no entries route or split them. */
export type Chain = {
  service: string
  datacenter: string
  /** `tcp`, `http`, `http2`, `grpc`, or whatever else an entry says. */
  protocol: string
  connectTimeoutMs: number
  /** What TLS clients name instead of the service's own name; '' for that. */
  externalSni: string
  /** What was asked for and is not so without: parts of a chain's name that tell it from the plain one. Empty for the plain one. */
  customized: { protocol?: string; connectTimeoutMs?: number }
}

/** What whoever asks wants to be otherwise: '' and 0 for nothing. */
export type ChainOverrides = { protocol: string; connectTimeoutMs: number }

export const CONNECT_TIMEOUT_MS = 5_000

/** The chain of a service, which need not exist. Source: connect §11. */
export function chainOf(view: View, service: string, datacenter: string, overrides: ChainOverrides): { index: number; chain: Chain } {
  const own = serviceDefaults(view, service)?.content
  const global = proxyDefaults(view)?.content.Config?.['protocol']
  const protocol = own?.Protocol || (typeof global === 'string' && global !== '' ? global.toLowerCase() : 'tcp')
  const wanted = {
    protocol: overrides.protocol || protocol,
    connectTimeoutMs: overrides.connectTimeoutMs > 0 ? overrides.connectTimeoutMs : CONNECT_TIMEOUT_MS,
  }
  const customized = {
    ...(wanted.protocol !== protocol && { protocol: wanted.protocol }),
    ...(wanted.connectTimeoutMs !== CONNECT_TIMEOUT_MS && { connectTimeoutMs: wanted.connectTimeoutMs }),
  }
  return {
    index: indexOf(view, DEFAULTS_INDEX),
    chain: { service, datacenter, ...wanted, externalSni: own?.ExternalSNI ?? '', customized },
  }
}
