import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Ports, Tables } from '../../src/kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { appliedMark, appliedPosition, originOf, setOrigin } from '../../src/replica.ts'
import type { Etcd } from './client.ts'
import type { Place } from './follower.ts'
import type { EtcdKeys } from './keys.ts'

export type JoinOptions = {
  etcd: Etcd
  keys: EtcdKeys
  tables: Pick<Tables, 'view' | 'transact'>
  print: Ports['print']
  ended: AbortSignal
}

const RETRY_MS = 500

/**
 * Makes these tables and the log in etcd belong together, founding the log if there is none, and answers the last entry that is in
 * the tables. Waits for etcd for as long as it takes. `conflict` if the tables are a copy of another log.
 */
export async function joinLog({ etcd, keys, tables, print, ended }: JoinOptions): Promise<Result<Place>> {
  let isTold = false
  for (;;) {
    const origin = await logOrigin(etcd, keys)
    if (ended.aborted) return refuse('gone', 'the agent is stopping')
    const bound = isRefused(origin) ? origin : ((await bind(tables, origin.id)) ?? origin)
    if (!isRefused(bound)) {
      const view = tables.view()
      return { position: appliedPosition(view), revision: Math.max(appliedMark(view), bound.revision) }
    }
    if (bound.refused !== 'busy' && bound.refused !== 'late') return bound
    if (!isTold) print('warn', 'log', 'The log cannot be reached yet', { error: bound.why })
    isTold = true
    await pause(RETRY_MS, undefined, { signal: ended }).catch(() => undefined)
  }
}

/** The id of the log, and the revision at which it was founded; whoever comes first does that. */
async function logOrigin(etcd: Etcd, keys: EtcdKeys): Promise<Result<{ id: string; revision: number }>> {
  const id = randomUUID()
  const answer = await etcd.txn({
    when: [{ key: keys.origin, absent: true }],
    then: [{ do: 'put', key: keys.origin, value: id }],
    otherwise: [{ do: 'range', key: keys.origin }],
  })
  if (isRefused(answer)) return answer
  if (answer.succeeded) return { id, revision: answer.revision }
  const there = answer.found[0]?.[0]
  return there ? { id: there.value.toString(), revision: there.createRevision } : refuse('busy', 'etcd does not tell the id of the log')
}

async function bind(tables: JoinOptions['tables'], origin: string): Promise<Refusal | undefined> {
  const known = originOf(tables.view())
  if (known === origin) return undefined
  if (known !== undefined) {
    const why = `the data directory is a copy of the log ${known}, but etcd has the log ${origin}`
    return refuse('conflict', `${why}: use the etcd it was made with, or an empty data directory`)
  }
  const { promise, resolve } = Promise.withResolvers<Refusal | undefined>()
  tables.transact(
    (tx) => setOrigin(tx, origin),
    (result) => resolve(isRefused(result) ? result : undefined),
  )
  return promise
}
