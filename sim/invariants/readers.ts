import { apisOf } from '../apis.ts'
import { indexesOf } from '../indexes.ts'
import { readersOf } from '../readers.ts'
import type { Run } from '../run.ts'
import { snapshotsOf } from '../snapshots.ts'
import { type Watch, watchesOf } from '../watches.ts'
import type { Invariant } from './invariant.ts'

/** Who watches is told of a change within this. */
const TOLD_WITHIN_MS = 1_000

export const readersMissNothing: Invariant = {
  name: 'readers-miss-nothing',
  sentence: 'whoever waits for a change of what was read is woken by it',
  when: 'rest',
  broken(run) {
    for (const reader of readersOf(run)) {
      const now = reader.look()
      if (now !== undefined && now !== reader.last)
        return `the reader of ${reader.key} on ${reader.node} last saw ${reader.last}, there is ${now}`
    }
    return undefined
  },
}

export const watchesAreTrue: Invariant = {
  name: 'watches-are-true',
  sentence: 'a blocking query is answered with a higher index, or when its wait is over and nothing has changed',
  when: 'always',
  marks: [
    { name: 'watch woken by a change', kind: 'watch', events: 4, chance: 0.7 },
    { name: 'watch answered at its end', kind: 'watch', events: 4 },
  ],
  broken: (run) => watchesOf(run).wrong,
}

export const watchesMissNothing: Invariant = {
  name: 'watches-miss-nothing',
  sentence: 'in the end every client that watches something has seen the newest of it',
  when: 'rest',
  broken(run) {
    for (const watch of watchesOf(run).all) {
      const { node, url, status, body } = watch
      if (!isSettled(run, watch)) continue
      const now = apisOf(run).readNow(node, url)
      run.reach('watch looked at')
      if (now.status !== status || now.body !== body)
        return `whoever watches ${url} on ${node} saw ${status} ${body} last, there is ${now.status} ${now.body}`
    }
    return undefined
  },
}

/** Whether it waits, and nothing has changed on its agent for a while. */
function isSettled(run: Run, { node, toldMs, waitsSinceMs }: Watch): boolean {
  // Whoever asks for what comes after an index that a restore took back has to wait for it.
  if (snapshotsOf(run).mayRestoreBetween(toldMs, run.world.nowMs)) return false
  return waitsSinceMs !== undefined && run.world.nowMs - indexesOf(run).changedAtMs(run.cluster.stateFor(node).name) > TOLD_WITHIN_MS
}
