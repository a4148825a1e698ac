import { table } from '../../src/kernel/tables.ts'

/** A question about a service that is kept under a name and asked by it. */
export type PreparedQuery = {
  /** '' if it is only asked by its id. */
  name: string
  /** The id of the session with which it ends; '' for none. */
  session: string
  /** The token with which it is asked; '' for that of whoever asks. */
  token: string
  template: { type: string; regexp: string; removeEmptyTags: boolean }
  service: ServiceQuery
  /** How long DNS may keep the answer: as it was given, '' for what holds for the service. */
  dns: { ttl: string; ttlMs: number }
}

/** Lists and maps that were not given are null. */
export type ServiceQuery = {
  service: string
  failover: { nearestN: number; datacenters: string[] | null }
  /** Leave out instances with a warning too. */
  onlyPassing: boolean
  ignoreCheckIds: string[] | null
  /** A node, `_agent`, `_ip`, or '' for no order. */
  near: string
  /** All of these, and none of those that begin with `!`. */
  tags: string[] | null
  nodeMeta: Record<string, string> | null
  serviceMeta: Record<string, string> | null
  /** Instances that speak Connect. */
  connect: boolean
}

export type QueryRecord = PreparedQuery & { id: string; createIndex: number; modifyIndex: number }

/** By id: a UUID in lower case. */
export const queryTable = table<QueryRecord>('prepared-queries', 65)
/** By name in lower case. */
export const queryNameTable = table<{ id: string }>('prepared-query-names', 66)
/** Templates by name in lower case with TEMPLATE_MARK before it: the name may be empty. */
export const queryTemplateTable = table<{ id: string }>('prepared-query-templates', 67)
/** By session and id: what ends with a session. */
export const querySessionTable = table<{ id: string }>('prepared-query-sessions', 68)

/** The name in the table of indexes. */
export const QUERIES = 'prepared-queries'
/** The only type of template there is. */
export const NAME_PREFIX_MATCH = 'name_prefix_match'

export function templateKey(name: string): string {
  return `=${name.toLowerCase()}`
}

export function isTemplate({ template }: Pick<PreparedQuery, 'template'>): boolean {
  return template.type !== ''
}

export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
}
