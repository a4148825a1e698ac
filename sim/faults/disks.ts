import { ms, whole } from '../fields.ts'
import { defineFault, type Kind } from '../kind.ts'

const RESTART_MS = 1_000

const diskSlow = defineFault({
  name: 'disk-slow',
  about: 'commits take much longer for a while',
  perMinute: 2,
  fields: { times: whole(5, 300), forMs: ms(100, 6_000) },
  apply(run, { node: name, times, forMs }) {
    const node = run.cluster.node(name)
    run.cluster.disturb(name, forMs)
    node.diskSlowness = times
    run.endAfter(forMs, () => (node.diskSlowness = 1))
  },
})

const diskFull = defineFault({
  name: 'disk-full',
  about: 'the disk takes nothing for a while',
  perMinute: 2,
  fields: { forMs: ms(50, 4_000) },
  apply(run, { node: name, forMs }) {
    const node = run.cluster.node(name)
    run.cluster.disturb(name, forMs)
    node.fillDisk(true)
    run.endAfter(forMs, () => node.fillDisk(false))
  },
})

const commitFails = defineFault({
  name: 'commit-fails',
  about: 'one commit fails; the next does not',
  perMinute: 4,
  fields: {},
  apply: (run, { node }) => run.cluster.node(node).tables.failNext(),
})

const diskFails = defineFault({
  name: 'disk-fails',
  about: 'the disk fails: nothing can be written until the agent is started again',
  perMinute: 0.7,
  fields: { forMs: ms(500, 6_000) },
  apply(run, { node: name, forMs }) {
    const node = run.cluster.node(name)
    run.cluster.disturb(name, forMs + RESTART_MS)
    node.failDisk(true)
    run.endAfter(forMs, () => {
      node.failDisk(false)
      run.cluster.crash(name, RESTART_MS)
    })
  },
})

/** Trouble of disks. */
export const diskFaults: readonly Kind[] = [diskSlow, diskFull, commitFails, diskFails]
