import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import type { FlagsOf, FlagTable } from './command.ts'
import type { Io } from './io.ts'

/** How to reach the agent and what every request says, from flags and environment variables. */
export type HttpSettings = {
  readonly scheme: 'http' | 'https'
  /** Host and port as in a URL: `127.0.0.1:8500`; the path of a UNIX socket. */
  readonly authority: string
  /** A name or IP address, without brackets. */
  readonly host: string
  readonly port: number
  /** Path of the UNIX socket to use instead of host and port; '' for none. */
  readonly socketPath: string
  /** '' for none. */
  readonly token: string
  /** `user:password`; '' for none. */
  readonly basicAuth: string
  readonly tls: TlsSettings
  /** '' for the agent's own. */
  readonly datacenter: string
  readonly stale: boolean
  readonly namespace: string
}

export type TlsSettings = {
  /** PEM. Empty: the machine's own authorities. */
  readonly authorities: readonly string[]
  /** PEM, together with `clientKey`; '' for none. */
  readonly clientCert: string
  readonly clientKey: string
  /** Name that the certificate must have instead of the host's; '' for none. */
  readonly serverName: string
  readonly verify: boolean
}

/** Flags of every command that talks to an agent. */
export const clientFlags = {
  'http-addr': {
    kind: 'string',
    value: 'address',
    about:
      "Address of the agent's HTTP API: an IP address or name with a port, with http://, https:// or unix:// before it if need be. Without it CONSUL_HTTP_ADDR counts, and then 127.0.0.1:8500. CONSUL_HTTP_SSL=true asks for HTTPS.",
  },
  token: {
    kind: 'string',
    value: 'value',
    about: "ACL token for the request. Without it CONSUL_HTTP_TOKEN counts, and then the agent's own token.",
  },
  'token-file': {
    kind: 'string',
    value: 'value',
    about:
      'File that holds the ACL token, so that it shows neither in the process list nor in the environment. Also CONSUL_HTTP_TOKEN_FILE.',
  },
  'ca-file': {
    kind: 'string',
    value: 'value',
    about: "File with the certificate (PEM) of the authority that signed the agent's HTTPS certificate. Also CONSUL_CACERT.",
  },
  'ca-path': { kind: 'string', value: 'value', about: 'Folder with certificates (PEM) of such authorities. Also CONSUL_CAPATH.' },
  'client-cert': {
    kind: 'string',
    value: 'value',
    about: 'File with the certificate (PEM) to show to an agent that asks for one, together with -client-key. Also CONSUL_CLIENT_CERT.',
  },
  'client-key': {
    kind: 'string',
    value: 'value',
    about: 'File with the private key (PEM) of the certificate in -client-cert. Also CONSUL_CLIENT_KEY.',
  },
  'tls-server-name': {
    kind: 'string',
    value: 'value',
    about: "Name that the agent's certificate must have, if it is not the host of the address. Also CONSUL_TLS_SERVER_NAME.",
  },
} as const satisfies FlagTable

/** Flags of commands whose answer comes from the servers. */
export const serverFlags = {
  ...clientFlags,
  datacenter: { kind: 'string', value: 'value', about: "Datacenter to ask. Without it, the agent's own." },
  stale: {
    kind: 'boolean',
    about: 'Let any server answer, not only the leader: quicker, spreads the load, and works without a leader, but may be a little old.',
  },
} as const satisfies FlagTable

export const namespaceFlags = {
  namespace: {
    kind: 'string',
    value: 'value',
    about: 'Namespace of the request. Also CONSUL_NAMESPACE. Agents without namespaces refuse any but the empty one.',
  },
} as const satisfies FlagTable

export type HttpFlags = FlagsOf<typeof serverFlags & typeof namespaceFlags>

/** Flags first, then the environment. Refuses with the reason, which names the variable or flag. */
export function httpSettings(flags: HttpFlags, env: Io['env'], readFile = readText): Result<HttpSettings> {
  const wantsTls = environmentBoolean(env, 'CONSUL_HTTP_SSL', false)
  const verify = environmentBoolean(env, 'CONSUL_HTTP_SSL_VERIFY', true)
  if (isRefused(wantsTls)) return wantsTls
  if (isRefused(verify)) return verify
  const address = parseAddress(flags['http-addr'] ?? (env['CONSUL_HTTP_ADDR'] || '127.0.0.1:8500'), wantsTls)
  if (isRefused(address)) return address
  const token = tokenOf(flags, env, readFile)
  if (isRefused(token)) return token
  // Files that are named must be there, even where TLS is not used: so a wrong name shows before it matters.
  const tls = tlsSettings(flags, env, verify, readFile)
  if (isRefused(tls)) return tls
  return {
    ...address,
    token: token.value,
    basicAuth: env['CONSUL_HTTP_AUTH'] ?? '',
    tls,
    datacenter: flags.datacenter ?? '',
    stale: flags.stale ?? false,
    namespace: flags.namespace ?? env['CONSUL_NAMESPACE'] ?? '',
  }
}

type Address = Pick<HttpSettings, 'scheme' | 'authority' | 'host' | 'port' | 'socketPath'>

function parseAddress(text: string, wantsTls: boolean): Result<Address> {
  const [, protocol, rest = ''] = /^(?:([^:/]*):\/\/)?(.*)$/s.exec(text) ?? []
  if (protocol === 'unix') return { scheme: 'http', authority: rest, host: '', port: 0, socketPath: rest }
  if (protocol !== undefined && protocol !== 'http' && protocol !== 'https')
    return refuse('invalid', `Unknown protocol scheme: ${protocol}`)
  const scheme = protocol === 'https' || wantsTls ? 'https' : 'http'
  const authority = rest.replace(/\/+$/, '')
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:/[\]]*))(?::(\d+))?$/.exec(authority) ?? []
  const host = bracketed ?? plain
  const portNumber = port === undefined ? (scheme === 'https' ? 443 : 80) : Number(port)
  if (host === undefined || portNumber > 65_535) return refuse('invalid', `bad HTTP address ${JSON.stringify(text)}: must be host:port`)
  return { scheme, authority, host: host === '' ? '127.0.0.1' : host, port: portNumber, socketPath: '' }
}

/** The flag, then what the file says, then the variable. Wrapped, so that no token is taken for a refusal. */
function tokenOf(flags: HttpFlags, env: Io['env'], readFile: typeof readText): Result<{ value: string }> {
  if (flags.token !== undefined) return { value: flags.token }
  const fromEnvironment = env['CONSUL_HTTP_TOKEN'] ?? ''
  const path = flags['token-file'] ?? env['CONSUL_HTTP_TOKEN_FILE'] ?? ''
  if (path === '') return { value: fromEnvironment }
  const text = readFile(path)
  if (isRefused(text)) return refuse('invalid', `Error loading token file: ${text.why}`)
  return { value: text.value.trim() || fromEnvironment }
}

function tlsSettings(flags: HttpFlags, env: Io['env'], verify: boolean, readFile: typeof readText): Result<TlsSettings> {
  const authorityFile = flags['ca-file'] ?? env['CONSUL_CACERT'] ?? ''
  const authorityPath = flags['ca-path'] ?? env['CONSUL_CAPATH'] ?? ''
  const certFile = flags['client-cert'] ?? env['CONSUL_CLIENT_CERT'] ?? ''
  const keyFile = flags['client-key'] ?? env['CONSUL_CLIENT_KEY'] ?? ''
  if ((certFile === '') !== (keyFile === '')) {
    return refuse('invalid', 'a client certificate needs both -client-cert and -client-key (CONSUL_CLIENT_CERT, CONSUL_CLIENT_KEY)')
  }
  const files =
    authorityFile === '' && authorityPath !== '' ? filesIn(authorityPath) : { value: authorityFile === '' ? [] : [authorityFile] }
  if (isRefused(files)) return refuse('invalid', `Error loading CA path: ${files.why}`)
  const authorities: string[] = []
  for (const file of files.value) {
    const text = readFile(file)
    if (isRefused(text)) return refuse('invalid', `Error loading CA file: ${text.why}`)
    authorities.push(text.value)
  }
  const clientCert = certFile === '' ? { value: '' } : readFile(certFile)
  if (isRefused(clientCert)) return refuse('invalid', `Error loading client certificate: ${clientCert.why}`)
  const clientKey = keyFile === '' ? { value: '' } : readFile(keyFile)
  if (isRefused(clientKey)) return refuse('invalid', `Error loading client key: ${clientKey.why}`)
  return {
    authorities,
    clientCert: clientCert.value,
    clientKey: clientKey.value,
    serverName: flags['tls-server-name'] ?? env['CONSUL_TLS_SERVER_NAME'] ?? '',
    verify,
  }
}

function environmentBoolean(env: Io['env'], name: string, otherwise: boolean): Result<boolean> {
  const text = env[name] ?? ''
  if (text === '') return otherwise
  if (/^(1|t|true)$/i.test(text)) return true
  if (/^(0|f|false)$/i.test(text)) return false
  return refuse('invalid', `could not parse ${name}: ${JSON.stringify(text)} is neither true nor false`)
}

/** The text of a file, or what is wrong with it. */
export function readText(path: string): Result<{ value: string }> {
  try {
    return { value: readFileSync(path, 'utf8') }
  } catch (error) {
    return refuse('invalid', fileProblem(path, error))
  }
}

function filesIn(folder: string): Result<{ value: string[] }> {
  try {
    return {
      value: readdirSync(folder)
        .sort()
        .map((name) => join(folder, name)),
    }
  } catch (error) {
    return refuse('invalid', fileProblem(folder, error))
  }
}

/** Why a file cannot be read, in Go's words: `open x.json: no such file or directory`. */
export function fileProblem(path: string, error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
  return code === 'EISDIR' ? `read ${path}: is a directory` : `open ${path}: ${FILE_PROBLEMS[code] ?? String(error)}`
}

const FILE_PROBLEMS: Record<string, string> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  ENOTDIR: 'not a directory',
  EMFILE: 'too many open files',
}
