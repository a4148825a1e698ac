import { isRefused, type Result } from '../kernel/refusal.ts'
import { type AgentFlagValues, agentFlags } from './agent-flags.ts'
import { fileDialect } from './dialects.ts'
import { formatDuration } from './durations.ts'
import { listedErrors } from './errors.ts'
import { readHcl } from './hcl.ts'
import type { ConfigHost } from './host.ts'
import { readJson } from './json.ts'
import { mergeGiven } from './merge.ts'
import { type Purpose, type Reading, readFields, startReading } from './read-fields.ts'
import { configFields, type GivenSettings } from './schema/index.ts'
import { type Place, placeWithoutText, type Tree, treeOf } from './tree.ts'

/** All sources as one: what was given, where the services and checks stood, and everything wrong in any of them. */
export type Sources = {
  purpose: Purpose
  given: GivenSettings
  places: Map<object, Place>
  problems: string[]
  warnings: string[]
}

/**
 * Reads every source and lays them on each other: development defaults, lists of flags, files and folders in the order of the
 * command line, other flags, `-hcl` fragments. Source: config §1.
 */
export function readSources(flags: AgentFlagValues, host: ConfigHost, purpose: Purpose): Sources {
  const sources: Sources = { purpose, given: flags.dev === true ? DEVELOPMENT : {}, places: new Map(), problems: [], warnings: [] }
  const flagged = readFlags(flags, sources)
  for (const given of flagged.lists) lay(sources, given)
  const format = formatOf(flags['config-format'], sources)
  for (const path of [...(flags['config-file'] ?? []), ...(flags['config-dir'] ?? [])]) readPath(path, format, host, sources)
  for (const given of flagged.others) lay(sources, given)
  for (const [index, text] of (flags.hcl ?? []).entries()) readText(`flags-${index}.hcl`, 'hcl', text, sources)
  return sources
}

const DEVELOPMENT: GivenSettings = {
  bind_addr: '127.0.0.1',
  connect: { enabled: true },
  disable_anonymous_signature: true,
  disable_keyring_file: true,
  enable_debug: true,
  log_level: 'DEBUG',
  performance: { raft_multiplier: 1 },
  server: true,
}

type Format = 'json' | 'hcl'

function lay(sources: Sources, given: GivenSettings): void {
  sources.given = mergeGiven(configFields, sources.given, given)
}

function formatOf(name: string | undefined, sources: Sources): Format | undefined {
  if (name === undefined || name === '') return undefined
  if (name === 'json' || name === 'hcl') return name
  sources.problems.push(`-config-format must be either 'hcl' or 'json', got ${JSON.stringify(name)}`)
  return undefined
}

function readPath(path: string, format: Format | undefined, host: ConfigHost, sources: Sources): void {
  const names = host.readFolder(path)
  if (names === undefined) return readNamed(path, format, host, sources)
  if (isRefused(names)) {
    sources.problems.push(`config: Open failed on ${path}. ${names.why}`)
    return
  }
  for (const name of names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    const inside = path.endsWith('/') ? path + name : `${path}/${name}`
    if (host.readFolder(inside) === undefined) readNamed(inside, format, host, sources)
  }
}

function readNamed(path: string, format: Format | undefined, host: ConfigHost, sources: Sources): void {
  const own = path.endsWith('.json') ? 'json' : path.endsWith('.hcl') ? 'hcl' : undefined
  const chosen = format ?? own
  if (chosen === undefined) {
    sources.warnings.push(`skipping file ${path}, extension must be .hcl or .json, or config format must be set`)
    return
  }
  const text = host.readFile(path)
  if (isRefused(text)) sources.problems.push(`config: ReadFile failed on ${path}. ${text.why}`)
  else readText(path, chosen, text, sources)
}

/** All that is wrong in one text is one problem. */
function readText(name: string, format: Format, text: string, sources: Sources): void {
  const tree: Result<Tree> = format === 'json' ? readJson(name, text) : readHcl(name, text)
  if (isRefused(tree)) {
    sources.problems.push(`failed to parse ${name}: ${tree.why}`)
    return
  }
  const reading = startReading(fileDialect, sources.purpose)
  const given = readFields(reading, configFields, tree)
  if (reading.problems.length > 0) sources.problems.push(`failed to parse ${name}: ${listedErrors(reading.problems).trimEnd()}\n`)
  take(reading, sources)
  lay(sources, withSinglesInLists(given))
}

function take(reading: Reading, sources: Sources): void {
  for (const [object, place] of reading.places) sources.places.set(object, place)
  sources.warnings.push(...reading.warnings)
}

/** `service` and `check` of one file join the lists, so that those of several files add up. */
function withSinglesInLists({ service, check, ...given }: GivenSettings): GivenSettings {
  if (service !== undefined) given.services = [...(given.services ?? []), service]
  if (check !== undefined) given.checks = [...(given.checks ?? []), check]
  return given
}

/** Each flag as the file that would say the same. Lists come before the files, so that files add to them. */
function readFlags(flags: AgentFlagValues, sources: Sources): { lists: GivenSettings[]; others: GivenSettings[] } {
  const lists: GivenSettings[] = []
  const others: GivenSettings[] = []
  const table: Readonly<Record<string, { kind: string; key?: string }>> = agentFlags
  for (const [name, value] of Object.entries(flags)) {
    const flag = table[name]
    if (value === undefined || flag?.key === undefined) continue
    const written = name === 'node-meta' ? metaOf(value) : flag.kind === 'duration' ? formatDuration(Number(value)) : value
    const whole = flag.key.split('.').reduceRight((inner: unknown, key) => ({ [key]: inner }), written)
    const reading = startReading(fileDialect, sources.purpose)
    const given = readFields(reading, configFields, treeOf(whole, placeWithoutText(`flag -${name}`)))
    sources.problems.push(...reading.problems)
    take(reading, sources)
    if (Array.isArray(written)) lists.push(given)
    else others.push(given)
  }
  return { lists, others }
}

/** `key:value` each; without a colon the value is empty. */
function metaOf(pairs: unknown): Record<string, string> {
  const texts = Array.isArray(pairs) ? pairs.map(String) : []
  return Object.fromEntries(
    texts.map((pair) => {
      const colon = pair.indexOf(':')
      return colon < 0 ? [pair, ''] : [pair.slice(0, colon), pair.slice(colon + 1)]
    }),
  )
}
