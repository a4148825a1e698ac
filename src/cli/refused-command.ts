import { type ApiCommandDefinition, defineApiCommand } from './api-command.ts'
import type { Command, FlagTable } from './command.ts'

/** A command of the reference that there is nothing for here. Its flags are known, so that scripts get `why` as their answer. */
export function defineRefusedCommand(definition: Omit<ApiCommandDefinition<FlagTable>, 'run'> & { readonly why: string }): Command {
  const about = `${definition.about.trim()} The flags are known, so that scripts get this answer.`
  return defineApiCommand({ ...definition, about, run: async ({ fail }) => fail(definition.why) })
}
