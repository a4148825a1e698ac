import { type Result, refuse } from '../kernel/refusal.ts'
import type { AgentFlagValues } from './agent-flags.ts'
import { buildConfig, type Purpose } from './build.ts'
import type { Config } from './config.ts'
import type { ConfigHost } from './host.ts'
import { readSources } from './sources.ts'

export { type AgentFlagValues, agentFlagAliases, agentFlagSpec, agentFlags, parseAgentFlags } from './agent-flags.ts'
export type { Config } from './config.ts'
export { type ConfigHost, hostInMemory, machine } from './host.ts'
export { reloadDifference } from './reload.ts'

/**
 * Reads everything the flags name and answers one frozen configuration. The refusal's `why` names all problems, one alone in
 * exactly the words Consul's users know. Asked again with the same flags, it reads everything anew. With the purpose `validate`
 * what cannot be run in this version but is well formed is a warning. Source: config §1.
 */
export function loadConfig({ flags, host, purpose = 'run' }: LoadConfig): Result<{ config: Config; warnings: string[] }> {
  const sources = readSources(flags, host)
  if (sources.problems.length > 0) return refuse('invalid', sources.problems.join('\n'))
  const { config, problems, warnings } = buildConfig(sources, flags, host, purpose)
  if (problems.length > 0) return refuse('invalid', problems.join('\n'))
  return { config: frozen(config), warnings: [...sources.warnings, ...warnings] }
}

export type LoadConfig = { flags: AgentFlagValues; host: ConfigHost; purpose?: Purpose }

function frozen<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value
  for (const inner of Object.values(value)) frozen(inner)
  return Object.freeze(value)
}
