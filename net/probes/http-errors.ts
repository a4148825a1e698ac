import { dialErrorText, hostAndPort } from './dial-errors.ts'
import { tlsErrorText } from './tls-errors.ts'

/** Go's words for a request that got no answer. Node's own where Go has none of its own. */
export function httpErrorText(error: Error, url: URL): string {
  const { code = '', syscall, message } = error as NodeJS.ErrnoException
  const address = hostAndPort(url.hostname.replace(/^\[|\]$/g, ''), url.port || (url.protocol === 'https:' ? 443 : 80))
  if (error instanceof AggregateError || syscall === 'connect' || syscall === 'getaddrinfo') return dialErrorText(error, address)
  if (code === 'ECONNRESET') return message === 'socket hang up' ? 'EOF' : 'read: connection reset by peer'
  if (code === 'EPROTO' && /wrong version number|packet length too long/.test(message))
    return 'http: server gave HTTP response to HTTPS client'
  if (code.startsWith('HPE_')) return `net/http: HTTP/1.x transport connection broken: malformed HTTP response: ${message}`
  return tlsErrorText({ code, message })
}
