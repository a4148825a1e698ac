import type { Permission } from './permissions.ts'
import type { IntentionAction } from './tables.ts'

/** What an intention says, as far as a decision goes. */
export type Rule = {
  /** '' unless it was made by the older interface. */
  id: string
  source: string
  destination: string
  /** With permissions always `deny`: what whoever does not look into requests does. */
  action: IntentionAction
  permissions?: readonly Permission[]
}

export type Decision = {
  allowed: boolean
  /** The rule that decided; none when the default did. */
  rule?: Rule
  /** In Consul's words. */
  reason: string
}

export const WILDCARD = '*'

/**
 * Whether `source` may connect to `destination`: the matching rule with the highest precedence decides, else the default.
 * The order of the rules does not matter, because there is at most one for each pair of names.
 */
export function decide(rules: readonly Rule[], source: string, destination: string, defaultAllow: boolean): Decision {
  let rule: Rule | undefined
  for (const candidate of rules) {
    if (!matches(candidate, source, destination)) continue
    if (!rule || precedenceOf(candidate) > precedenceOf(rule)) rule = candidate
  }
  if (!rule) {
    const reason = defaultAllow ? 'ACLs disabled, access is allowed by default' : 'Default behavior configured by ACLs'
    return { allowed: defaultAllow, reason }
  }
  const layer = rule.permissions ? 'L7' : 'L4'
  return { allowed: rule.action === 'allow' && !rule.permissions, rule, reason: `Matched ${layer} intention: ${ruleText(rule)}` }
}

/** 9 for two names, 8 for any source, 6 for any destination, 5 for both. Consul's other numbers need namespaces. */
export function precedenceOf({ source, destination }: Pick<Rule, 'source' | 'destination'>): number {
  return (destination === WILDCARD ? 6 : 9) - (source === WILDCARD ? 1 : 0)
}

/** Orders by precedence, highest first, then by the names of source and destination. */
export function comparePrecedence(a: Pick<Rule, 'source' | 'destination'>, b: Pick<Rule, 'source' | 'destination'>): number {
  return precedenceOf(b) - precedenceOf(a) || compareText(a.source, b.source) || compareText(a.destination, b.destination)
}

/** `default/web => default/db (Precedence: 9, Action: DENY)`, or `(Precedence: 9, Permissions: 1)` */
export function ruleText(rule: Rule): string {
  const id = rule.id === '' ? '' : `ID: ${rule.id}, `
  const says = rule.permissions ? `Permissions: ${rule.permissions.length}` : `Action: ${rule.action.toUpperCase()}`
  const facts = `${id}Precedence: ${precedenceOf(rule)}, ${says}`
  return `default/${rule.source} => default/${rule.destination} (${facts})`
}

function matches(rule: Rule, source: string, destination: string): boolean {
  return (rule.source === WILDCARD || rule.source === source) && (rule.destination === WILDCARD || rule.destination === destination)
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
