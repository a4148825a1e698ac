import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { compileRegexp, type Regexp } from '../../src/kernel/regexp.ts'
import { type Interpolation, parseInterpolation, rendered, type Values } from './interpolation.ts'
import { isTemplate, NAME_PREFIX_MATCH, type PreparedQuery, type ServiceQuery } from './tables.ts'

/** Why a template cannot be used, in Consul's words; undefined if it can, or if the query is none. */
export function templateWrong(query: PreparedQuery): Refusal | undefined {
  if (!isTemplate(query)) return undefined
  const rendering = renderTemplate(query, query.name)
  return isRefused(rendering) ? refuse('invalid', `failed compiling template: ${rendering.why}`) : undefined
}

/** The query that a template makes of a name that begins with the template's own. */
export function renderTemplate<Query extends PreparedQuery>(query: Query, name: string): Result<Query> {
  if (query.template.type !== NAME_PREFIX_MATCH) return refuse('invalid', `Bad Template.Type '${query.template.type}'`)
  const pattern = regexpOf(query.template.regexp)
  if (isRefused(pattern)) return pattern
  const groups = pattern?.groups(name) ?? []
  const values: Values = {
    variables: {
      'name.full': name,
      'name.prefix': query.name,
      'name.suffix': name.startsWith(query.name) ? name.slice(query.name.length) : name,
      'agent.segment': '',
    },
    match: (number) => groups[number] ?? '',
  }
  const service = filled(query.service, 'Service', values)
  if (isRefused(service)) return service
  const { tags } = service
  const kept = query.template.removeEmptyTags && tags !== null ? tags.filter((tag) => tag.trim() !== '') : tags
  return { ...query, service: { ...service, tags: kept } }
}

/** What all texts of a query may become together: a few places could otherwise make gigabytes of one long name. */
const CHARACTERS_MAX = 1_048_576
const VARIABLES = ['name.full', 'name.prefix', 'name.suffix', 'agent.segment']

function regexpOf(source: string): Result<Regexp> | undefined {
  if (source === '') return undefined
  const regexp = compileRegexp(source)
  return isRefused(regexp) ? refuse('invalid', `Bad Regexp: ${regexp.why}`) : regexp
}

/** The same structure with all its texts filled in. `path` is that of Consul's structure, for what is wrong. */
function filled(service: ServiceQuery, path: string, values: Values): Result<ServiceQuery> {
  let wrong: Refusal | undefined
  let left = CHARACTERS_MAX
  const fill = (text: string, at: string): string => {
    const parts: Result<Interpolation> = parseInterpolation(text, VARIABLES)
    const full = isRefused(parts) ? parts : rendered(parts, values, left)
    if (isRefused(full)) {
      wrong ??= refuse('invalid', `Bad format '${text}' in ${path}${at}: ${full.why}`)
      return text
    }
    left -= full.length
    return full
  }
  const fillList = (list: string[] | null, at: string): string[] | null =>
    list?.map((text, position) => fill(text, `${at}[${position}]`)) ?? null
  const fillMap = (map: Record<string, string> | null, at: string): Record<string, string> | null =>
    map && Object.fromEntries(Object.entries(map).map(([key, text]) => [key, fill(text, `${at}[${key}]`)]))
  const result: ServiceQuery = {
    ...service,
    service: fill(service.service, '.Service'),
    failover: { ...service.failover, datacenters: fillList(service.failover.datacenters, '.Failover.Datacenters') },
    ignoreCheckIds: fillList(service.ignoreCheckIds, '.IgnoreCheckIDs'),
    near: fill(service.near, '.Near'),
    tags: fillList(service.tags, '.Tags'),
    nodeMeta: fillMap(service.nodeMeta, '.NodeMeta'),
    serviceMeta: fillMap(service.serviceMeta, '.ServiceMeta'),
  }
  return wrong ?? result
}
