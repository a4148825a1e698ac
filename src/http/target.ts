import type { HttpReply } from './route.ts'

/** Where a request goes: its path decoded and as it came, and what follows the question mark. */
export type Target = { path: string; rawPath: string; queryText: string }

/** Reads a request's target, in the origin or the absolute form. Refused if the path is not UTF-8 behind its escapes. */
export function targetOf(url: string): Target | (HttpReply & { status: number }) {
  const origin = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?]*/i, '')
  const queryAt = origin.indexOf('?')
  const rawPath = queryAt < 0 ? origin : origin.slice(0, queryAt)
  const queryText = queryAt < 0 ? '' : origin.slice(queryAt + 1)
  if (!rawPath.includes('%')) return { path: rawPath, rawPath, queryText }
  try {
    return { path: decodeURIComponent(rawPath), rawPath, queryText }
  } catch (error) {
    if (!(error instanceof URIError)) throw error
    return { status: 400, text: `Bad request: the path has an escape that is not UTF-8: ${JSON.stringify(rawPath)}` }
  }
}

/** Whether a path has a character that Go does not print, such as a control character or a space other than the plain one. */
export function isUnprintable(path: string): boolean {
  return !PLAIN.test(path) && UNPRINTABLE.test(path)
}

/** Where Go's request multiplexer sends whoever asks for a path with empty, `.` or `..` parts; undefined for all others. */
export function cleanPath(path: string): string | undefined {
  if (path.startsWith('/') && !UNCLEAN.test(path)) return undefined
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  const clean = `/${parts.join('/')}`
  return path.endsWith('/') && clean !== '/' ? `${clean}/` : clean
}

/** A permanent redirect to a decoded path. Those who read get a page with the link, as Go's `http.Redirect` has it. */
export function redirected(method: string, path: string, queryText: string): HttpReply {
  const location = `${encodeURI(path).replace(/[?#]/g, encodeURIComponent)}${queryText === '' ? '' : `?${queryText}`}`
  const headers = { Location: location }
  if (method !== 'GET' && method !== 'HEAD') return { status: 301, headers }
  return { status: 301, headers, text: `<a href="${escaped(location)}">Moved Permanently</a>.\n\n`, type: 'text/html; charset=utf-8' }
}

const PLAIN = /^[\x20-\x7e]*$/
const UNPRINTABLE = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u
const UNCLEAN = /\/\/|\/\.\.?(\/|$)/

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&#34;').replaceAll("'", '&#39;')
}
