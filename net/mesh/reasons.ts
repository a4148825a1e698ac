/** Errors of sockets and TLS in plain words. */

/** The fields of an error of node:net or node:tls that say what went wrong. */
export type Failure = { readonly code?: string | undefined; readonly message: string }

export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { message: String(error) }
  return { code: 'code' in error && typeof error.code === 'string' ? error.code : undefined, message: error.message }
}

/** Why a handshake did not work out, as told by the side that saw `failure`. */
export function handshakeReason(failure: Failure): string {
  const { code = '', message } = failure
  return CHAIN_REASONS[code] ?? HANDSHAKE_REASONS[code] ?? alertReason(code) ?? `TLS handshake failed: ${code === '' ? message : code}`
}

/** Why a dial did not work out. `target` is `tcp host:port` or `unix path`. */
export function dialReason(target: string, failure: Failure): string {
  const system = SYSTEM_REASONS[failure.code ?? '']
  if (failure.code === 'ENOTFOUND' || failure.code === 'EAI_AGAIN') return `dial ${target}: no such host`
  if (system !== undefined) return `dial ${target}: connect: ${system}`
  return `dial ${target}: ${handshakeReason(failure)}`
}

/** What the system says about a socket call, in the words of its own error list. */
export function systemReason(failure: Failure): string {
  return SYSTEM_REASONS[failure.code ?? ''] ?? failure.message
}

const SYSTEM_REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EAFNOSUPPORT: 'address family not supported by protocol',
  ECONNABORTED: 'software caused connection abort',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  EHOSTUNREACH: 'no route to host',
  EINVAL: 'invalid argument',
  EMFILE: 'too many open files',
  ENETUNREACH: 'network is unreachable',
  ENFILE: 'too many open files in system',
  ENOENT: 'no such file or directory',
  ENOTSOCK: 'socket operation on non-socket',
  EPERM: 'operation not permitted',
  EPIPE: 'broken pipe',
  ETIMEDOUT: 'connection timed out',
}

/** Verdicts on the other end's certificate chain. */
const CHAIN_REASONS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet',
  CERT_REJECTED: 'the certificate was rejected',
  CERT_SIGNATURE_FAILURE: "the certificate's signature does not hold",
  CERT_UNTRUSTED: 'the certificate is not trusted for this purpose',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is signed by an unknown CA (by itself)',
  INVALID_CA: 'a certificate in the chain is not a CA',
  INVALID_PURPOSE: 'the certificate is not meant for this purpose',
  PATH_LENGTH_EXCEEDED: 'the certificate chain is longer than its CA allows',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate is signed by an unknown CA',
  UNABLE_TO_GET_ISSUER_CERT: 'the certificate is signed by an unknown CA',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate is signed by an unknown CA',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate is signed by an unknown CA',
  UNSPECIFIED: 'a certificate in the chain has too weak a key, or signed another one without being a CA',
}

const HANDSHAKE_REASONS: Readonly<Record<string, string>> = {
  ECONNRESET: 'the connection was closed during the TLS handshake',
  EPIPE: 'the connection was closed during the TLS handshake',
  ERR_SSL_BAD_RECORD_TYPE: 'not a TLS handshake',
  ERR_SSL_HTTPS_PROXY_REQUEST: 'not a TLS handshake: this is plain HTTP',
  ERR_SSL_HTTP_REQUEST: 'not a TLS handshake: this is plain HTTP',
  ERR_SSL_NO_SHARED_CIPHER: 'no cipher in common',
  ERR_SSL_NO_SHARED_GROUP: 'no curve in common',
  ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS: 'no signature algorithm in common',
  ERR_SSL_NO_SUITABLE_GROUPS: 'no curve in common',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'not a TLS handshake',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'no client certificate was shown',
  ERR_SSL_UNEXPECTED_EOF_WHILE_READING: 'the connection was closed during the TLS handshake',
  ERR_SSL_UNEXPECTED_MESSAGE: 'not a proper TLS handshake',
  ERR_SSL_UNKNOWN_PROTOCOL: 'not a TLS handshake',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'the TLS version is older than 1.2',
  ERR_SSL_VERSION_TOO_LOW: 'the TLS version is older than 1.2',
  ERR_SSL_WRONG_CURVE: 'a key on a curve that is not supported',
  ERR_SSL_WRONG_VERSION_NUMBER: 'not a TLS handshake',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'the TLS handshake took too long',
}

/** The other end's own refusal: ERR_SSL_TLSV1_ALERT_UNKNOWN_CA → 'the other end refused the handshake: unknown ca'. */
function alertReason(code: string): string | undefined {
  const alert = /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13|SSL\/TLS)_ALERT_(.+)$/.exec(code)?.[1]
  return alert === undefined ? undefined : `the other end refused the handshake: ${alert.toLowerCase().replaceAll('_', ' ')}`
}
