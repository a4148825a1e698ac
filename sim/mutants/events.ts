import type { UserEvent } from '../../actors/events/protocol.ts'
import type { Told } from '../../actors/membership/protocol.ts'
import { type Mutant, mutant, wrapHandler } from './mutant.ts'

export const eventsTwice: Mutant = mutant({
  name: 'events-twice',
  about: 'every fifth event that is fired is forgotten to have been heard of already',
  caughtBy: 'events-are-true',
  runsMax: 10,
  mutations: wrapHandler('events', 'sent', (handler) => {
    let count = 0
    return (state, request, turn, from) => {
      if (++count % 5 === 0) (state as { heardOf: Set<string> }).heardOf.delete((request as { event: UserEvent }).event.id)
      return handler(state, request, turn, from)
    }
  }),
})

export const eventsLost: Mutant = mutant({
  name: 'events-lost',
  about: 'an event takes the place of the newest one',
  caughtBy: 'events-are-true',
  runsMax: 10,
  mutations: wrapHandler('events', 'told', (handler) => (state, request, turn, from) => {
    const { seen, events } = state as { seen: ReadonlySet<string> | undefined; events: UserEvent[] }
    if ((request as { told: readonly Told[] }).told.some(({ id }) => !seen?.has(id))) events.pop()
    return handler(state, request, turn, from)
  }),
})

export const eventsUntold: Mutant = mutant({
  name: 'events-untold',
  about: 'those who wait for events are not told of them',
  caughtBy: 'events-are-true',
  runsMax: 20,
  mutations: wrapHandler('events', 'told', (handler) => (state, request, turn, from) => {
    const all = state as { followers: unknown[] }
    const { followers } = all
    all.followers = []
    const answer = handler(state, request, turn, from)
    all.followers = followers
    return answer
  }),
})
