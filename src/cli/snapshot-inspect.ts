import { isRefused } from '../kernel/refusal.ts'
import { framed, SNAPSHOT_TERM } from '../snapshot/format.ts'
import { openSnapshot, type SnapshotFile, Unreadable } from '../snapshot/read.ts'
import { byteOrder } from './columns.ts'
import { defineCommand } from './command.ts'
import { fileProblem } from './http-settings.ts'

/** What the records of one kind are: how many, and their bytes. */
type Sum = { Name: string; Sum: number; Count: number }
type Report = {
  Meta: { ID: string; Size: number; Index: number; Term: number; Version: number }
  Stats: Sum[]
  StatsKV: Sum[]
  TotalSize: number
  TotalSizeKV: number
}

export const snapshotInspectCommand = defineCommand({
  summary: 'Tell what is in a snapshot',
  usage: 'snapshot inspect [options] FILE',
  about: `
Verifies a file from "snapshot save" and tells of when it is, and how many records of each kind it has with how many bytes. It needs no agent.

    $ tribune snapshot inspect backup.snap

With -kvdetails it also adds up the keys that have their first parts in common.

    $ tribune snapshot inspect -kvdetails -kvdepth=3 -kvfilter=vault/core backup.snap
`,
  flags: {
    format: { kind: 'string', about: 'How to print the answer: "pretty" for people, which is the default, or "json" for programs.' },
    kvdepth: { kind: 'int', about: 'How many parts of a key, between slashes, -kvdetails tells apart. The default is 2.' },
    kvdetails: { kind: 'boolean', about: 'Tell more of the key/value store.' },
    kvfilter: { kind: 'string', about: 'Only keys that begin with this, for -kvdetails.' },
  },
  async run({ flags, rest, io, fail }) {
    const [path = ''] = rest
    if (path === '') return fail('Missing FILE argument')
    if (rest.length > 1) return fail(`Too many arguments (expected 1, got ${rest.length})`)
    const { format = 'pretty', kvdepth = 2, kvdetails = false, kvfilter = '' } = flags
    if (format !== 'pretty' && format !== 'json') return fail(`Error outputting enhanced snapshot data: Unknown format: ${format}`)
    try {
      const snapshot = await openSnapshot(path)
      if (isRefused(snapshot)) return fail(`Error verifying snapshot: ${snapshot.why}`)
      const report = await reportOf(snapshot, kvdetails ? { depth: kvdepth, prefix: kvfilter } : undefined)
      io.out(format === 'json' ? JSON.stringify(report, undefined, 3) : pretty(report, kvdetails))
      return 0
    } catch (error) {
      if (error instanceof Unreadable) return fail(`Error extracting snapshot data: ${error.message}`)
      return fail(`Error opening snapshot file: ${fileProblem(path, error)}`)
    }
  },
})

/** Tables under the names that Consul has for their records; others keep their own. Source: internals §9.1. */
const TYPES: Readonly<Record<string, string>> = {
  kv: 'KVS',
  'kv-tombstones': 'Tombstone',
  indexes: 'Index',
  'catalog-nodes': 'Register',
  'catalog-instances': 'Register',
  sessions: 'Session',
  'prepared-queries': 'PreparedQuery',
  coordinates: 'CoordinateBatchUpdate',
  autopilot: 'Autopilot',
  'config-entries': 'ConfigEntry',
  intentions: 'Intention',
  'ca-config': 'ConnectCAConfig',
  'ca-roots': 'ConnectCA',
  'ca-keys': 'ConnectCAProviderState',
  'ca-authorities': 'ConnectCAProviderState',
}

async function reportOf({ header, bytes, portions }: SnapshotFile, keys: { depth: number; prefix: string } | undefined): Promise<Report> {
  const names = new Map(header.tables.map(({ id, name }) => [id, TYPES[name] ?? name]))
  const keyTable = header.tables.find(({ name }) => name === 'kv')?.id
  const byType = new Map<string, Sum>()
  const byKey = new Map<string, Sum>()
  for await (const { rows } of portions()) {
    for (const row of rows) {
      const [table, key] = row
      const size = framed([row]).byteLength
      add(byType, names.get(table) ?? String(table), size)
      if (keys && table === keyTable && key.startsWith(keys.prefix)) add(byKey, key.split('/').slice(0, keys.depth).join('/'), size)
    }
  }
  const { id, index, version } = header
  return {
    Meta: { ID: id, Size: bytes, Index: index, Term: SNAPSHOT_TERM, Version: version },
    Stats: largestFirst(byType),
    StatsKV: largestFirst(byKey),
    TotalSize: total(byType),
    TotalSizeKV: total(byKey),
  }
}

function add(sums: Map<string, Sum>, name: string, size: number): void {
  const sum = sums.get(name) ?? { Name: name, Sum: 0, Count: 0 }
  sum.Sum += size
  sum.Count++
  sums.set(name, sum)
}

function total(sums: ReadonlyMap<string, Sum>): number {
  return [...sums.values()].reduce((all, { Sum }) => all + Sum, 0)
}

function largestFirst(sums: ReadonlyMap<string, Sum>): Sum[] {
  return [...sums.values()].sort((a, b) => b.Sum - a.Sum || byteOrder(a.Name, b.Name))
}

function pretty({ Meta, Stats, StatsKV, TotalSize, TotalSizeKV }: Report, withKeys: boolean): string {
  const blocks = [aligned(Object.entries(Meta).map(([name, value]) => [name, String(value)])), sums('Type', Stats, TotalSize)]
  if (withKeys) blocks.push(sums('Key Name', StatsKV, TotalSizeKV))
  return blocks.join('\n\n')
}

function sums(title: string, list: readonly Sum[], size: number): string {
  const line = ['----', '----', '----']
  const rows = list.map(({ Name, Sum, Count }) => [Name, String(Count), byteText(Sum)])
  return aligned([[title, 'Count', 'Size'], line, ...rows, line, ['Total', '', byteText(size)]])
}

const PADDING = 6
const WIDTH_MIN = 8

/** As Go's tabwriter aligns columns: each is as wide as its widest cell and the padding; nothing follows the last cell. */
function aligned(rows: readonly (readonly string[])[]): string {
  const cells = rows.map(([first = '', ...others]) => [` ${first}`, ...others])
  const widths = (cells[0] ?? []).map((_cell, place) => Math.max(WIDTH_MIN, ...cells.map((row) => (row[place] ?? '').length + PADDING)))
  return cells
    .map((row) => row.map((cell, place) => (place === row.length - 1 ? cell : cell.padEnd(widths[place] ?? 0))).join(''))
    .join('\n')
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'] as const

/** `0`, `512B`, `2.6KB`, `1MB`. */
function byteText(bytes: number): string {
  if (bytes === 0) return '0'
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${value.toFixed(1).replace(/\.0$/, '')}${UNITS[unit]}`
}
