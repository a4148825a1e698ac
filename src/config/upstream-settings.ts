import type { UpstreamDefinition } from '../../actors/definitions.ts'
import { OpaqueReader } from './opaque-reader.ts'

type UpstreamSettings = Pick<UpstreamDefinition, 'connectTimeoutMs' | 'connectionsMax' | 'ejection'>

/**
 * What an upstream's `config` says that the built-in proxy understands: under the names of files, and for what comes of central settings
 * under those of the API. What it cannot do is added to `misfits`. Source: connect §9, §10.
 */
export function upstreamSettings(opaque: Record<string, unknown>, path: string, misfits: string[]): UpstreamSettings {
  const values = new OpaqueReader(opaque, path, misfits)
  const connectTimeoutMs = values.whole('connect_timeout_ms')
  const connectionsMax = connectionsMaxOf(values.object('limits') ?? {}, `${path}.limits`, misfits)
  const ejection = ejectionOf(values.object('passive_health_check') ?? {}, `${path}.passive_health_check`, misfits)
  return {
    ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
    ...(connectionsMax !== undefined && { connectionsMax }),
    ...(ejection && { ejection }),
  }
}

/** What is said of requests is refused where it was written for this proxy; central settings are for others too. */
function connectionsMaxOf(limits: Record<string, unknown>, path: string, misfits: string[]): number | undefined {
  const values = new OpaqueReader(limits, path, misfits)
  for (const key of ['max_pending_requests', 'max_concurrent_requests']) {
    if (values.has(key)) values.misfit(key, 'cannot hold: the built-in proxy does not look into requests; only max_connections does')
  }
  const central = values.whole('MaxConnections')
  return values.whole('max_connections', undefined, 1) ?? (central === 0 ? undefined : central)
}

function ejectionOf(check: Record<string, unknown>, path: string, misfits: string[]): UpstreamDefinition['ejection'] {
  const values = new OpaqueReader(check, path, misfits)
  const failuresMax = values.whole('max_failures', undefined, 1) ?? values.whole('MaxFailures')
  const intervalMs = values.durationMs('interval') ?? (values.whole('Interval') ?? 0) / 1e6
  if (!failuresMax) return values.has('interval') ? values.misfit('max_failures', 'must be set with interval') : undefined
  return { failuresMax, intervalMs: intervalMs || EJECTION_INTERVAL_MS }
}

/** Envoy's. */
export const EJECTION_INTERVAL_MS = 10_000
