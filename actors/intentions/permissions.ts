import type { IntentionAction } from './tables.ts'

/**
 * What an intention says about requests that fit. The names are those of the API, in its order; empty fields are left out. The first
 * permission that fits a request decides. Source: connect §7.
 */
export type Permission = { Action: IntentionAction; HTTP: HttpMatch }
export type HttpMatch = {
  /** At most one of these three. */
  PathExact?: string
  PathPrefix?: string
  PathRegex?: string
  /** All of them must fit. */
  Header?: HeaderMatch[]
  /** In upper case. */
  Methods?: string[]
}
/** Exactly one of `Present`, `Exact`, `Prefix`, `Suffix` and `Regex`. */
export type HeaderMatch = {
  Name: string
  Present?: boolean
  Exact?: string
  Prefix?: string
  Suffix?: string
  Regex?: string
  Invert?: boolean
}

/** A permission as somebody writes it: nothing of it is checked but the kinds of its fields. */
export type WrittenPermission = { Action?: string; HTTP?: Omit<HttpMatch, 'Header'> & { Header?: Partial<HeaderMatch>[] } }

/** What is wrong with the permissions of a source, to be put behind its place: `.Permissions[0].HTTP is required`. */
export function permissionsFault(permissions: readonly WrittenPermission[]): string | undefined {
  for (const [position, permission] of permissions.entries()) {
    const fault = permissionFault(permission)
    if (fault !== undefined) return `.Permissions[${position}]${fault}`
  }
  return undefined
}

/** Permissions without fault as they are kept: methods in upper case, without fields that say nothing. */
export function keptPermissions(permissions: readonly WrittenPermission[]): Permission[] {
  return permissions.map(({ Action, HTTP: { PathExact, PathPrefix, PathRegex, Header = [], Methods = [] } = {} }) => ({
    Action: Action === 'allow' ? 'allow' : 'deny',
    HTTP: {
      ...(PathExact && { PathExact }),
      ...(PathPrefix && { PathPrefix }),
      ...(PathRegex && { PathRegex }),
      ...(Header.length > 0 && { Header: Header.map(keptHeader) }),
      ...(Methods.length > 0 && { Methods: Methods.map((method) => method.toUpperCase()) }),
    },
  }))
}

/** Positions of permissions that no request can reach, each with the one before it that takes all its requests. */
export function unreachable(permissions: readonly Permission[]): { position: number; behind: number }[] {
  return permissions.flatMap(({ HTTP: later }, position) => {
    const behind = permissions.slice(0, position).findIndex(({ HTTP: earlier }) => takesAllOf(earlier, later))
    return behind < 0 ? [] : [{ position, behind }]
  })
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE']

function permissionFault({ Action, HTTP }: WrittenPermission): string | undefined {
  if (Action !== 'allow' && Action !== 'deny') return `.Action must be set to 'allow' or 'deny'`
  if (!HTTP) return '.HTTP is required'
  const { PathExact = '', PathPrefix = '', PathRegex = '', Header = [], Methods = [] } = HTTP
  if (PathExact !== '' && !PathExact.startsWith('/')) return `.HTTP.PathExact doesn't start with '/': ${JSON.stringify(PathExact)}`
  if (PathPrefix !== '' && !PathPrefix.startsWith('/')) return `.HTTP.PathPrefix doesn't start with '/': ${JSON.stringify(PathPrefix)}`
  const paths = [PathExact, PathPrefix, PathRegex].filter((path) => path !== '').length
  if (paths > 1) return '.HTTP should only contain at most one of PathExact, PathPrefix, or PathRegex'
  for (const [position, header] of Header.entries()) {
    const fault = headerFault(header)
    if (fault !== undefined) return `.HTTP.Header[${position}] ${fault}`
  }
  return methodsFault(Methods) ?? (paths + Header.length + Methods.length === 0 ? '.HTTP should not be empty' : undefined)
}

function headerFault({ Name = '', Present = false, Exact = '', Prefix = '', Suffix = '', Regex = '' }: Partial<HeaderMatch>) {
  if (Name === '') return 'missing required Name field'
  const parts = [Exact, Prefix, Suffix, Regex].filter((text) => text !== '').length + Number(Present)
  return parts === 1 ? undefined : 'should only contain one of Present, Exact, Prefix, Suffix, or Regex'
}

function methodsFault(methods: readonly string[]): string | undefined {
  const seen = new Set<string>()
  for (const method of methods.map((one) => one.toUpperCase())) {
    if (!METHODS.includes(method)) return `.HTTP.Methods contains an invalid method ${JSON.stringify(method)}`
    if (seen.has(method)) return `.HTTP.Methods contains ${JSON.stringify(method)} more than once`
    seen.add(method)
  }
  return undefined
}

function keptHeader({ Name = '', Present, Exact, Prefix, Suffix, Regex, Invert }: Partial<HeaderMatch>): HeaderMatch {
  return {
    Name,
    ...(Present && { Present }),
    ...(Exact && { Exact }),
    ...(Prefix && { Prefix }),
    ...(Suffix && { Suffix }),
    ...(Regex && { Regex }),
    ...(Invert && { Invert }),
  }
}

/** Whether every request that fits `later` fits `earlier` too, as far as that can be told without solving expressions. */
function takesAllOf(earlier: HttpMatch, later: HttpMatch): boolean {
  if (!pathTakesAllOf(earlier, later)) return false
  if (earlier.Methods && !(later.Methods ?? METHODS).every((method) => earlier.Methods?.includes(method))) return false
  const headers = (later.Header ?? []).map((header) => JSON.stringify(header))
  return (earlier.Header ?? []).every((header) => headers.includes(JSON.stringify(header)))
}

function pathTakesAllOf(earlier: HttpMatch, later: HttpMatch): boolean {
  if (earlier.PathExact !== undefined) return later.PathExact === earlier.PathExact
  if (earlier.PathRegex !== undefined) return later.PathRegex === earlier.PathRegex
  const { PathPrefix: prefix } = earlier
  if (prefix === undefined || prefix === '/') return true
  return [later.PathExact, later.PathPrefix].some((path) => path?.startsWith(prefix))
}
