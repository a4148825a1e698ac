import { type CaProvider, type CaSettings, HIDDEN } from '../../actors/ca/tables.ts'
import { keyKind } from '../authorities/built-in.ts'
import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import type { CaConfig } from './config.ts'
import { formatDuration, parseDuration } from './durations.ts'

/** Providers of certificate authorities, by the names that Consul has for them; `external` is ours. */
const PROVIDERS: readonly CaProvider[] = ['consul', 'vault', 'aws-pca', 'external']

export function isCaProvider(name: string): name is CaProvider {
  return (PROVIDERS as readonly string[]).includes(name)
}

/** `connect.ca_config` of a file: keys may be written in snake_case or as in the API. What is wrong is added to `problems`. */
export function fileCaConfig(provider: CaProvider, given: Readonly<Record<string, unknown>>, problems: string[]): CaConfig {
  const config = { ...DEFAULTS, ...Object.fromEntries(Object.entries(given).map(([key, value]) => [apiName(key), value])) }
  const read = readCaConfig(provider, config)
  problems.push(...read.problems.map((problem) => problem.replace(/^error decoding/, 'connect.ca_config: error decoding')))
  return { provider, settings: read.settings, config }
}

/**
 * What all providers have in common, from a configuration with the API's names. Unknown keys are kept and mean nothing. The texts
 * of what is wrong are Consul's, and none while `SkipValidate` is set. Source: connect §5.
 */
export function readCaConfig(
  provider: CaProvider,
  config: Readonly<Record<string, unknown>>,
): { settings: CaSettings; problems: string[] } {
  const undecoded: string[] = []
  const read = { config, problems: undecoded }
  const leafCertTtlMs = duration(read, 'LeafCertTTL', 72 * HOUR_MS)
  const intermediateCertTtlMs = duration(read, 'IntermediateCertTTL', 8760 * HOUR_MS)
  duration(read, 'RotationPeriod', 2160 * HOUR_MS)
  for (const key of ['PrivateKey', 'RootCert', 'PrivateKeyType', 'Token']) text(read, key)
  number(read, 'PrivateKeyBits', 0)
  const settings: CaSettings = {
    provider,
    leafCertTtlMs,
    // Consul's default of 50 protects authorities outside; those that sign here are limited only when asked to be.
    csrMaxPerSecond: number(read, 'CSRMaxPerSecond', SIGN_OUTSIDE.includes(provider) ? 50 : 0),
    csrMaxConcurrent: number(read, 'CSRMaxConcurrent', 0),
    forceWithoutCrossSigning: false,
    shown: shownOf(config),
  }
  if (undecoded.length > 0) return { settings, problems: undecoded }
  if (config['SkipValidate'] === true) return { settings, problems: [] }
  return { settings, problems: [...lifetimeProblems(leafCertTtlMs, intermediateCertTtlMs, provider), ...keyProblems(config)] }
}

const HOUR_MS = 3_600_000
const LEAF_MS_MIN = HOUR_MS
/** AWS makes no certificates for less. */
const AWS_LEAF_MS_MIN = 24 * HOUR_MS
const LEAF_MS_MAX = 8760 * HOUR_MS
const INTERMEDIATE_MS_MIN = 3 * HOUR_MS
const SIGN_OUTSIDE: readonly CaProvider[] = ['vault', 'aws-pca']
const DEFAULTS = { IntermediateCertTTL: '8760h', LeafCertTTL: '72h' }
const SECRET_KEYS = ['PrivateKey', 'Token']

const API_NAMES = [
  ...['LeafCertTTL', 'IntermediateCertTTL', 'RotationPeriod', 'SkipValidate', 'CSRMaxPerSecond', 'CSRMaxConcurrent'],
  ...['PrivateKeyType', 'PrivateKeyBits', 'PrivateKey', 'RootCert', 'DisableCrossSigning'],
  ...['Address', 'Token', 'RootPKIPath', 'IntermediatePKIPath', 'CAFile', 'CAPath', 'CertFile', 'KeyFile'],
  ...['TLSServerName', 'TLSSkipVerify', 'Namespace', 'ExistingARN', 'DeleteOnExit', 'RootFile'],
]

type Read = { config: Readonly<Record<string, unknown>>; problems: string[] }

function apiName(key: string): string {
  const plain = key.replaceAll('_', '').toLowerCase()
  return API_NAMES.find((name) => name.toLowerCase() === plain) ?? key
}

function shownOf(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key, SECRET_KEYS.includes(key) && value !== '' && value !== null ? HIDDEN : value]),
  )
}

function lifetimeProblems(leafMs: number, intermediateMs: number, provider: CaProvider): string[] {
  const problems: string[] = []
  const leafMsMin = provider === 'aws-pca' ? AWS_LEAF_MS_MIN : LEAF_MS_MIN
  if (leafMs < leafMsMin) problems.push(`leaf cert TTL must be greater or equal than ${formatDuration(leafMsMin)}`)
  if (leafMs > LEAF_MS_MAX) problems.push(`leaf cert TTL must be less than ${formatDuration(LEAF_MS_MAX)}`)
  if (intermediateMs < INTERMEDIATE_MS_MIN) problems.push('Intermediate Cert TTL must be greater or equal than 3h')
  if (intermediateMs < 3 * leafMs) {
    problems.push(`Intermediate Cert TTL must be greater or equal than 3 * LeafCertTTL (>=${formatDuration(3 * leafMs)}).`)
  }
  return problems
}

function keyProblems(config: Readonly<Record<string, unknown>>): string[] {
  const kind = keyKind({ ...config })
  return isRefused(kind) ? [kind.why] : []
}

function text({ config, problems }: Read, name: string): void {
  const value = config[name]
  if (value !== undefined && value !== null && typeof value !== 'string') problems.push(`error decoding '${name}': must be a text`)
}

/** A number may be written as a text, as Consul allows. */
function number({ config, problems }: Read, name: string, otherwise: number): number {
  const value = config[name] ?? otherwise
  const read = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof read === 'number' && read >= 0 && Number.isFinite(read)) return read
  problems.push(`error decoding '${name}': must be a number of at least 0`)
  return otherwise
}

function durationMs(value: unknown): Result<number> {
  if (typeof value === 'string') return parseDuration(value)
  if (typeof value === 'number' && Math.abs(value) <= NANOSECONDS_MAX) return value / 1e6
  return refuse('invalid', `time: invalid duration ${JSON.stringify(value)}`)
}

const NANOSECONDS_MAX = 2 ** 63

/** A text such as `72h`, or a number of nanoseconds. */
function duration({ config, problems }: Read, name: string, otherwiseMs: number): number {
  const value = config[name]
  if (value === undefined || value === null || value === '') return otherwiseMs
  const ms = durationMs(value)
  if (!isRefused(ms)) return ms
  problems.push(`error decoding '${name}': ${ms.why}`)
  return otherwiseMs
}
