import type { RequestOf } from '../../src/kernel/protocol.ts'
import type { ExchangeProtocol } from './protocol.ts'

/** What a request of the protocol is, as others say it: of other versions, or of clusters of somebody else. */
type Said<Name extends keyof ExchangeProtocol> = RequestOf<ExchangeProtocol[Name]>

/** Why something is no request of this kind, naming the field; undefined if it is one. */
export function httpFault(said: Said<'http'>): string | undefined {
  if (!isNumbered(said)) return NOT_NUMBERED
  const { request } = said
  if (!isObject(request)) return 'request: must be an object'
  const { method, url, from, headers, body, datacenter } = request
  const wrong = Object.entries({ method, url, from, datacenter: datacenter ?? '' }).find(([, value]) => typeof value !== 'string')
  if (wrong) return `request.${wrong[0]}: must be a text`
  if (!isObject(headers) || !Object.values(headers).every(isTextOrTexts)) return 'request.headers: must be texts'
  return body instanceof Uint8Array ? undefined : 'request.body: must be bytes'
}

export function dnsFault(said: Said<'dns'>): string | undefined {
  if (!isNumbered(said)) return NOT_NUMBERED
  const { question } = said
  if (!isObject(question)) return 'question: must be an object'
  const { name, type, settings, turn, datacenter } = question
  if (typeof name !== 'string' || typeof (datacenter ?? '') !== 'string') return 'question.name and datacenter: must be texts'
  if (!Number.isInteger(type)) return 'question.type: must be a whole number'
  return isObject(settings) && isObject(turn) ? undefined : 'question.settings and turn: must be objects'
}

export function executeFault(said: Said<'execute'>): string | undefined {
  if (!isObject(said) || !Number.isInteger(said.limit)) return 'limit: must be a whole number'
  const { query, connect } = said
  if (!isObject(query)) return 'query: must be an object'
  const { service, near, onlyPassing, ignoreCheckIds, tags, nodeMeta, serviceMeta } = query
  if (typeof service !== 'string' || typeof near !== 'string') return 'query.service and near: must be texts'
  const flags: unknown[] = [connect, onlyPassing, query.connect]
  if (!flags.every((flag) => typeof flag === 'boolean')) return 'connect and query.onlyPassing: must be true or false'
  if (![ignoreCheckIds, tags].every((list) => list === null || isTexts(list)))
    return 'query.ignoreCheckIds and tags: must be lists of texts'
  const maps = [nodeMeta, serviceMeta].map((map) => (isObject(map) ? Object.values(map) : map))
  return maps.every((values) => values === null || isTexts(values)) ? undefined : 'query.nodeMeta and serviceMeta: must be texts by key'
}

export function moreFault(said: Said<'more'>): string | undefined {
  return isNumbered(said) && Number.isInteger(said.from) && said.from >= 0 ? undefined : 'number and from: must be whole numbers'
}

export function giveUpFault(said: Said<'giveUp'>): string | undefined {
  return isNumbered(said) ? undefined : NOT_NUMBERED
}

const NOT_NUMBERED = 'number: must be a whole number'

function isNumbered(said: { number: unknown } | null): boolean {
  return isObject(said) && Number.isInteger(said.number)
}

function isObject<Value>(value: Value): value is Value & object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTextOrTexts(value: unknown): boolean {
  return typeof value === 'string' || isTexts(value)
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
