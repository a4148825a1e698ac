import { ms, oneOf } from '../fields.ts'
import { defineWorkload } from '../kind.ts'
import { lockersOf } from '../locks.ts'

const LOCK_DELAY_MS_MAX = 2_000
const client = oneOf('locker-1', 'locker-2', 'locker-3')
const key = oneOf('lock/a', 'lock/b')

export const lockTake = defineWorkload({
  name: 'lock.take',
  about: 'a client tries to take a lock, with a session that lives for a few seconds',
  perMinute: 60,
  marks: [{ name: 'lock taken', events: 30 }],
  fields: { client, key, delayMs: ms(0, LOCK_DELAY_MS_MAX) },
  apply(run, { node, client, key, delayMs }) {
    if (!run.up(node)) return
    const lockers = lockersOf(run)
    lockers.withSession(client, node, delayMs, (session) => {
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
