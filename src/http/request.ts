import type { HttpReply, HttpRequest } from './route.ts'

/** Names the answer of a read: equal for requests that differ only in how they wait. */
export function keyOf(request: HttpRequest): string {
  const { path, query, token } = request
  if (query.size === 0) return keyFor(path, token)
  const kept = [...query].filter(([name]) => name !== 'index' && name !== 'wait' && name !== 'token')
  const fragment = mustRevalidate(request) ? '#fresh' : ''
  return keyFor(`${kept.length === 0 ? path : `${path}?${new URLSearchParams(kept)}`}${fragment}`, token)
}

/** Whether a request takes no answer out of a cache. */
export function mustRevalidate({ headers }: Pick<HttpRequest, 'headers'>): boolean {
  return /(^|,)\s*(must-revalidate|max-age=0+)\s*(,|$)/i.test(String(headers['cache-control'] ?? ''))
}

/** The key of a URL without parameters that say how to wait or who asks. A space is in no URL. */
export function keyFor(url: string, token: string | string[] | undefined): string {
  return token === undefined || token === '' ? url : `${url} ${token}`
}

/** `?token=`, then X-Consul-Token, then `Authorization: Bearer`. */
export function tokenOf(query: URLSearchParams, headers: HttpRequest['headers']): string {
  const given = query.get('token') || headers['x-consul-token']
  if (typeof given === 'string' && given !== '') return given
  return /^Bearer +(\S+)/i.exec(String(headers['authorization'] ?? ''))?.[1] ?? ''
}

export function tooLarge(bytes: number, bytesMax: number, option: string): HttpReply & { status: number } {
  return {
    status: 413,
    text: `Request body(${bytes} bytes) too large, max size: ${bytesMax} bytes. See https://www.consul.io/docs/agent/options.html#${option}.`,
  }
}
