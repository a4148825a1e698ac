import type { FlagTable } from './command.ts'
import { commands, groups } from './index.ts'

const TOP_FLAGS = ['-autocomplete-install', '-autocomplete-uninstall', '-help', '-version']
/** Every command takes it, without naming it. */
const HELP = '-help'

/**
 * What the last word of a command line may become: commands, flags, or values of a flag, sorted. The line begins with the
 * program's name and ends where the cursor is. Nothing if anything may stand there, such as a key or a file.
 */
export async function completions(line: string): Promise<string[]> {
  const words = line.trimStart().split(/\s+/)
  const given = words.slice(1, -1)
  const partial = words.length > 1 ? (words.at(-1) ?? '') : ''
  return (await candidates(given, partial)).filter((one) => one.startsWith(partial)).sort()
}

async function candidates(given: readonly string[], partial: string): Promise<string[]> {
  const { name, after } = commandIn(given)
  const listing = commands.find((one) => one.name === name)
  if (listing === undefined) return after.length > 0 ? [] : [...wordsBelow(name), ...(name === '' ? TOP_FLAGS : [HELP])]
  const flags = await (await listing.load()).flags()
  const [, flag, withEquals] = /^--?([^=]+)(=)?/.exec(partial) ?? []
  if (withEquals !== undefined) return valuesOf(flags, flag).map((value) => partial.slice(0, partial.indexOf('=') + 1) + value)
  const before = /^--?([^=]+)$/.exec(after.at(-1) ?? '')?.[1]
  if (before !== undefined && takesNext(flags, before)) return valuesOf(flags, before)
  if (!partial.startsWith('-') || after.includes('--')) return []
  const dashes = partial.startsWith('--') ? '--' : '-'
  return [...Object.keys(flags), 'help'].map((one) => `${dashes}${one}`)
}

/** The longest name of a command or group at the beginning of the words, and the words after it. */
function commandIn(words: readonly string[]): { name: string; after: readonly string[] } {
  for (let count = words.length; count > 0; count -= 1) {
    const name = words.slice(0, count).join(' ')
    if ([...commands, ...groups].some((one) => one.name === name)) return { name, after: words.slice(count) }
  }
  return { name: '', after: words }
}

/** The words that may follow the name of a group; '' is the program's. */
function wordsBelow(name: string): string[] {
  const prefix = name === '' ? '' : `${name} `
  const below = [...commands, ...groups].filter((one) => one.name.startsWith(prefix)).map((one) => one.name.slice(prefix.length))
  return [...new Set(below.map((rest) => rest.split(' ')[0] ?? ''))].filter((word) => word !== '')
}

function takesNext(flags: FlagTable, name: string): boolean {
  return Object.hasOwn(flags, name) && !['boolean', 'limit'].includes(flags[name]?.kind ?? '')
}

function valuesOf(flags: FlagTable, name = ''): string[] {
  const flag = Object.hasOwn(flags, name) ? flags[name] : undefined
  return [...(flag?.values ?? (flag?.kind === 'boolean' ? ['true', 'false'] : []))]
}
