import type { HttpSettings } from './http-settings.ts'

/** Why a request got no answer, in Go's words: `Get "http://127.0.0.1:8500/v1/x": dial tcp 127.0.0.1:8500: connect: connection refused`. */
export function networkProblem(settings: HttpSettings, method: string, target: string, error: unknown): string {
  const verb = method.charAt(0) + method.slice(1).toLowerCase()
  const authority = settings.socketPath === '' ? settings.authority : encodeURIComponent(settings.socketPath)
  return `${verb} "${settings.scheme}://${authority}${target}": ${reason(settings, error)}`
}

function reason(settings: HttpSettings, error: unknown): string {
  const { code, message, address, port, causes } = factsOf(error)
  const first = causes[0]
  if (code !== '' && first !== undefined) return reason(settings, first)
  const unix = settings.socketPath !== ''
  const peer = unix ? `unix ${settings.socketPath}` : `tcp ${peerAddress(address ?? settings.host, port ?? settings.port)}`
  const connecting = CONNECTING[code]
  if (connecting !== undefined) return `dial ${peer}: ${connecting}`
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `dial tcp: lookup ${settings.host}: no such host`
  if (code === 'ECONNRESET') return /hang up/.test(message) ? 'EOF' : `read ${peer}: connection reset by peer`
  if (code === 'EPIPE') return `write ${peer}: broken pipe`
  if (code === 'ABORT_ERR') return 'context canceled'
  if (code === 'EPROTO') return 'http: server gave HTTP response to HTTPS client'
  if (code === 'CERT_HAS_EXPIRED') return 'x509: certificate has expired or is not yet valid'
  if (UNKNOWN_AUTHORITY.has(code)) return 'x509: certificate signed by unknown authority'
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `x509: certificate is not valid for ${settings.tls.serverName || settings.host}`
  if (code.startsWith('HPE_')) return `net/http: HTTP/1.x transport connection broken: malformed HTTP response (${message})`
  return message
}

const CONNECTING: Record<string, string> = {
  ECONNREFUSED: 'connect: connection refused',
  ENOENT: 'connect: no such file or directory',
  EACCES: 'connect: permission denied',
  ETIMEDOUT: 'i/o timeout',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  EADDRNOTAVAIL: 'connect: cannot assign requested address',
  ENOTSOCK: 'connect: socket operation on non-socket',
}
const UNKNOWN_AUTHORITY = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
])

function factsOf(error: unknown): { code: string; message: string; address?: string; port?: number; causes: readonly unknown[] } {
  if (!(error instanceof Error)) return { code: '', message: String(error), causes: [] }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return {
    code,
    message: error.message,
    ...('address' in error && typeof error.address === 'string' ? { address: error.address } : {}),
    ...('port' in error && typeof error.port === 'number' ? { port: error.port } : {}),
    causes: error instanceof AggregateError ? error.errors : [],
  }
}

function peerAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
