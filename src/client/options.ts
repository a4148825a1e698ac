import { type HttpFlags, httpSettings } from '../cli/http-settings.ts'
import { isRefused } from '../kernel/refusal.ts'
import { ClientError } from './errors.ts'
import { createTransport, type Transport } from './transport.ts'

/** What is not given here comes from the environment, as with Consul's own clients, and then from their defaults. */
export type ClientOptions = {
  /** `host:port`, with `http://` or `https://` before it if need be, or `unix:///path`. CONSUL_HTTP_ADDR, then 127.0.0.1:8500. */
  address?: string
  /** CONSUL_HTTP_TOKEN, or what the file in CONSUL_HTTP_TOKEN_FILE holds. */
  token?: string
  /** Where questions go that do not say. Default: the agent's own. */
  datacenter?: string
  /** Let any server answer, not only the leader, where a question does not say. */
  stale?: boolean
  /** Paths of PEM files: CONSUL_CACERT, CONSUL_CAPATH, CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY. */
  caFile?: string
  caPath?: string
  certFile?: string
  keyFile?: string
  /** CONSUL_TLS_SERVER_NAME. */
  tlsServerName?: string
  /** How long an answer may take, besides what it is asked to wait. Default: 30 s. */
  timeoutMs?: number
  /** Default: that of this process. */
  env?: Readonly<Record<string, string | undefined>>
}

const TIMEOUT_MS = 30_000

/** Throws a ClientError if the options or the environment make no sense. */
export function transportOf(options: ClientOptions): Transport {
  const settings = httpSettings(flagsOf(options), options.env ?? process.env)
  if (isRefused(settings)) throw new ClientError(settings.why)
  return createTransport(settings, options.timeoutMs ?? TIMEOUT_MS)
}

function flagsOf({ address, token, datacenter, stale, caFile, caPath, certFile, keyFile, tlsServerName }: ClientOptions): HttpFlags {
  return {
    ...(address !== undefined && { 'http-addr': address }),
    ...(token !== undefined && { token }),
    ...(datacenter !== undefined && { datacenter }),
    ...(stale !== undefined && { stale }),
    ...(caFile !== undefined && { 'ca-file': caFile }),
    ...(caPath !== undefined && { 'ca-path': caPath }),
    ...(certFile !== undefined && { 'client-cert': certFile }),
    ...(keyFile !== undefined && { 'client-key': keyFile }),
    ...(tlsServerName !== undefined && { 'tls-server-name': tlsServerName }),
  }
}
