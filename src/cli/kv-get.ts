import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'
import type { HttpReply } from './http.ts'
import { parseJson } from './http.ts'
import { type KvPair, parsePairs, withoutLeadingSlash } from './kv-pairs.ts'

export const kvGetCommand = defineApiCommand({
  summary: 'Show the value of a key, or of all keys with a prefix',
  usage: 'kv get [options] [KEY_OR_PREFIX]',
  about: `
Prints the value of a key. It is an error if there is no such key.

    $ tribune kv get config/limit

With -recurse it prints all entries whose key begins with the argument, and with -keys only the names of those keys. No argument means all of them.

    $ tribune kv get -recurse config/
    $ tribune kv get -keys -separator="" config/
`,
  answers: 'servers',
  namespaced: true,
  flags: {
    base64: { kind: 'boolean', about: 'Print values as Base64, for those that are not text.' },
    detailed: { kind: 'boolean', about: 'Print everything that is known of each entry: flags, indexes, the session that holds it.' },
    keys: { kind: 'boolean', about: 'Print the names of all keys that begin with the argument, up to the next separator, without values.' },
    recurse: { kind: 'boolean', about: 'Print all entries whose keys begin with the argument.' },
    separator: { kind: 'string', about: 'Where -keys cuts names off. The default is "/"; the empty string lists all keys in full.' },
    ...listFormatFlags,
  },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 1) return misused(`Too many arguments (expected 1, got ${rest.length})`)
    const key = withoutLeadingSlash(rest[0] ?? '')
    const many = flags.keys === true || flags.recurse === true
    if (key === '' && !many) return misused('Error! Missing KEY argument')
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const params = flags.keys ? { keys: '', separator: flags.separator ?? '/' } : flags.recurse ? { recurse: '' } : {}
    const path = `/v1/kv/${key}`
    const reply = await http.request('GET', path, { params, also: [404] })
    if (isRefused(reply)) return fail(`Error querying Consul agent: ${reply.why}`)
    if (flags.keys) {
      const keys = namesIn(reply, path)
      if (isRefused(keys)) return fail(`Error querying Consul agent: ${keys.why}`)
      if (asJson) io.out(listJson(keys.value))
      else for (const name of keys.value) io.out(name)
      return 0
    }
    const pairs = reply.status === 404 ? { value: [] } : parsePairs(reply.body, path)
    if (isRefused(pairs)) return fail(`Error querying Consul agent: ${pairs.why}`)
    if (pairs.value.length === 0 && !many) return fail(`Error! No key exists at: ${key}`)
    if (asJson) io.out(listJson(pairs.value.map(asRecord)))
    else if (flags.detailed) io.write(pairs.value.map((pair) => details(pair, flags.base64 === true)).join('\n'))
    else for (const pair of pairs.value) io.write(oneEntry(pair, flags.base64 === true, many))
    return 0
  },
})

function namesIn(reply: HttpReply, path: string) {
  return reply.status === 404 ? { value: [] } : parseJson<string[]>(reply.body.toString('utf8'), path)
}

function oneEntry(pair: KvPair, base64: boolean, withKey: boolean): Buffer {
  const value = base64 ? Buffer.from(pair.value.toString('base64')) : pair.value
  return Buffer.concat([Buffer.from(withKey ? `${pair.key}:` : ''), value, Buffer.from('\n')])
}

function details(pair: KvPair, base64: boolean): string {
  const rows = [
    ['CreateIndex', String(pair.createIndex)],
    ['Flags', pair.flags],
    ['Key', pair.key],
    ['LockIndex', String(pair.lockIndex)],
    ['ModifyIndex', String(pair.modifyIndex)],
    ['Session', pair.session || '-'],
    ['Value', pair.value.toString(base64 ? 'base64' : 'utf8')],
  ]
  return rows.map(([name = '', value = '']) => `${name.padEnd(17)}${value}\n`).join('')
}

/** As the API shows an entry. */
function asRecord(pair: KvPair): Record<string, unknown> {
  return {
    LockIndex: pair.lockIndex,
    Key: pair.key,
    Flags: Number.isSafeInteger(Number(pair.flags)) ? Number(pair.flags) : pair.flags,
    Value: pair.value.toString('base64'),
    ...(pair.session === '' ? {} : { Session: pair.session }),
    CreateIndex: pair.createIndex,
    ModifyIndex: pair.modifyIndex,
  }
}
