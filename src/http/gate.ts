import { BlockList, isIPv6 } from 'node:net'
import type { Config } from '../config/config.ts'
import { parseDuration } from '../config/durations.ts'
import { isRefused } from '../kernel/refusal.ts'
import { createBrowserGate } from './browsers.ts'
import { isStaleAllowed } from './parameters.ts'
import type { HttpReply, HttpRequest } from './route.ts'
import { isUnprintable } from './target.ts'

/** Endpoints that know namespaces, and refuse them. */
const NAMESPACED = [
  /^\/v1\/(kv|session|config|connect\/intentions)/,
  /^\/v1\/catalog\/(service|connect|register|node\/|node-services)/,
  /^\/v1\/health\/(service|connect|checks|node|state)/,
  /^\/v1\/agent\/(service|check|health\/service|connect\/ca\/leaf|connect\/authorize)/,
]
/** Endpoints that tell of this agent alone: there is no other way to find their answers. */
const OF_THIS_AGENT = /^\/v1\/agent\/(?!connect\/ca\/)/
const NAMESPACES = 'Namespaces are a Consul Enterprise feature'

/** What is refused before an endpoint sees it. */
export type Gate = {
  /** Whether answers may be given before it is known which endpoint gives them. */
  readonly open: boolean
  /** `path` is decoded. */
  refusal(said: Pick<HttpRequest, 'method' | 'path' | 'from' | 'headers'>): HttpReply | undefined
  parametersWrong(request: HttpRequest): HttpReply | undefined
}

export function createGate(config: Config): Gate {
  const { blockEndpoints, allowWriteHttpFrom, allowHosts, disableUnprintableCharFilter, useCache } = config.http
  const writers = allowWriteHttpFrom.length > 0 ? blockListOf(allowWriteHttpFrom) : undefined
  const browserRefusal = createBrowserGate(config.http)

  return {
    open: blockEndpoints.length === 0 && allowHosts.length === 0,

    refusal(said) {
      const { method, path, from } = said
      const foreign = browserRefusal(said)
      if (foreign) return foreign
      if (!disableUnprintableCharFilter && isUnprintable(path)) return { status: 400 }
      if (blockEndpoints.some((prefix) => path.startsWith(prefix)))
        return { status: 403, text: 'Endpoint is blocked by agent configuration' }
      const reads = method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
      if (writers && !reads && !allowed(writers, from)) return { status: 403, text: 'Access is restricted' }
      return undefined
    },

    parametersWrong({ path, query, headers }) {
      if (query.size === 0 && headers['x-consul-namespace'] === undefined && headers['cache-control'] === undefined) return undefined
      if (NAMESPACED.some((pattern) => pattern.test(path))) {
        if (query.get('ns')) return { status: 400, text: `Bad request: Invalid query parameter: "ns" - ${NAMESPACES}` }
        if (headers['x-consul-namespace']) return { status: 400, text: `Bad request: Invalid header: "X-Consul-Namespace" - ${NAMESPACES}` }
      }
      if (OF_THIS_AGENT.test(path)) return undefined
      const wrong = consistencyWrong(query, useCache)
      if (wrong !== undefined) return { status: 400, text: wrong }
      return cacheControlWrong(String(headers['cache-control'] ?? '')) ? { status: 400, text: 'Invalid Cache-Control header.' } : undefined
    },
  }
}

/** Why the ways in which an answer may be found contradict each other, or undefined if they do not. */
function consistencyWrong(query: URLSearchParams, useCache: boolean): string | undefined {
  const staleness = query.get('max_stale')
  if (staleness && isRefused(parseDuration(staleness))) return `Invalid max_stale value ${JSON.stringify(staleness)}`
  if (!query.has('consistent')) return undefined
  if (query.has('stale') || isStaleAllowed(query)) return 'Cannot specify ?stale with ?consistent, conflicting semantics.'
  return useCache && query.has('cached') ? 'Cannot specify ?cached with ?consistent, conflicting semantics.' : undefined
}

/** Whether one of the numbers of seconds that a reader can ask for is none. */
function cacheControlWrong(header: string): boolean {
  return header
    .toLowerCase()
    .split(',')
    .map((part) => part.trim())
    .some((part) => /^(max-age|stale-if-error)(=|$)/.test(part) && !/^[^=]+=\d+$/.test(part))
}

function blockListOf(cidrs: readonly string[]): BlockList {
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [address = '', bits = ''] = cidr.split('/')
    list.addSubnet(address, Number(bits), isIPv6(address) ? 'ipv6' : 'ipv4')
  }
  return list
}

function allowed(list: BlockList, address: string): boolean {
  const plain = address.replace(/^::ffff:/, '')
  return list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4')
}
