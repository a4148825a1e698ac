import { type Result, refuse } from '../kernel/refusal.ts'
import type { AgentFlagValues } from './agent-flags.ts'
import { buildConfig } from './build.ts'
import type { Config } from './config.ts'
import type { ConfigHost } from './host.ts'
import type { Purpose } from './read-fields.ts'
import { readSources } from './sources.ts'

/**
 * Reads everything the flags name and answers one frozen configuration. The refusal's `why` names all problems, one alone in
 * exactly the words Consul's users know. Asked again with the same flags, it reads everything anew. With the purpose `validate`
 * what cannot be run in this version but is well formed is a warning; with `simulate` so is what a simulation stands for: other
 * servers, and clients. Source: config §1.
 */
export function loadConfig({ flags, host, purpose = 'run' }: LoadConfig): Result<{ config: Config; warnings: string[] }> {
  const sources = readSources(flags, host, purpose)
  const unread = sources.problems.length > 0
  const { config, problems, definitions, warnings } = buildConfig(sources, flags, host, unread ? 'validate' : purpose)
  // Where a source could not be read, anything that seems to be missing may have stood there.
  const all = unread ? [...sources.problems, ...definitions] : problems
  if (all.length > 0) return refuse('invalid', all.join('\n'))
  return { config: frozen(config), warnings: [...sources.warnings, ...warnings] }
}

export type LoadConfig = { flags: AgentFlagValues; host: ConfigHost; purpose?: Purpose }

function frozen<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value
  for (const inner of Object.values(value)) frozen(inner)
  return Object.freeze(value)
}
