import type { OwnApiAnswer } from '../../src/kernel/ports.ts'
import { eventIndex } from '../events/protocol.ts'
import type { WatchDefinition, WatchQuestion } from './protocol.ts'

/** What is known of an answer: a decimal `index` of up to 64 bits, or for what only this agent knows a `hash`. */
export type Seen = { index: string; hash: string }

export const NOTHING_SEEN: Seen = { index: '0', hash: '' }

/** The path and query that wait for another answer than the one that was seen. */
export function urlOf({ question, datacenter, stale }: Pick<WatchDefinition, 'question' | 'datacenter' | 'stale'>, seen: Seen): string {
  const { path, query = [] } = target(question)
  const pairs: [string, string][] = [...query]
  if (datacenter !== '') pairs.push(['dc', datacenter])
  if (stale) pairs.push(['stale', ''])
  if (seen.hash !== '') pairs.push(['hash', seen.hash])
  else if (seen.index !== '0') pairs.push(['index', seen.index])
  const text = pairs.map(([name, value]) => `${name}=${encodeURIComponent(value.toWellFormed())}`).join('&')
  return text === '' ? path : `${path}?${text}`
}

/**
 * The JSON that a handler gets: what the API's own clients make of the body, on one line; of events those after the newest that was
 * seen. Undefined if it was not an answer to the question but an error.
 */
export function payloadOf(
  question: WatchQuestion,
  { status, text }: Pick<OwnApiAnswer, 'status' | 'text'>,
  seen: Seen = NOTHING_SEEN,
): string | undefined {
  const isOfKeys = question.type === 'key' || question.type === 'keyprefix'
  if (status === 404 && isOfKeys) return 'null\n'
  if (status < 200 || status > 299) return undefined
  const body = text.trim()
  if (question.type === 'key') return `${withSession(body.slice(1, -1).trim())}\n`
  if (question.type === 'keyprefix') return `${withSession(body)}\n`
  if (question.type === 'event') return `${newEvents(body, question.name, seen)}\n`
  return `${body}\n`
}

/**
 * What to wait on next. Indexes that went back count from the start, and none is 0. Source: http-api §0.1.
 */
export function seenAfter(before: Seen, { index, hash }: Pick<OwnApiAnswer, 'index' | 'hash'>): Seen {
  if (hash !== '') return { index: '0', hash }
  if (index === '') return NOTHING_SEEN
  return BigInt(index) < BigInt(before.index) ? NOTHING_SEEN : { index: index === '0' ? '1' : index, hash: '' }
}

type Target = { path: string; query?: readonly [string, string][] }

function target(question: WatchQuestion): Target {
  switch (question.type) {
    case 'key':
      return { path: `/v1/kv/${encodePath(question.key)}` }
    case 'keyprefix':
      return { path: `/v1/kv/${encodePath(question.prefix)}`, query: [['recurse', '']] }
    case 'services':
      return { path: '/v1/catalog/services' }
    case 'nodes':
      return { path: '/v1/catalog/nodes' }
    case 'service': {
      const tags = question.tags.map((tag): [string, string] => ['tag', tag])
      return {
        path: `/v1/health/service/${encodePath(question.service)}`,
        query: question.passingOnly ? [...tags, ['passing', '1']] : tags,
      }
    }
    case 'checks':
      if (question.service !== '') return { path: `/v1/health/checks/${encodePath(question.service)}` }
      return { path: `/v1/health/state/${encodePath(question.state === '' ? 'any' : question.state)}` }
    case 'event':
      return { path: '/v1/event/list', query: question.name === '' ? [] : [['name', question.name]] }
    case 'connect_roots':
      return { path: '/v1/agent/connect/ca/roots' }
    case 'connect_leaf':
      return { path: `/v1/agent/connect/ca/leaf/${encodePath(question.service)}` }
    case 'agent_service':
      return { path: `/v1/agent/service/${encodePath(question.serviceId)}` }
    case 'connect_proxy_config':
      return { path: `/v1/agent/connect/proxy/${encodePath(question.proxyServiceId)}` }
  }
}

/** Slashes stay: they are part of keys. */
function encodePath(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll('%2F', '/')
}

/**
 * Clients of the API show an entry that nobody holds with an empty session; the API leaves it out. In JSON a quotation mark inside a
 * text is escaped, so what is looked for is never part of a key.
 */
function withSession(entries: string): string {
  return entries.replace(/("Value":(?:null|"[\w+/=]*"),)("CreateIndex":)/g, '$1"Session":"",$2')
}

/** All of them if the one that was seen is not kept any more. */
function newEvents(body: string, name: string, { index }: Seen): string {
  const events = (JSON.parse(body) as { ID: string; Name: string }[] | null) ?? []
  const named = name === '' ? events : events.filter((event) => event.Name === name)
  const seenAt = named.findIndex(({ ID }) => String(eventIndex([{ id: ID }])) === index)
  return JSON.stringify(named.slice(seenAt + 1))
}
