/**
 * Go's words for a connection that could not be made, such as `dial tcp 127.0.0.1:9: connect: connection refused`. When several
 * addresses of a name were tried, the first failure counts. `address` is used where the error does not say which it was.
 */
export function dialErrorText(error: unknown, address: string): string {
  const first = error instanceof AggregateError ? error.errors[0] : error
  const {
    code = '',
    message = String(first),
    ...where
  } = first as NodeJS.ErrnoException & { address?: string; port?: number; hostname?: string }
  if (where.syscall === 'getaddrinfo') return `dial tcp: lookup ${where.hostname ?? address}: ${LOOKUP_TEXTS[code] ?? message}`
  const tried = where.address !== undefined && where.port !== undefined ? hostAndPort(where.address, where.port) : address
  return `dial tcp ${tried}: ${dialProblem({ code, message })}`
}

/** What the system said to it, such as `connect: connection refused`. */
export function dialProblem({ code = '', message }: { code?: string | undefined; message: string }): string {
  return DIAL_TEXTS[code] ?? message
}

/** `127.0.0.1:80`, `[::1]:80` */
export function hostAndPort(host: string, port: number | string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

const DIAL_TEXTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  ECONNRESET: 'connect: connection reset by peer',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  EADDRNOTAVAIL: 'connect: cannot assign requested address',
  ENOENT: 'connect: no such file or directory',
  EACCES: 'connect: permission denied',
  EINVAL: 'connect: invalid argument',
  EMFILE: 'socket: too many open files',
  ETIMEDOUT: 'i/o timeout',
}

const LOOKUP_TEXTS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'Temporary failure in name resolution',
}
