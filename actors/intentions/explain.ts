import { type Decision, decide, precedenceOf, type Rule, WILDCARD } from './decide.ts'

/** How a decision came about. */
export type Explanation = {
  decision: Decision
  /** The four places where an intention about the two services can be, the first to be looked at first. */
  candidates: Candidate[]
  /** What holds where no intention matches. */
  fallback: { allow: boolean; decides: boolean }
  /** Sources of intentions on this destination that are about others than this source, at most `OTHERS_MAX`, and how many there are. */
  others: { sources: string[]; count: number }
}

export type Candidate = {
  source: string
  destination: string
  precedence: number
  /** None: nobody has written one. */
  rule?: Rule
  decides: boolean
  /** Why it decides or why it does not, as a part of a sentence. */
  why: string
}

export const OTHERS_MAX = 20

/** Which rule decides about a connection, and why each other does not. `rules`: all that are about the destination or about any. */
export function explain(rules: readonly Rule[], source: string, destination: string, defaultAllow: boolean): Explanation {
  const decision = decide(rules, source, destination, defaultAllow)
  const others = rules.filter((rule) => rule.destination === destination && rule.source !== source && rule.source !== WILDCARD)
  return {
    decision,
    candidates: placesOf(source, destination).map((place) => candidateOf(place, rules, decision)),
    fallback: { allow: defaultAllow, decides: decision.rule === undefined },
    others: { sources: nearestNames(source, others).slice(0, OTHERS_MAX), count: others.length },
  }
}

type Place = { source: string; destination: string }

/** Without repetitions where a name is the wildcard itself. */
function placesOf(source: string, destination: string): Place[] {
  const places = [destination, WILDCARD].flatMap((to) => [source, WILDCARD].map((from) => ({ source: from, destination: to })))
  return places.filter((place, at) => places.findIndex((one) => same(one, place)) === at)
}

function same(one: Place, other: Place): boolean {
  return one.source === other.source && one.destination === other.destination
}

function candidateOf(place: Place, rules: readonly Rule[], { rule: winner }: Decision): Candidate {
  const rule = rules.find((one) => same(one, place))
  const precedence = precedenceOf(place)
  if (!rule) return { ...place, precedence, decides: false, why: 'there is none' }
  if (rule === winner) return { ...place, precedence, rule, decides: true, why: decidesBecause(rule) }
  return { ...place, precedence, rule, decides: false, why: `one with the precedence ${winner ? precedenceOf(winner) : ''} comes first` }
}

function decidesBecause({ permissions }: Rule): string {
  if (!permissions) return 'decides: it is the first that matches'
  return 'decides: it is the first that matches, and it is about requests, which are not looked into: nobody is let through'
}

/** Names that differ in letter case only stand first: they are what people overlook. */
function nearestNames(source: string, others: readonly Rule[]): string[] {
  const isAlike = (name: string) => name.toLowerCase() === source.toLowerCase()
  const names = others.map((rule) => rule.source)
  return [...names.filter(isAlike), ...names.filter((name) => !isAlike(name))]
}
