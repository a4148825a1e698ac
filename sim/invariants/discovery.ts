import { queriesOf } from '../queries.ts'
import { nearOf } from '../workloads/coordinates.ts'
import type { Invariant } from './invariant.ts'

export const queriesAreTrue: Invariant = {
  name: 'queries-are-true',
  sentence:
    'a prepared query is answered with what the server shows at that moment: the instances of its service that are well, each once, as many as were asked for, the nearest first',
  when: 'always',
  marks: [{ name: 'query executed', kind: 'query.execute', events: 40, chance: 0.3 }],
  broken: (run) => queriesOf(run).wrong,
}

export const nearestComeFirst: Invariant = {
  name: 'nearest-come-first',
  sentence: 'who asks for the nearest first gets everything there is, ordered by distance',
  when: 'always',
  broken: (run) => nearOf(run).wrong,
}
