import type { Listing } from './index.ts'
import { commands, groups } from './index.ts'
import type { Io } from './io.ts'

/** The exit code when there is no such command. */
const EXIT_NO_COMMAND = 127

/**
 * Runs the command that `args` begin with and answers the exit code. The longest name that fits is meant. `-h` anywhere before
 * `--` prints help on standard output; a group without a command prints its help on standard error. With a line in the variable
 * COMP_LINE it prints what the last word of that line may become, which is how shells ask.
 */
export async function dispatch(args: readonly string[], io: Io): Promise<number> {
  const line = io.env['COMP_LINE']
  if (line !== undefined) return complete(line, io)
  const { name, rest, wantsHelp, wantsVersion, strayFlags } = readCommandLine(args)
  if (name === '' && !wantsHelp && strayFlags.some((flag) => /^--?autocomplete-/.test(flag))) return changeShells(strayFlags, io)
  if (name === '' && wantsVersion && !wantsHelp) return runCommand('version', [], io)
  const command = commands.find((listing) => listing.name === name)
  if (command !== undefined && strayFlags.length > 0 && !wantsHelp) {
    io.err(`flags belong after the command: ${strayFlags.join(' ')}`)
    return 1
  }
  if (command !== undefined && !wantsHelp) return (await command.load()).run(rest, io)
  const print = wantsHelp ? io.out : io.err
  const help = command === undefined ? await helpOf(name, io) : await (await command.load()).help(io)
  print(help ?? (await topHelp(io)))
  if (wantsHelp) return 0
  return help === undefined ? EXIT_NO_COMMAND : 1
}

async function complete(line: string, io: Io): Promise<number> {
  const { completions } = await import('./completion.ts')
  const point = Number(io.env['COMP_POINT'] ?? line.length)
  for (const one of await completions(line.slice(0, point))) io.out(one)
  return 0
}

async function changeShells(flags: readonly string[], io: Io): Promise<number> {
  const names = flags.map((flag) => flag.replace(/^--?/, ''))
  const unknown = names.find((name) => name !== 'autocomplete-install' && name !== 'autocomplete-uninstall')
  const problem =
    unknown !== undefined
      ? `flag provided but not defined: -${unknown}`
      : new Set(names).size > 1 && 'Either the autocomplete install or uninstall flag may be specified, but not both.'
  if (problem) {
    io.err(problem)
    return 1
  }
  const { changeCompletion } = await import('./completion-install.ts')
  return changeCompletion(names[0] === 'autocomplete-install' ? 'install' : 'uninstall', io)
}

type CommandLine = {
  /** Of a command or a group; '' if there is none. */
  name: string
  rest: readonly string[]
  wantsHelp: boolean
  wantsVersion: boolean
  /** Flags before the name. */
  strayFlags: readonly string[]
}

function readCommandLine(args: readonly string[]): CommandLine {
  const end = args.indexOf('--')
  const options = end < 0 ? args : args.slice(0, end)
  const wantsHelp = options.some((arg) => arg === '-h' || arg === '-help' || arg === '--help')
  const start = options.findIndex((arg) => arg !== '' && !arg.startsWith('-'))
  const before = start < 0 ? options : options.slice(0, start)
  const wantsVersion = before.some((arg) => arg === '-v' || arg === '-version' || arg === '--version')
  const strayFlags = before.filter((arg) => !/^(-h|--?help)$/.test(arg))
  const words = start < 0 ? [] : wordsFrom(options.slice(start))
  for (let count = words.length; count > 0; count -= 1) {
    const name = words.slice(0, count).join(' ')
    if (!isKnown(name)) continue
    return { name, rest: args.slice(start + count), wantsHelp, wantsVersion: false, strayFlags }
  }
  return { name: '', rest: [], wantsHelp, wantsVersion: wantsVersion && start < 0, strayFlags }
}

/** The arguments that can be part of a command's name. */
function wordsFrom(args: readonly string[]): readonly string[] {
  const end = args.findIndex((arg) => arg.startsWith('-') || arg === '' || arg.includes(' '))
  return end < 0 ? args : args.slice(0, end)
}

function isKnown(name: string): boolean {
  return commands.some((listing) => listing.name === name) || groups.some((group) => group.name === name)
}

async function runCommand(name: string, args: readonly string[], io: Io): Promise<number> {
  const listing = commands.find((one) => one.name === name)
  return listing === undefined ? EXIT_NO_COMMAND : (await listing.load()).run(args, io)
}

/** The help of a group; nothing if there is none of that name. */
async function helpOf(name: string, io: Io): Promise<string | undefined> {
  const group = groups.find((one) => one.name === name)
  if (group === undefined) return undefined
  const { groupHelp } = await import('./help.ts')
  return groupHelp(io, group, await entriesIn(`${name} `))
}

async function topHelp(io: Io): Promise<string> {
  const { programHelp } = await import('./help.ts')
  return programHelp(io, await entriesIn(''))
}

/** The commands and groups one word below a prefix. */
async function entriesIn(prefix: string): Promise<{ name: string; summary: string }[]> {
  const directlyBelow = ({ name }: { name: string }) => name.startsWith(prefix) && !name.slice(prefix.length).includes(' ')
  const summaries = await Promise.all(commands.filter(directlyBelow).map(summarized))
  return [...summaries, ...groups.filter(directlyBelow)].map(({ name, summary }) => ({ name: name.slice(prefix.length), summary }))
}

async function summarized(listing: Listing): Promise<{ name: string; summary: string }> {
  return { name: listing.name, summary: (await listing.load()).summary }
}
