import { oneOf, whole } from '../fields.ts'
import { defineWorkload } from '../kind.ts'
import { snapshotsOf } from '../snapshots.ts'

export const snapshotSave = defineWorkload({
  name: 'snapshot.save',
  about: 'an operator saves a snapshot',
  onServers: true,
  perMinute: 4,
  oncePerRun: true,
  marks: [{ name: 'snapshot saved', events: 4 }],
  fields: {},
  apply(run, { node }) {
    if (run.up(node)) snapshotsOf(run).save(node)
  },
})

/** Seldom: what was replaced by what was before can prove nothing any more. */
export const snapshotRestore = defineWorkload({
  name: 'snapshot.restore',
  about: 'an operator restores one of the newest snapshots, or one that was damaged',
  onServers: true,
  perMinute: 0.8,
  nodesMax: 1,
  marks: [{ name: 'snapshot restored', events: 1, chance: 0.05 }],
  fields: { age: whole(0, 2), damage: oneOf('none', 'none', 'none', 'bit', 'cut') },
  apply(run, { node, age, damage }) {
    // Each of several servers would have to load it first.
    if (run.up(node) && !run.cluster.log) snapshotsOf(run).restore(node, age, damage)
  },
})
