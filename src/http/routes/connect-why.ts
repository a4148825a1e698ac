import { isRefused } from '../../kernel/refusal.ts'
import type { Step } from '../../why/facts.ts'
import { gatherWhy } from '../../why/gather.ts'
import { type Why, whyOf } from '../../why/steps.ts'
import type { Route } from '../route.ts'
import { namesOf } from './intention-bodies.ts'

/** GET /v1/tribune/connect/why?source=&destination=: every link between two services, and the first that is broken. */
export const connectWhyRoute: Route = {
  method: 'GET',
  path: '/v1/tribune/connect/why',
  async run({ query, token }, context) {
    const names = namesOf(query, 400)
    if ('status' in names) return names
    const facts = await gatherWhy(context, { ...names, token })
    return isRefused(facts) ? facts : { json: shownWhy(whyOf(facts)) }
  },
}

export function shownWhy({ source, destination, works, broken, steps }: Why): object {
  return { Source: source, Destination: destination, Works: works, Broken: broken?.name ?? '', Steps: steps.map(shownStep) }
}

function shownStep({ name, state, seen, advice }: Step): object {
  return { Name: name, State: state, Seen: seen, ...(advice !== undefined && { Advice: advice }) }
}
