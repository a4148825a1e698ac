import type { FlagKind, FlagValues } from './go-flags.ts'
import { goFlags, HELP_REQUESTED } from './go-flags.ts'
import { commandHelp, flagDump } from './help.ts'
import type { Io } from './io.ts'

/** One command: what its help says and what it does. */
export type Command = {
  /** One line for the list of commands. */
  readonly summary: string
  /** The whole help. */
  help(io: Pick<Io, 'env'>): string | Promise<string>
  /** All its flags. */
  flags(): FlagTable | Promise<FlagTable>
  /** Reads `args`, does the work and answers the exit code. */
  run(args: readonly string[], io: Io): Promise<number>
}

/**
 * One flag: what it takes and what it is for. `value` is shown in the help instead of the kind's name; `values` are all there are,
 * or those that shells offer.
 */
export type Flag = { readonly kind: FlagKind; readonly value?: string; readonly values?: readonly string[]; readonly about: string }
export type FlagTable = Readonly<Record<string, Flag>>
export type FlagsOf<Table extends FlagTable> = FlagValues<{ [Name in keyof Table]: Table[Name]['kind'] }>

/** What a command's own part is given. */
export type CommandCall<Table extends FlagTable> = {
  readonly io: Io
  readonly flags: FlagsOf<Table>
  /** The arguments after the flags. */
  readonly rest: readonly string[]
  /** Says on standard error why it did not work. Answers the exit code 1. */
  fail(why: string): number
  /** The same for arguments that make no sense, followed by the command's help; with the exit code of such arguments. */
  misused(why: string): number
}

export type CommandDefinition<Table extends FlagTable> = {
  readonly summary: string
  /** What follows the program's name, such as `kv put [options] KEY [DATA]`. */
  readonly usage: string
  /** Paragraphs separated by empty lines. Indented ones are shown as they are; `$ tribune` in them is an example. */
  readonly about: string
  readonly flags: Table
  /** The exit code when the arguments make no sense: 1 if not given. */
  readonly exitMisused?: number
  run(call: CommandCall<Table>): Promise<number> | number
}

/**
 * A command that needs no agent. `shared` are flags that it has in common with others: they are described before its own and
 * are read together with them.
 */
export function defineCommand<const Table extends FlagTable>(definition: CommandDefinition<Table>): Command {
  return assembleCommand(definition, {}, (call) => definition.run(call))
}

export function assembleCommand<const Table extends FlagTable, const Shared extends FlagTable>(
  definition: Pick<CommandDefinition<Table>, 'summary' | 'usage' | 'about' | 'flags' | 'exitMisused'>,
  shared: Shared,
  run: (call: CommandCall<Table & Shared>) => Promise<number> | number,
): Command {
  const table = { ...shared, ...definition.flags }
  const { exitMisused = 1 } = definition
  const help = (io: Pick<Io, 'env'>) => commandHelp(io, definition, shared, definition.flags)
  return {
    summary: definition.summary,
    help,
    flags: () => table,
    async run(args, io) {
      const parsed = goFlags(args, kindsOf(table))
      if ('error' in parsed) {
        if (parsed.error === HELP_REQUESTED) {
          io.out(help(io))
          return 0
        }
        io.err(parsed.error)
        io.err(flagDump(table))
        return exitMisused
      }
      const fail = (why: string) => {
        io.err(why)
        return 1
      }
      return run({
        io,
        // Each value was read by the kind that the table gives its name.
        flags: parsed.flags as FlagsOf<Table & Shared>,
        rest: parsed.rest,
        fail,
        misused(why) {
          io.err(`${why}\n\n${help(io)}`)
          return exitMisused
        },
      })
    },
  }
}

function kindsOf(table: FlagTable): Record<string, FlagKind> {
  return Object.fromEntries(Object.entries(table).map(([name, flag]) => [name, flag.kind]))
}
