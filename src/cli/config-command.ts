import { defineApiCommand } from './api-command.ts'
import type { Command, CommandCall, CommandDefinition, FlagTable } from './command.ts'
import type { HttpClient } from './http.ts'

const entryFlags = {
  kind: { kind: 'string', about: 'The kind of the entry. Must be given.' },
  name: { kind: 'string', about: 'The name of the entry. Must be given.' },
} as const satisfies FlagTable

type EntryCall = Pick<CommandCall<typeof entryFlags>, 'io' | 'fail'> & {
  readonly http: HttpClient
  readonly kind: string
  readonly name: string
}
type EntryCommandDefinition = Pick<CommandDefinition<typeof entryFlags>, 'summary' | 'usage' | 'about'> & {
  run(call: EntryCall): Promise<number>
}

/** A command about one config entry, which its flags name. */
export function defineConfigEntryCommand(definition: EntryCommandDefinition): Command {
  return defineApiCommand({
    ...definition,
    answers: 'servers',
    namespaced: true,
    flags: entryFlags,
    async run({ flags: { kind = '', name = '' }, io, http, fail }) {
      if (kind === '') return fail('Must specify the -kind parameter')
      if (name === '') return fail('Must specify the -name parameter')
      return definition.run({ kind, name, io, http, fail })
    },
  })
}
