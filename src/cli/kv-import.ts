import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { argumentData } from './kv-data.ts'
import { exactFlags } from './kv-pairs.ts'

export const kvImportCommand = defineApiCommand({
  summary: 'Write entries that "kv export" printed',
  usage: 'kv import [options] DATA',
  about: `
Writes all entries of a JSON list as "kv export" prints it. Entries that exist are replaced; others stay. The entries are written one after the other, not all at once.

    $ tribune kv import @config.json
    $ tribune kv import -prefix=copy/ - < config.json
`,
  answers: 'servers',
  namespaced: true,
  flags: { prefix: { kind: 'string', about: 'Put before every key, with a slash between the two.' } },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 1) return misused(`Error! Too many arguments (expected 1, got ${rest.length})`)
    if (!rest[0]) return misused('Error! Missing DATA argument')
    const data = await argumentData(rest[0], io)
    if (isRefused(data)) return fail(`Error! ${data.why}`)
    const entries = parseEntries(data.value.toString('utf8'))
    if (isRefused(entries)) return fail(`Cannot unmarshal data: ${entries.why}`)
    for (const entry of entries) {
      const key = withPrefix(flags.prefix ?? '', entry.key)
      const params = { flags: entry.flags === '0' ? undefined : entry.flags }
      const reply = await http.request('PUT', `/v1/kv/${key}`, { params, body: entry.value })
      if (isRefused(reply)) return fail(`Error! Failed writing data for key ${key}: ${reply.why}`)
      io.out(`Imported: ${key}`)
    }
    return 0
  },
})

type Entry = { key: string; flags: string; value: Buffer }

function parseEntries(text: string): Result<Entry[]> {
  const exact = exactFlags(text, 'flags')
  let list: unknown
  try {
    list = JSON.parse(exact)
  } catch (error) {
    return refuse('invalid', jsonProblem(exact, error))
  }
  if (!Array.isArray(list)) return refuse('invalid', 'must be a list of entries with key, flags and value')
  const entries: Entry[] = []
  for (const [place, item] of list.entries()) {
    const entry = parseEntry(item)
    if (isRefused(entry)) return refuse('invalid', `entry ${place + 1}: ${entry.why}`)
    entries.push(entry)
  }
  return entries
}

/** Text that stops too early has Go's words, because scripts look for them. */
function jsonProblem(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const position = Number(/at position (\d+)/.exec(message)?.[1] ?? -1)
  return /end of JSON input|^Unterminated/.test(message) || position >= text.length ? 'unexpected end of JSON input' : message
}

function parseEntry(item: unknown): Result<Entry> {
  if (typeof item !== 'object' || item === null) return refuse('invalid', 'must be an object with key, flags and value')
  // As Go reads an object into a structure: letter case of names does not count, and null is the same as absent.
  const given = Object.entries(item).flatMap(([name, found]) => (found === null ? [] : [[name.toLowerCase(), found] as const]))
  const { key, flags, value } = { flags: '0', value: '', ...Object.fromEntries(given) } as Record<string, unknown>
  if (typeof key !== 'string' || key === '') return refuse('invalid', 'key must be a string that is not empty')
  if (typeof flags !== 'string' || !/^\d+$/.test(flags)) return refuse('invalid', 'flags must be a whole number that is not negative')
  if (typeof value !== 'string' || !/^[A-Za-z\d+/]*={0,2}$/.test(value)) return refuse('invalid', 'value must be Base64')
  return { key, flags, value: Buffer.from(value, 'base64') }
}

function withPrefix(prefix: string, key: string): string {
  return prefix === '' ? key : `${prefix.replace(/\/+$/, '')}/${key.replace(/^\/+/, '')}`
}
