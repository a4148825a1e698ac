import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'
import type { HttpMethod } from './http.ts'

type Keys = {
  WAN: boolean
  Datacenter: string
  Segment: string
  Keys: Record<string, number>
  PrimaryKeys: Record<string, number>
  NumNodes: number
}

const RELAY_FACTOR_MAX = 5

export const keyringCommand = defineApiCommand({
  summary: 'Look at and change the keys that encrypt gossip',
  usage: 'keyring [options]',
  about: `
Shows, adds, chooses or removes the keys with which the members of the cluster encrypt what they tell each other. Exactly one of -install, -list, -list-primary, -remove and -use must be given.

    $ tribune keyring -list
`,
  answers: 'agent',
  flags: {
    install: { kind: 'string', about: 'Give this key to all members, without using it yet.' },
    list: { kind: 'boolean', about: 'List all keys, and how many members have each.' },
    'list-primary': { kind: 'boolean', about: 'List the keys in use, and how many members use each.' },
    'local-only': { kind: 'boolean', about: 'With -list or -list-primary: only ask the members of this datacenter.' },
    'relay-factor': { kind: 'int', about: 'Over how many other members each answer also comes, 0 to 5.' },
    remove: { kind: 'string', about: 'Take this key from all members. The one in use cannot be removed.' },
    use: { kind: 'string', about: 'Encrypt with this key from now on. It must be installed.' },
    ...listFormatFlags,
  },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const isList = flags.list || flags['list-primary']
    const wanted = [flags.install, flags.use, flags.remove, flags.list, flags['list-primary']].filter(Boolean)
    if (wanted.length !== 1) return misused('Exactly one of -install, -list, -list-primary, -remove and -use must be given')
    const factor = flags['relay-factor'] ?? 0
    if (factor < 0 || factor > RELAY_FACTOR_MAX)
      return misused(`Error parsing relay factor: Relay factor must be in range: [0, ${RELAY_FACTOR_MAX}]`)
    if (flags['local-only'] && !isList) return misused('Error validating local-only: local-only can only be set for list requests')
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const relay = { 'relay-factor': factor === 0 ? undefined : String(factor) }
    if (isList) {
      if (!asJson) io.out(flags.list ? '==> Gathering installed encryption keys...' : '==> Gathering installed primary encryption keys...')
      const reply = await http.json<Keys[]>('/v1/operator/keyring', { ...relay, 'local-only': flags['local-only'] ? 'true' : undefined })
      if (isRefused(reply)) return fail(`error: ${reply.why}`)
      if (asJson) io.out(listJson(reply.value))
      else for (const keys of reply.value) io.out(shown(keys, flags.list ? keys.Keys : keys.PrimaryKeys))
      return 0
    }
    const change = changeOf(flags)
    io.out(change.said)
    const reply = await http.request(change.method, '/v1/operator/keyring', { params: relay, body: { Key: change.key } })
    return isRefused(reply) ? fail(`error: ${reply.why}`) : 0
  },
})

function changeOf({ install, use, remove = '' }: { install?: string; use?: string; remove?: string }): {
  method: HttpMethod
  key: string
  said: string
} {
  if (install) return { method: 'POST', key: install, said: '==> Installing new gossip encryption key...' }
  if (use) return { method: 'PUT', key: use, said: '==> Changing primary gossip encryption key...' }
  return { method: 'DELETE', key: remove, said: '==> Removing gossip encryption key...' }
}

function shown({ WAN, Datacenter, Segment, NumNodes }: Keys, keys: Record<string, number>): string {
  const pool = WAN ? 'WAN' : `${Datacenter} (LAN)${Segment === '' ? '' : ` [${Segment}]`}`
  return ['', `${pool}:`, ...Object.entries(keys).map(([key, count]) => `  ${key} [${count}/${NumNodes}]`)].join('\n')
}
