import { anyNode, ms, oneOf } from '../fields.ts'
import { handshakesOf } from '../handshakes.ts'
import { defineWorkload } from '../kind.ts'
import { lockersOf } from '../locks.ts'

const LOCK_DELAY_MS_MAX = 2_000
/** An agent compares itself with the catalog after a minute and up to as long again, and once more if that failed. */
const COMPARED_WITHIN_MS = 150_000
const client = oneOf('locker-1', 'locker-2', 'locker-3')
const key = oneOf('lock/a', 'lock/b')

export const lockTake = defineWorkload({
  name: 'lock.take',
  about: 'a client tries to take a lock, with a session that lives for a few seconds and perhaps by a check',
  perMinute: 60,
  marks: [
    { name: 'lock taken', events: 30 },
    { name: 'session bound to a check', events: 60, chance: 0.6 },
  ],
  fields: { client, key, delayMs: ms(0, LOCK_DELAY_MS_MAX), ends: oneOf('alone', 'alone', 'with a check') },
  apply(run, { node, client, key, delayMs, ends }) {
    if (!run.up(node)) return
    const lockers = lockersOf(run)
    lockers.withSession(client, node, delayMs, ends === 'with a check', (session) => {
      if (run.up(node)) lockers.acquire(client, node, key, session)
    })
  },
})

export const lockRelease = defineWorkload({
  name: 'lock.release',
  about: 'a client gives a lock back that it may hold',
  perMinute: 10,
  fields: { client, key },
  apply(run, { node, client, key }) {
    if (run.up(node)) lockersOf(run).release(client, node, key)
  },
})

export const lockRenew = defineWorkload({
  name: 'lock.renew',
  about: 'a client renews the session that holds its locks',
  perMinute: 40,
  fields: { client },
  apply(run, { node, client }) {
    if (run.up(node)) lockersOf(run).renew(client, node)
  },
})

export const lockLose = defineWorkload({
  name: 'lock.lose',
  about: 'a client ends the session that holds its locks',
  perMinute: 15,
  fields: { client },
  apply(run, { node, client }) {
    if (run.up(node)) lockersOf(run).destroy(client, node)
  },
})

export const lockFail = defineWorkload({
  name: 'lock.fail',
  about: 'the check by which the session of a client lives becomes critical, or goes',
  perMinute: 12,
  marks: [{ name: 'check of a session failed', events: 20, chance: 0.2 }],
  fields: { client, how: oneOf('fail', 'fail', 'deregister') },
  apply: (run, { client, how }) => lockersOf(run).failCheck(client, how),
})

export const nodeRemove = defineWorkload({
  name: 'node.remove',
  about: 'somebody takes a node out of the catalog, with its sessions; its agent puts it back',
  perMinute: 0.6,
  oncePerRun: true,
  marks: [{ name: 'node removed', events: 1, chance: 0.2 }],
  fields: { removed: anyNode },
  apply(run, { node, removed }) {
    if (!run.up(node)) return
    run.restsByMs = Math.max(run.restsByMs, run.world.nowMs + COMPARED_WITHIN_MS)
    handshakesOf(run).forgotten(removed)
    lockersOf(run).removeNode(node, removed)
  },
})
