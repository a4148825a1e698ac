import { isRefused } from '../kernel/refusal.ts'
import { assembleCommand, type Command, type CommandCall, type CommandDefinition, type FlagTable } from './command.ts'
import { type HttpClient, httpClient } from './http.ts'
import { clientFlags, type HttpFlags, httpSettings, namespaceFlags, serverFlags } from './http-settings.ts'

export type ApiCommandDefinition<Table extends FlagTable> = Omit<CommandDefinition<Table>, 'run'> & {
  /** Who answers: the agent alone, or the servers, so that a datacenter and stale answers can be asked for. */
  readonly answers: 'agent' | 'servers'
  /** Takes `-namespace`. */
  readonly namespaced?: boolean
  run(call: CommandCall<Table> & { readonly http: HttpClient }): Promise<number>
}

/** A command that talks to an agent. */
export function defineApiCommand<const Table extends FlagTable>(definition: ApiCommandDefinition<Table>): Command {
  const shared: FlagTable = {
    ...(definition.answers === 'servers' ? serverFlags : clientFlags),
    ...(definition.namespaced ? namespaceFlags : {}),
  }
  return assembleCommand<Table, FlagTable>(definition, shared, async (call) => {
    // The shared flags have the kinds of HttpFlags, whichever of them this command has.
    const settings = httpSettings(call.flags as HttpFlags, call.io.env)
    if (isRefused(settings)) return call.fail(`Error connecting to Consul agent: ${settings.why}`)
    return definition.run({ ...(call as CommandCall<Table>), http: httpClient(settings) })
  })
}
