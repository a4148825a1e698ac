import { checkHistory } from '../models/linearizable.ts'
import type { Run } from '../run.ts'
import { snapshotsOf } from '../snapshots.ts'
import type { Invariant } from './invariant.ts'

export const kvIsLinearizable: Invariant = {
  name: 'kv-is-linearizable',
  sentence: 'no acknowledged write of the key/value store is lost, and reads and conditions see one order of writes',
  when: 'rest',
  broken: (run) => firstFault(run, 'kv/'),
}

export const queriesAreLinearizable: Invariant = {
  name: 'queries-are-linearizable',
  sentence: 'no acknowledged change of a prepared query is lost, and whoever asks it sees one order of changes',
  when: 'rest',
  broken: (run) => firstFault(run, 'query/'),
}

export const registrationsSurvive: Invariant = {
  name: 'registrations-survive',
  sentence: 'an agent has the registrations that it acknowledged, whatever happened to its machine',
  when: 'rest',
  broken: (run) => firstFault(run, AGENTS_OWN),
}

/** What is no part of the cluster's state, so that no snapshot has it. */
const AGENTS_OWN = 'service/'

/** A history that is too tangled to be judged leaves a mark. */
function firstFault(run: Run, prefix: string): string | undefined {
  for (const [key, operations] of run.history.operations) {
    if (!key.startsWith(prefix)) continue
    const { fault, gaveUp } = checkHistory([...operations, ...(prefix === AGENTS_OWN ? [] : snapshotsOf(run).operationsOn(key))])
    if (gaveUp) run.reach(`history of ${prefix} given up`)
    if (fault !== undefined) return `${key.slice(prefix.length)}: ${fault}`
  }
  return undefined
}
