import type { HttpRequest, Route } from './route.ts'

/** The datacenter that a request is for, in lower case; undefined if that is the own one, if the endpoint is about no certain one,
 * or if its body has to be looked into. */
export function otherDatacenter(
  { query }: Pick<HttpRequest, 'query'>,
  route: Pick<Route, 'path' | 'datacenterInBody'>,
  own: string,
): string | undefined {
  if (query.size === 0 || route.datacenterInBody) return undefined
  const wanted = (query.get('dc') ?? '').toLowerCase()
  return wanted === '' || wanted === own || isOfNoDatacenter(route) ? undefined : wanted
}

/** Whether an endpoint tells of one agent, or of all datacenters. Source: http-api §16. */
export function isOfNoDatacenter({ path }: Pick<Route, 'path'>): boolean {
  return OF_NONE.some((pattern) => pattern.test(path))
}

/** Whether a datacenter can be called that. Source: config, `datacenter`. */
export function isDatacenterName(name: string): boolean {
  return /^[a-z0-9_-]+$/.test(name)
}

const OF_NONE = [
  /^\/v1\/agent\/(?!connect\/ca\/)/,
  /^\/v1\/(catalog|coordinate)\/datacenters$/,
  /^\/v1\/event\/list$/,
  /^\/v1\/operator\/keyring$/,
  /^\/v1\/tribune\/(proxies|decisions|report|actors|gossip)/,
]
