import { isRefused } from '../../src/kernel/refusal.ts'
import { compileRegexp } from '../../src/kernel/regexp.ts'
import { joined, type View } from '../../src/kernel/tables.ts'
import { instanceTable } from '../catalog/records.ts'
import { type InstanceRecord, summaryTable } from '../catalog/tables.ts'
import { precedenceOf, WILDCARD } from './decide.ts'
import { type Permission, unreachable } from './permissions.ts'
import { type Intention, intentionExact, intentionList, intentionsFrom, intentionsTo } from './queries.ts'

/** How many intentions are named in one sentence. */
const NAMED_MAX = 3

/**
 * What whoever has just written these intentions about a destination should know, each a sentence: names that no connection will
 * ever have, intentions of higher precedence that decide in place of one of these, those of lower precedence that say the
 * opposite, and permissions that do nothing. What is usual is no news: an exception from a rule for all.
 */
export function writeWarnings(view: View, destination: string, sources: readonly string[]): string[] {
  const warnings = new Set<string>(nameWarnings(view, destination))
  for (const source of sources) {
    const { intention } = intentionExact(view, source, destination)
    if (!intention) continue
    const said = [
      ...nameWarnings(view, source),
      ...shadowWarnings(view, intention),
      ...contradictionWarnings(view, intention),
      ...permissionWarnings(intention),
    ]
    for (const warning of said) warnings.add(warning)
  }
  return [...warnings]
}

/** `web => db (allow)`, or `web => db (2 permissions)` */
function intentionText({
  source,
  destination,
  action,
  permissions,
}: Pick<Intention, 'source' | 'destination' | 'action' | 'permissions'>): string {
  return `${source} => ${destination} (${permissions ? `${permissions.length} permissions` : action})`
}

/** A name that no connection has, by what the catalog has. A service that is not there yet is none of these. */
function nameWarnings(view: View, name: string): string[] {
  if (name === WILDCARD) return []
  const one = anyInstance(view, name)
  if (!one) return name.trim() === name ? [] : [`${quoted(name)} begins or ends with a space, and the catalog has no service of that name`]
  if (one.kind !== '') {
    const owner = one.proxy?.destinationServiceName
    return owner
      ? [`${quoted(name)} is a proxy: its connections are those of ${quoted(owner)}, so this never matches; name ${quoted(owner)}`]
      : []
  }
  if (view.get(summaryTable, name)) return []
  const known = quoted(one.name)
  return [
    `letter case counts in intentions: the catalog has ${known} and no ${quoted(name)}, so this does not match connections of ${known}`,
  ]
}

/** One instance of a service, by its name in any letter case. There may be thousands. */
function anyInstance(view: View, name: string): InstanceRecord | undefined {
  for (const [, instance] of instanceTable.range(view, joined(name.toLowerCase(), ''))) return instance
  return undefined
}

/** Intentions of higher precedence that decide about connections which this one is about too. */
function shadowWarnings(view: View, own: Intention): string[] {
  const above = overlapping(view, own).filter((other) => precedenceOf(other) > precedenceOf(own))
  const [same, opposite] = [above.filter((other) => saysSame(own, other)), above.filter((other) => !saysSame(own, other))]
  return [
    ...(opposite.length > 0
      ? [`${intentionText(own)} does not decide where a more precise one says the opposite: ${named(opposite)}`]
      : []),
    ...(same.length > 0 ? [`${intentionText(own)} does not decide where a more precise one says the same already: ${named(same)}`] : []),
  ]
}

/** Intentions of lower precedence that say the opposite, and are no more general: neither is an exception from the other. */
function contradictionWarnings(view: View, own: Intention): string[] {
  if (own.source !== WILDCARD || own.destination === WILDCARD) return []
  const below = overlapping(view, own).filter(
    (other) => other.destination === WILDCARD && other.source !== WILDCARD && !saysSame(own, other),
  )
  if (below.length === 0) return []
  return [
    `${intentionText(own)} contradicts ${named(below)}, and decides for ${quoted(own.destination)} because the destination counts first`,
  ]
}

function permissionWarnings({ source, destination, permissions }: Intention): string[] {
  if (!permissions) return []
  const pair = `${source} => ${destination}`
  return [
    `${pair} has permissions for requests, which the proxies of this version do not look into: they let nobody through whom it is about`,
    ...unreachable(permissions).map(
      ({ position, behind }) => `Permissions[${position}] of ${pair} never decides: Permissions[${behind}] fits all its requests`,
    ),
    ...permissions.flatMap((permission, position) =>
      expressionsOf(permission).flatMap(([field, text]) => {
        const compiled = compileRegexp(text)
        return isRefused(compiled) ? [`Permissions[${position}].HTTP.${field} of ${pair} never fits: ${compiled.why}`] : []
      }),
    ),
  ]
}

function expressionsOf({ HTTP: { PathRegex, Header = [] } }: Permission): [field: string, text: string][] {
  const headers = Header.map(({ Regex }, position): [string, string | undefined] => [`Header[${position}].Regex`, Regex])
  return [['PathRegex', PathRegex] as [string, string | undefined], ...headers].filter(
    (pair): pair is [string, string] => pair[1] !== undefined,
  )
}

/** Others that are about at least one connection that this one is about. */
function overlapping(view: View, own: Intention): Intention[] {
  const about =
    own.destination === WILDCARD
      ? own.source === WILDCARD
        ? intentionList(view)
        : intentionsFrom(view, own.source)
      : intentionsTo(view, own.destination)
  return about.intentions.filter(
    (other) =>
      !(other.source === own.source && other.destination === own.destination) &&
      overlaps(own.source, other.source) &&
      overlaps(own.destination, other.destination),
  )
}

function overlaps(one: string, other: string): boolean {
  return one === WILDCARD || other === WILDCARD || one === other
}

/** Those with permissions say something else to each request. */
function saysSame(one: Intention, other: Intention): boolean {
  return !one.permissions && !other.permissions && one.action === other.action
}

function named(intentions: readonly Intention[]): string {
  const first = intentions.slice(0, NAMED_MAX).map(intentionText).join(', ')
  return intentions.length > NAMED_MAX ? `${first} and ${intentions.length - NAMED_MAX} more` : first
}

function quoted(name: string): string {
  return JSON.stringify(name)
}
