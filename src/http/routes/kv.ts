import { kvRef } from '../../../actors/kv/index.ts'
import { kvGet, kvKeys, kvList } from '../../../actors/kv/queries.ts'
import type { KvEntry } from '../../../actors/kv/tables.ts'
import { isRefused, type Refusal, refuse } from '../../kernel/refusal.ts'
import { kvShape } from '../kv-shapes.ts'
import { tooLarge } from '../request.ts'
import { type HttpReply, type HttpRequest, question, type Reading, type Route } from '../route.ts'

const RAW_HEADERS = { 'X-Content-Type-Options': 'nosniff', 'Content-Security-Policy': 'sandbox' }

/** GET /v1/kv/:key */
export const kvGetRoute: Route = {
  method: 'GET',
  path: '/v1/kv/*key',
  read({ rest: key, query }, view) {
    const recurse = query.has('recurse')
    if (query.has('keys')) {
      const { index, keys } = kvKeys(view, key, query.get('separator') ?? query.get('seperator') ?? '')
      return keys.length === 0 && key !== '' ? { index, status: 404 } : { index, json: keys }
    }
    if (recurse) {
      const { index, entries } = kvList(view, key)
      const [first] = entries
      if (!first) return { index, status: 404 }
      return query.has('raw') ? rawReading(index, first[1]) : { index, json: entries.map(([name, entry]) => kvShape(name, entry)) }
    }
    if (key === '') return { status: 400, text: 'Missing key name' }
    const { index, entry } = kvGet(view, key)
    if (!entry) return { index, status: 404 }
    if (query.has('raw')) return rawReading(index, entry)
    return { index, json: [kvShape(key, entry)] }
  },
}

/** PUT /v1/kv/:key */
export const kvPutRoute: Route = {
  method: 'PUT',
  path: '/v1/kv/*key',
  statusOf: { invalid: 413 },
  ask(request, { kvValueBytesMax }) {
    const { rest: key, query, body, token } = request
    const wrong = keyOrFlagsWrong(request)
    if (wrong) return wrong
    if (body.byteLength > kvValueBytesMax) return tooLarge(body.byteLength, kvValueBytesMax, 'kv_max_value_size')
    const flags = unsigned(query.get('flags'))
    if (isRefused(flags)) return { status: 500, text: flags.why }
    const cas = casOf(query)
    if (isRefused(cas)) return { status: 500, text: cas.why }
    const entry = { key, value: body, flags: flags ?? 0n, token }
    if (query.has('acquire')) return question(kvRef, 'lock', { ...entry, session: query.get('acquire') ?? '' })
    if (query.has('release')) return question(kvRef, 'unlock', { ...entry, session: query.get('release') ?? '' })
    return question(kvRef, 'put', { ...entry, ...(cas !== undefined && { cas }) })
  },
  reply: ({ applied }: { applied: boolean }) => ({ json: applied }),
}

/** DELETE /v1/kv/:key */
export const kvDeleteRoute: Route = {
  method: 'DELETE',
  path: '/v1/kv/*key',
  ask({ rest: key, query, token }) {
    const recurse = query.has('recurse')
    const conflicting = conflict(query, ['recurse', 'cas'])
    if (conflicting) return conflicting
    if (key === '' && !recurse) return { status: 400, text: 'Missing key name' }
    const cas = casOf(query)
    if (isRefused(cas)) return { status: 500, text: cas.why }
    return question(kvRef, 'delete', { key, recurse, token, ...(cas !== undefined && { cas }) })
  },
  reply: ({ applied }: { applied: boolean }) => ({ json: applied }),
}

function rawReading(index: number, { value }: KvEntry): Reading {
  return { index, bytes: value, type: 'text/plain', headers: RAW_HEADERS }
}

function keyOrFlagsWrong({ rest: key, query }: HttpRequest): HttpReply | undefined {
  if (key === '') return { status: 400, text: 'Missing key name' }
  return conflict(query, ['cas', 'acquire', 'release'])
}

/** Of these parameters only one may be given; the answer shows all there are, by name. */
function conflict(query: URLSearchParams, names: readonly string[]): HttpReply | undefined {
  if (names.filter((name) => query.has(name)).length < 2) return undefined
  const shown = new URLSearchParams(query)
  shown.sort()
  return { status: 400, text: `Conflicting flags: ${shown}` }
}

function casOf(query: URLSearchParams): number | undefined | Refusal {
  const cas = unsigned(query.get('cas'))
  return typeof cas === 'bigint' ? Number(cas) : cas
}

/** An unsigned 64-bit number, with Go's words for what is not one. */
function unsigned(text: string | null): bigint | undefined | Refusal {
  if (text === null) return undefined
  if (!/^\d+$/.test(text)) return refuse('invalid', `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`)
  const value = BigInt(text)
  if (value > 0xffff_ffff_ffff_ffffn) return refuse('invalid', `strconv.ParseUint: parsing "${text}": value out of range`)
  return value
}
