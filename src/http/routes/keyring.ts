import { datacentersRef } from '../../../actors/datacenters/protocol.ts'
import { exchangeRef } from '../../../actors/exchange/protocol.ts'
import { localRef } from '../../../actors/local/protocol.ts'
import { type KeyAnswer, type KeyRequest, membershipRef, wanMembershipRef } from '../../../actors/membership/protocol.ts'
import { listedErrors } from '../../config/errors.ts'
import { readGossipKey } from '../../gossip-key.ts'
import { isRefused, type Result } from '../../kernel/refusal.ts'
import { decodeBody } from '../decode-body.ts'
import { unreachedReply } from '../forward.ts'
import type { HttpReply, Route } from '../route.ts'

/**
 * /v1/operator/keyring: GET shows, POST installs, PUT uses and DELETE removes keys of gossip. Asks every member; one that refuses or is silent
 * makes it fail as a whole, with the reason of each. All pools are asked: that of the servers of all datacenters, and that of each datacenter,
 * where a server of it does so.
 */
export const keyringRoutes: readonly Route[] = (['GET', 'POST', 'PUT', 'DELETE'] as const).map(
  (method): Route => ({
    method,
    path: '/v1/operator/keyring',
    async run({ query, body }, { asked }) {
      const wanted = wantedOf(method, query, body)
      if ('status' in wanted) return wanted
      const facts = await asked(localRef, 'facts', null)
      if (isRefused(facts)) return facts
      if (!facts.server) return { status: 500, text: 'keyring operations must run against a server node' }
      const { datacenter, ports } = facts
      const { request } = wanted
      const fault = keyFault(request)
      const isWide = !wanted.isLocal && ports.serfWan > 0
      const local = `${datacenter} (LAN)`
      if (fault !== undefined) return failed([...(isWide ? ['WAN'] : []), local].map((label) => `${label} error: ${fault}`))
      const known = isWide ? await asked(datacentersRef, 'show', null) : { datacenters: [] }
      if (isRefused(known)) return known
      const others = known.datacenters.map(({ name }) => name).filter((name) => name !== datacenter)
      const [answers, wide, ...far] = await Promise.all([
        asked(membershipRef, 'keyring', request, ANSWER_WITHIN_MS),
        isWide ? asked(wanMembershipRef, 'keyring', request, ANSWER_WITHIN_MS) : [],
        ...others.map((name) => asked({ ...exchangeRef, datacenter: name }, 'keyring', request, ANSWER_WITHIN_MS)),
      ])
      if (isRefused(answers)) return answers
      if (isRefused(wide)) return wide
      const pools: KeyPool[] = isWide ? [{ label: 'WAN', datacenter, answers: wide, isWide }] : []
      pools.push({ label: local, datacenter, answers, isWide: false })
      for (const [at, name] of others.entries()) {
        const told = far[at] ?? []
        if (isRefused(told)) return unreachedReply(told)
        if (!areAnswers(told)) return { status: 500, text: `rpc error making call: the answer of a server of ${name} is malformed` }
        pools.push({ label: `${name} (LAN)`, datacenter: name, answers: told, isWide: false })
      }
      const errors = pools.flatMap(({ label, answers }) => errorsOf(label, answers))
      if (errors.length > 0) return failed(errors)
      return method === 'GET' ? { json: pools.map(shown) } : {}
    },
  }),
)

type KeyPool = { label: string; datacenter: string; answers: KeyAnswer[]; isWide: boolean }

/** What comes from another datacenter may be anything. */
function areAnswers(told: unknown): told is KeyAnswer[] {
  return Array.isArray(told) && told.every(isAnswer)
}

function isAnswer(one: unknown): boolean {
  if (typeof one !== 'object' || one === null) return false
  const { name, keys, why } = one as Partial<Record<keyof KeyAnswer, unknown>>
  const isSaid = why === null || typeof why === 'string'
  return typeof name === 'string' && isSaid && Array.isArray(keys) && keys.every((key) => typeof key === 'string')
}

/** Longer than members are waited for, however many there are. */
const ANSWER_WITHIN_MS = 30_000
const RELAY_FACTOR_MAX = 5
const DOES = { POST: 'install', PUT: 'use', DELETE: 'remove' } as const

function wantedOf(method: 'GET' | keyof typeof DOES, query: URLSearchParams, body: Buffer): WantedKeys | (HttpReply & { status: number }) {
  const factor = query.get('relay-factor') ?? ''
  if (factor !== '' && !/^[+-]?\d+$/.test(factor)) {
    return badRequest(`Error parsing relay factor: strconv.Atoi: parsing ${JSON.stringify(factor)}: invalid syntax`)
  }
  if (Number(factor) < 0 || Number(factor) > RELAY_FACTOR_MAX) {
    return badRequest(`Invalid relay factor: Relay factor must be in range: [0, ${RELAY_FACTOR_MAX}]`)
  }
  const local = query.get('local-only') ?? ''
  if (local !== '' && !/^([01tTfF]|true|TRUE|True|false|FALSE|False)$/.test(local)) {
    return badRequest(`Error parsing local-only: strconv.ParseBool: parsing ${JSON.stringify(local)}: invalid syntax`)
  }
  const isLocal = /^[1tT]/.test(local)
  if (method === 'GET') return { request: { do: 'list' }, isLocal }
  if (isLocal) return badRequest('local-only can only be used for GET requests')
  const decoded: Result<{ Key?: string }> = decodeBody(body, { Key: 'string' })
  if (isRefused(decoded)) return badRequest(`Request decode failed: ${decoded.why}`)
  return { request: { do: DOES[method], key: decoded.Key ?? '' }, isLocal }
}

/** `relay-factor` is read and changes nothing: answers come over connections, so none is lost on its way. */
type WantedKeys = { request: KeyRequest; isLocal: boolean }

/** What is no key is not passed on. Source: Go's Base64 and memberlist's keyring. */
function keyFault(request: KeyRequest): string | undefined {
  if (request.do === 'list') return undefined
  const { key } = request
  if (Buffer.from(key, 'base64').toString('base64') !== key) {
    const at = key.search(/[^A-Za-z0-9+/]/)
    return `illegal base64 data at input byte ${at < 0 ? key.length : at}`
  }
  return request.do === 'install' && typeof readGossipKey(key) === 'string' ? 'key size must be 16, 24 or 32 bytes' : undefined
}

/** As Serf counts: who refused, who has not answered, and what each of them said. */
function errorsOf(label: string, answers: readonly KeyAnswer[]): string[] {
  const refused = answers.filter(({ why }) => why !== '' && why !== null)
  const silent = answers.filter(({ why }) => why === null)
  if (refused.length + silent.length === 0) return []
  const count =
    refused.length > 0
      ? `${refused.length}/${answers.length} nodes reported failure`
      : `${answers.length - silent.length}/${answers.length} nodes reported success`
  return [`${label} error: ${count}`, ...refused.map(({ name, why }) => `${name}: ${why}`)]
}

function shown({ isWide, datacenter, answers }: KeyPool): object {
  return {
    WAN: isWide,
    Datacenter: datacenter,
    Segment: '',
    Keys: counted(answers.flatMap(({ keys }) => keys)),
    PrimaryKeys: counted(answers.flatMap(({ keys }) => keys.slice(0, 1))),
    NumNodes: answers.length,
  }
}

/** How often each is there, in the order of Go's maps when they are printed. */
function counted(keys: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>()
  for (const key of [...keys].sort()) counts.set(key, (counts.get(key) ?? 0) + 1)
  return Object.fromEntries(counts)
}

function failed(errors: readonly string[]): HttpReply {
  return { status: 500, text: listedErrors([...errors]) }
}

function badRequest(text: string): HttpReply & { status: number } {
  return { status: 400, text: `Bad request: ${text}` }
}
