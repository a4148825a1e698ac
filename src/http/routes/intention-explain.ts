import { precedenceOf, type Rule } from '../../../actors/intentions/decide.ts'
import type { Candidate, Explanation } from '../../../actors/intentions/explain.ts'
import { intentionsRef } from '../../../actors/intentions/index.ts'
import { question, type Route } from '../route.ts'
import { namesOf } from './intention-bodies.ts'

/** GET /v1/tribune/intentions/explain?source=&destination=: how a decision comes about. */
export const intentionExplainRoute: Route = {
  method: 'GET',
  path: '/v1/tribune/intentions/explain',
  ask({ query, token }) {
    const names = namesOf(query, 400)
    return 'status' in names ? names : question(intentionsRef, 'explain', { ...names, token })
  },
  reply: (explanation: Explanation) => ({ json: shownExplanation(explanation) }),
}

export function shownExplanation({ decision, candidates, fallback, others }: Explanation): object {
  return {
    Allowed: decision.allowed,
    Reason: decision.reason,
    Decides: decision.rule ? shownRule(decision.rule) : null,
    Candidates: candidates.map(shownCandidate),
    Default: { Action: fallback.allow ? 'allow' : 'deny', Decides: fallback.decides },
    OtherSources: others.sources,
    OtherSourcesCount: others.count,
  }
}

function shownRule(rule: Rule): object {
  const { id, source, destination, action, permissions } = rule
  return {
    ...(id !== '' && { ID: id }),
    SourceName: source,
    DestinationName: destination,
    ...(permissions ? { Permissions: permissions } : { Action: action }),
    Precedence: precedenceOf(rule),
  }
}

/** `Intention` is null where nobody has written one. */
function shownCandidate({ source, destination, precedence, rule, decides, why }: Candidate): object {
  return {
    SourceName: source,
    DestinationName: destination,
    Precedence: precedence,
    Intention: rule ? shownRule(rule) : null,
    Decides: decides,
    Why: why,
  }
}
