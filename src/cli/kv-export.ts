import { encodeJson } from '../http/json.ts'
import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { type KvPair, parsePairs, withoutLeadingSlash } from './kv-pairs.ts'

export const kvExportCommand = defineApiCommand({
  summary: 'Print a part of the key/value store as JSON',
  usage: 'kv export [options] [PREFIX]',
  about: `
Prints all entries whose keys begin with the prefix as a JSON list, with values in Base64. "kv import" reads the same form. Without a prefix it prints everything.

    $ tribune kv export config/ > config.json
`,
  answers: 'servers',
  namespaced: true,
  flags: {},
  async run({ rest, io, http, fail, misused }) {
    if (rest.length > 1) return misused(`Too many arguments (expected 1, got ${rest.length})`)
    const path = `/v1/kv/${withoutLeadingSlash(rest[0] ?? '')}`
    const reply = await http.request('GET', path, { params: { recurse: '' }, also: [404] })
    if (isRefused(reply)) return fail(`Error querying Consul agent: ${reply.why}`)
    const pairs = reply.status === 404 ? { value: [] } : parsePairs(reply.body, path)
    if (isRefused(pairs)) return fail(`Error querying Consul agent: ${pairs.why}`)
    io.out(exported(pairs.value))
    return 0
  },
})

/** Written by hand where numbers are concerned, because flags have up to 64 bits. */
function exported(pairs: readonly KvPair[]): string {
  if (pairs.length === 0) return '[]'
  const entries = pairs.map(
    ({ key, flags, value }) =>
      `\t{\n\t\t"key": ${encodeJson(key, false)},\n\t\t"flags": ${flags},\n\t\t"value": ${JSON.stringify(value.toString('base64'))}\n\t}`,
  )
  return `[\n${entries.join(',\n')}\n]`
}
