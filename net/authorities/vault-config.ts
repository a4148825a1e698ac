import { keyKind, textIn } from '../../src/authorities/built-in.ts'
import { parseDuration } from '../../src/config/durations.ts'
import type { KeyType } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'

/** A configuration of the provider `vault`, checked for what can be checked without Vault. */
export type VaultConfig = {
  /** With a path that ends without a slash: where `/v1` begins. */
  address: URL
  token: string
  /** '' without one. */
  namespace: string
  /** Where PKI engines are mounted, without slashes around it. */
  rootPath: string
  intermediatePath: string
  leafTtlMs: number
  intermediateTtlMs: number
  key: { type: KeyType; bits: number }
  tls: VaultTls
}
/** Files are named, '' without one. */
export type VaultTls = { caFile: string; caPath: string; certFile: string; keyFile: string; serverName: string; skipVerify: boolean }

export function readVaultConfig(config: Record<string, unknown>): Result<VaultConfig> {
  const texts = textsIn(config)
  if (isRefused(texts)) return texts
  const address = addressOf(texts.Address)
  if (isRefused(address)) return address
  const { Token: token, Namespace: namespace } = texts
  if (token === '') return refuse('invalid', 'Token: must provide a Vault token')
  if (!PRINTABLE.test(token)) return refuse('invalid', 'Token: must be printable ASCII without spaces')
  if (namespace !== '' && !PRINTABLE.test(namespace)) return refuse('invalid', 'Namespace: must be printable ASCII without spaces')
  const rootPath = mountPath(texts.RootPKIPath)
  if (rootPath === undefined) return refuse('invalid', 'RootPKIPath: must provide a valid path to a root PKI backend')
  const intermediatePath = mountPath(texts.IntermediatePKIPath)
  if (intermediatePath === undefined) {
    return refuse('invalid', 'IntermediatePKIPath: must provide a valid path for the intermediate PKI backend')
  }
  if (intermediatePath === rootPath) {
    return refuse('invalid', `IntermediatePKIPath: must be another path than RootPKIPath, both are ${JSON.stringify(rootPath)}`)
  }
  const tls = tlsOf(config, texts)
  if (isRefused(tls)) return tls
  const leafTtlMs = durationIn(config, 'LeafCertTTL', LEAF_MS_DEFAULT)
  if (isRefused(leafTtlMs)) return leafTtlMs
  const intermediateTtlMs = durationIn(config, 'IntermediateCertTTL', INTERMEDIATE_MS_DEFAULT)
  if (isRefused(intermediateTtlMs)) return intermediateTtlMs
  const key = keyKind(config)
  if (isRefused(key)) return key
  return {
    address,
    token,
    namespace: namespace.replace(/^\/+|\/+$/g, ''),
    rootPath,
    intermediatePath,
    leafTtlMs,
    intermediateTtlMs,
    key,
    tls,
  }
}

const HOUR_MS = 3_600_000
const LEAF_MS_DEFAULT = 72 * HOUR_MS
const INTERMEDIATE_MS_DEFAULT = 8_760 * HOUR_MS
const PRINTABLE = /^[\u0021-\u007e]+$/
const TEXT_LENGTH_MAX = 4_096
const TEXTS = [
  ...(['Address', 'Token', 'Namespace', 'RootPKIPath', 'IntermediatePKIPath'] as const),
  ...(['CAFile', 'CAPath', 'CertFile', 'KeyFile', 'TLSServerName'] as const),
] as const
type Texts = Record<(typeof TEXTS)[number], string>

function textsIn(config: Record<string, unknown>): Result<Texts> {
  const texts: Partial<Texts> = {}
  for (const name of TEXTS) {
    const text = textIn(config, name)
    if (isRefused(text)) return name === 'Token' ? refuse('invalid', 'Token: must be a text') : text
    if (text.length > TEXT_LENGTH_MAX)
      return refuse('invalid', `${name}: must have at most ${TEXT_LENGTH_MAX} characters, has ${text.length}`)
    texts[name] = text.trim()
  }
  return texts as Texts
}

function addressOf(text: string): Result<URL> {
  const shown = JSON.stringify(text)
  if (text === '') return refuse('invalid', 'Address: must be the URL of a Vault server, such as https://vault.example.com:8200')
  const address = URL.canParse(text) ? new URL(text) : undefined
  if (!address || !['http:', 'https:'].includes(address.protocol) || address.hostname === '') {
    return refuse('invalid', `Address: must be an http or https URL, got ${shown}`)
  }
  if (address.username !== '' || address.password !== '') return refuse('invalid', 'Address: must not have a user or a password in it')
  if (address.search !== '' || address.hash !== '') return refuse('invalid', `Address: must not have a query or a fragment, got ${shown}`)
  address.pathname = address.pathname.replace(/\/+$/, '').replace(/\/v1$/, '')
  return address
}

/** Undefined for what no engine can be mounted at. */
function mountPath(text: string): string | undefined {
  const path = text.replace(/^\/+|\/+$/g, '')
  const isPath = path !== '' && PRINTABLE.test(path) && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  return isPath ? path : undefined
}

function tlsOf(config: Record<string, unknown>, texts: Texts): Result<VaultTls> {
  const skipVerify = config['TLSSkipVerify'] ?? false
  if (typeof skipVerify !== 'boolean') return refuse('invalid', `TLSSkipVerify: must be true or false, got ${JSON.stringify(skipVerify)}`)
  const { CAFile: caFile, CAPath: caPath, CertFile: certFile, KeyFile: keyFile, TLSServerName: serverName } = texts
  if ((certFile === '') !== (keyFile === '')) {
    return refuse('invalid', certFile === '' ? 'CertFile: must be given with KeyFile' : 'KeyFile: must be given with CertFile')
  }
  return { caFile, caPath, certFile, keyFile, serverName, skipVerify }
}

/** As text (`72h`) or in nanoseconds. */
function durationIn(config: Record<string, unknown>, name: string, otherwiseMs: number): Result<number> {
  const value = config[name] ?? ''
  if (value === '') return otherwiseMs
  if (typeof value === 'number' && value > 0) return value / 1e6
  const ms = typeof value === 'string' ? parseDuration(value) : refuse('invalid', `must be a duration, got ${JSON.stringify(value)}`)
  if (isRefused(ms)) return refuse('invalid', `${name}: ${ms.why}`)
  return ms > 0 ? ms : refuse('invalid', `${name}: must be more than 0, got ${JSON.stringify(value)}`)
}
