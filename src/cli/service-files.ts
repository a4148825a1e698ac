import type { ServiceDefinition } from '../../actors/definitions.ts'
import { loadConfig, machine } from '../config/index.ts'
import { isRefused, type Result, refuse } from '../kernel/refusal.ts'

/** The services that configuration files define, in the order of the files. What was odd about them is in `warnings`. */
export function servicesInFiles(paths: readonly string[]): Result<{ services: readonly ServiceDefinition[]; warnings: string[] }> {
  const loaded = loadConfig({ flags: { dev: true, 'config-file': [...paths] }, host: machine, purpose: 'validate' })
  if (isRefused(loaded)) return loaded
  const { services } = loaded.config
  if (services.length === 0) return refuse('missing', `no service is defined in ${paths.join(', ')}`)
  return { services, warnings: loaded.warnings }
}
