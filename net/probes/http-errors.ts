import { dialErrorText, hostAndPort } from './dial-errors.ts'

/** Go's words for a request that got no answer. Node's own where Go has none of its own. */
export function httpErrorText(error: Error, url: URL): string {
  const { code = '', syscall, message } = error as NodeJS.ErrnoException
  const address = hostAndPort(url.hostname.replace(/^\[|\]$/g, ''), url.port || (url.protocol === 'https:' ? 443 : 80))
  if (error instanceof AggregateError || syscall === 'connect' || syscall === 'getaddrinfo') return dialErrorText(error, address)
  if (code === 'ECONNRESET') return message === 'socket hang up' ? 'EOF' : 'read: connection reset by peer'
  if (code === 'EPROTO' && /wrong version number|packet length too long/.test(message))
    return 'http: server gave HTTP response to HTTPS client'
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `x509: ${message}`
  if (code.startsWith('HPE_')) return `net/http: HTTP/1.x transport connection broken: malformed HTTP response: ${message}`
  return TLS_TEXTS[code] ?? message
}

const UNKNOWN_AUTHORITY = 'x509: certificate signed by unknown authority'
const TLS_TEXTS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  CERT_HAS_EXPIRED: 'x509: certificate has expired or is not yet valid',
  CERT_NOT_YET_VALID: 'x509: certificate has expired or is not yet valid',
}
