import { isRefused } from '../kernel/refusal.ts'
import type { CaConfig } from './config.ts'
import { formatDuration, parseDuration } from './durations.ts'

/**
 * The built-in CA's settings from `connect.ca_config`, whose keys may be written in snake_case or as in the API. Unknown keys are
 * kept and mean nothing. What is wrong is added to `problems`. Source: connect §5.
 */
export function caConfigOf(given: Readonly<Record<string, unknown>>, problems: string[]): CaConfig {
  const opaque = Object.fromEntries(Object.entries(given).map(([key, value]) => [apiName(key), value]))
  const read = { opaque, problems }
  const leafCertTtlMs = duration(read, 'LeafCertTTL', 72 * HOUR_MS)
  const intermediateCertTtlMs = duration(read, 'IntermediateCertTTL', 8760 * HOUR_MS)
  const privateKeyType = text(read, 'PrivateKeyType', 'ec')
  const privateKeyBits = number(read, 'PrivateKeyBits', privateKeyType === 'rsa' ? 2048 : 256)
  const privateKey = text(read, 'PrivateKey', '')
  const rootCert = text(read, 'RootCert', '')
  if (leafCertTtlMs < LEAF_MS_MIN) problems.push(`leaf cert TTL must be greater or equal than ${formatDuration(LEAF_MS_MIN)}`)
  if (leafCertTtlMs > LEAF_MS_MAX) problems.push(`leaf cert TTL must be less than ${formatDuration(LEAF_MS_MAX)}`)
  if (intermediateCertTtlMs < 3 * HOUR_MS) problems.push('Intermediate Cert TTL must be greater or equal than 3h')
  if (intermediateCertTtlMs < 3 * leafCertTtlMs) {
    problems.push(`Intermediate Cert TTL must be greater or equal than 3 * LeafCertTTL (>=${formatDuration(3 * leafCertTtlMs)}).`)
  }
  if (privateKeyType !== 'ec' && privateKeyType !== 'rsa') problems.push("private key type must be either 'ec' or 'rsa'")
  else if (!KEY_BITS[privateKeyType].includes(privateKeyBits)) {
    problems.push(`${privateKeyType.toUpperCase()} key length must be one of (${KEY_BITS[privateKeyType].join(', ')}) bits`)
  }
  if ((privateKey === '') !== (rootCert === '')) problems.push('connect.ca_config: private_key and root_cert must be given together')
  return {
    leafCertTtlMs,
    intermediateCertTtlMs,
    rotationPeriodMs: duration(read, 'RotationPeriod', 2160 * HOUR_MS),
    privateKey,
    rootCert,
    privateKeyType: privateKeyType === 'rsa' ? 'rsa' : 'ec',
    privateKeyBits,
    csrMaxPerSecond: number(read, 'CSRMaxPerSecond', 50),
    csrMaxConcurrent: number(read, 'CSRMaxConcurrent', 0),
    skipValidate: opaque['SkipValidate'] === true,
    opaque,
  }
}

const HOUR_MS = 3_600_000
const LEAF_MS_MIN = HOUR_MS
const LEAF_MS_MAX = 8760 * HOUR_MS
const KEY_BITS = { ec: [224, 256, 384, 521], rsa: [2048, 4096] }

const API_NAMES = [
  'LeafCertTTL',
  'IntermediateCertTTL',
  'RotationPeriod',
  'PrivateKey',
  'RootCert',
  'PrivateKeyType',
  'PrivateKeyBits',
  'CSRMaxPerSecond',
  'CSRMaxConcurrent',
  'SkipValidate',
  'DisableCrossSigning',
]

type Read = { opaque: Record<string, unknown>; problems: string[] }

function apiName(key: string): string {
  const plain = key.replaceAll('_', '').toLowerCase()
  return API_NAMES.find((name) => name.toLowerCase() === plain) ?? key
}

function text({ opaque, problems }: Read, name: string, otherwise: string): string {
  const value = opaque[name] ?? otherwise
  if (typeof value === 'string') return value
  problems.push(`connect.ca_config: ${name} must be a text`)
  return otherwise
}

function number({ opaque, problems }: Read, name: string, otherwise: number): number {
  const value = opaque[name] ?? otherwise
  if (typeof value === 'number' && value >= 0) return value
  problems.push(`connect.ca_config: ${name} must be a number of at least 0`)
  return otherwise
}

function duration({ opaque, problems }: Read, name: string, otherwiseMs: number): number {
  const value = opaque[name]
  if (value === undefined || value === null) return otherwiseMs
  const ms = typeof value === 'string' ? parseDuration(value) : undefined
  if (ms !== undefined && !isRefused(ms)) return ms
  problems.push(`connect.ca_config: ${name} must be a duration such as "72h"${isRefused(ms) ? `: ${ms.why}` : ''}`)
  return otherwiseMs
}
