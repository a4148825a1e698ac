import type { UserEvent } from '../../actors/events/protocol.ts'
import { type Mutant, mutant, wrapHandler } from './mutant.ts'

export const eventsTwice: Mutant = mutant({
  name: 'events-twice',
  about: 'every fifth event that arrives is kept twice',
  caughtBy: 'events-are-true',
  runsMax: 10,
  mutations: wrapHandler('events', 'arrived', (handler) => {
    let count = 0
    return (state, request, turn, from) => {
      if (++count % 5 === 0) handler(state, request, turn, from)
      return handler(state, request, turn, from)
    }
  }),
})

export const eventsLost: Mutant = mutant({
  name: 'events-lost',
  about: 'an event takes the place of the newest one',
  caughtBy: 'events-are-true',
  runsMax: 10,
  mutations: wrapHandler('events', 'arrived', (handler) => (state, request, turn, from) => {
    ;(state as { events: UserEvent[] }).events.pop()
    return handler(state, request, turn, from)
  }),
})

export const eventsUntold: Mutant = mutant({
  name: 'events-untold',
  about: 'those who wait for events are not told of them',
  caughtBy: 'events-are-true',
  runsMax: 20,
  mutations: wrapHandler('events', 'arrived', (handler) => (state, request, turn, from) => {
    const all = state as { followers: unknown[] }
    const { followers } = all
    all.followers = []
    const answer = handler(state, request, turn, from)
    all.followers = followers
    return answer
  }),
})
