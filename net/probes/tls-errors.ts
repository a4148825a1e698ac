/** Go's words for a handshake that failed, by OpenSSL's code or, where there is none, by its text. Node's own where Go has none. */
export function tlsErrorText({ code = '', message }: { code?: string | undefined; message: string }): string {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || message.startsWith(WRONG_NAME)) return `x509: ${message}`
  if (/wrong version number|packet length too long/.test(message)) return 'tls: first record does not look like a TLS handshake'
  if (code === 'ECONNRESET') return 'EOF'
  const known = Object.entries(TEXTS).find(([codes, [said]]) => codes.split(' ').includes(code) || message.startsWith(said))
  return known ? known[1][1] : message
}

const WRONG_NAME = "Hostname/IP does not match certificate's altnames"

/** By codes: how OpenSSL's text begins, and Go's. */
const UNKNOWN_AUTHORITY = 'x509: certificate signed by unknown authority'
const TEXTS: Readonly<Record<string, readonly [string, string]>> = {
  'DEPTH_ZERO_SELF_SIGNED_CERT SELF_SIGNED_CERT_IN_CHAIN': ['self-signed certificate', UNKNOWN_AUTHORITY],
  'UNABLE_TO_GET_ISSUER_CERT UNABLE_TO_GET_ISSUER_CERT_LOCALLY': ['unable to get', UNKNOWN_AUTHORITY],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['unable to verify', UNKNOWN_AUTHORITY],
  'CERT_HAS_EXPIRED CERT_NOT_YET_VALID': ['certificate ', 'x509: certificate has expired or is not yet valid'],
}
