import type { Flag, FlagTable } from './command.ts'
import { type Io, programName } from './io.ts'

const WIDTH_MAX = 80
const TOP_OPTIONS = `Options:
    -autocomplete-install      Complete commands and flags in bash, zsh and fish
    -autocomplete-uninstall    Take that back`

/** The help of one command: its usage, what it does, and its flags under one heading for each of the two kinds. */
export function commandHelp(
  io: Pick<Io, 'env'>,
  { usage, about }: { usage: string; about: string },
  apiFlags: FlagTable,
  ownFlags: FlagTable,
): string {
  const program = programName(io)
  const paragraphs = about
    .trim()
    .split(/\n{2,}/)
    .map((paragraph) => (/^ /.test(paragraph) ? asExample(paragraph, program) : wrapped(paragraph, 2)))
  return [
    `Usage: ${program} ${usage}`,
    ...paragraphs,
    ...flagSection('HTTP API Options', apiFlags),
    ...flagSection('Command Options', ownFlags),
  ].join('\n\n')
}

/** The help of a group: what it is about and its commands, sorted, with their summaries. */
export function groupHelp(
  io: Pick<Io, 'env'>,
  { name, about }: { name: string; about: string },
  entries: readonly { name: string; summary: string }[],
): string {
  const program = programName(io)
  const usage = `Usage: ${program} ${name} <subcommand> [options] [args]`
  return `${usage}\n\n${wrapped(about, 2)}\n\nSubcommands:\n${commandTable(entries)}`
}

/** The help of the program. */
export function programHelp(io: Pick<Io, 'env'>, entries: readonly { name: string; summary: string }[]): string {
  return `Usage: ${programName(io)} [--version] [--help] <command> [<args>]\n\nAvailable commands are:\n${commandTable(entries)}\n\n${TOP_OPTIONS}`
}

/** What follows the complaint about a flag: every flag on a line of its own, its text on the next. */
export function flagDump(flags: FlagTable): string {
  const lines = sorted(flags).map(([name, flag]) => `  -${name}${valueName(flag).replace(/^./, ' $&')}\n    \t${flag.about}`)
  return ['Usage:', ...lines].join('\n')
}

function flagSection(title: string, flags: FlagTable): string[] {
  const entries = sorted(flags)
  return entries.length === 0 ? [] : [title, ...entries.map(([name, flag]) => flagHelp(name, flag))]
}

function flagHelp(name: string, flag: Flag): string {
  const value = valueName(flag)
  return `  -${name}${value === '' ? '' : `=<${value}>`}\n${wrapped(flag.about, 5)}`
}

function valueName({ kind, value }: Flag): string {
  if (value !== undefined) return value
  if (kind === 'boolean') return ''
  return kind === 'strings' ? 'value' : kind === 'pairs' ? 'key=value' : kind
}

function sorted(flags: FlagTable): [string, Flag][] {
  return Object.entries(flags).sort(([a], [b]) => (a < b ? -1 : 1))
}

function commandTable(entries: readonly { name: string; summary: string }[]): string {
  const nameWidth = Math.max(0, ...entries.map(({ name }) => name.length))
  return [...entries]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, summary }) => `    ${name.padEnd(nameWidth)}    ${summary}`)
    .join('\n')
}

function asExample(paragraph: string, program: string): string {
  return paragraph.replaceAll('$ tribune ', `$ ${program} `)
}

/** Lines of at most 80 columns, each after `indent` spaces. */
function wrapped(text: string, indent: number): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.trim().split(/\s+/)) {
    if (line !== '' && indent + line.length + 1 + word.length > WIDTH_MAX) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].map((one) => ' '.repeat(indent) + one).join('\n')
}
