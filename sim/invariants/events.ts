import { eventsOf } from '../events.ts'
import type { Invariant } from './invariant.ts'

export const eventsAreTrue: Invariant = {
  name: 'events-are-true',
  sentence:
    'the list of an agent has each event that was fired on it since it began and concerns it, as it was fired, once and in order, and the newest 256 at most; whoever waits is told of each',
  when: 'always',
  marks: [{ name: 'events seen', kind: 'event.fire', events: 20, chance: 0.3 }],
  broken: (run) => eventsOf(run).wrong ?? eventsOf(run).untold(),
}
