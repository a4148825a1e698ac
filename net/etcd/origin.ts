import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { forgetFounding, foundingOf } from '../../actors/servers/commands.ts'
import type { Ports, Tables } from '../../src/kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { appliedMark, appliedPosition, originOf, setApplied, setOrigin } from '../../src/replica.ts'
import type { Etcd } from './client.ts'
import { packEntry } from './entry.ts'
import type { Place } from './follower.ts'
import type { EtcdKeys } from './keys.ts'

export type JoinOptions = {
  etcd: Etcd
  keys: EtcdKeys
  tables: Pick<Tables, 'view' | 'transact'>
  print: Ports['print']
  /** Puts the tables of another server in the place of these, and answers what is in them then. */
  missed(from: Place): Promise<Result<Place>>
  ended: AbortSignal
}

const RETRY_MS = 500

/**
 * Makes these tables and the log in etcd belong together, founding the log if there is none, and answers the last entry that is in
 * the tables. A log that is founded with tables that hold something begins with an empty entry which stands for them: whoever has nothing
 * takes them from another server. Waits for etcd for as long as it takes. `conflict` if the tables are a copy of another log.
 */
export async function joinLog({ etcd, keys, tables, print, missed, ended }: JoinOptions): Promise<Result<Place>> {
  let isTold = false
  for (;;) {
    const founding = foundingOf(tables.view())
    const origin = await logOrigin(etcd, keys, founding)
    if (ended.aborted) return refuse('gone', 'the agent is stopping')
    const bound = isRefused(origin) ? origin : ((await bind(tables, origin, founding)) ?? origin)
    const taken = isRefused(bound) || !bound.isBased || appliedPosition(tables.view()) > 0 ? bound : await missed(nothingOf(bound))
    if (ended.aborted) return refuse('gone', 'the agent is stopping')
    if (!isRefused(bound) && !isRefused(taken)) {
      const view = tables.view()
      return { position: appliedPosition(view), revision: Math.max(appliedMark(view), bound.revision) }
    }
    if (!isRefused(bound)) {
      await pause(RETRY_MS, undefined, { signal: ended }).catch(() => undefined)
      continue
    }
    if (bound.refused !== 'busy' && bound.refused !== 'late') return bound
    if (!isTold) print('warn', 'log', 'The log cannot be reached yet', { error: bound.why })
    isTold = true
    await pause(RETRY_MS, undefined, { signal: ended }).catch(() => undefined)
  }
}

/** `revision`: at which it was founded. `isBased`: with tables that held something. */
type Origin = { id: string; revision: number; isBased: boolean }

/** Behind the id, if the log is based. */
const BASED = ' based'

function nothingOf({ revision }: Origin): Place {
  return { position: 0, revision }
}

/** Where the log comes from; whoever is first founds it. `founding`: the id under which these tables are to be what it begins with. */
async function logOrigin(etcd: Etcd, keys: EtcdKeys, founding: string | undefined): Promise<Result<Origin>> {
  const id = founding ?? randomUUID()
  const isBased = founding !== undefined
  const answer = await etcd.txn({
    when: [{ key: keys.origin, absent: true }],
    then: [
      { do: 'put', key: keys.origin, value: isBased ? id + BASED : id },
      ...(isBased ? [{ do: 'put' as const, key: keys.log, value: packEntry(id, { count: 0, packed: [] }) }] : []),
    ],
    otherwise: [{ do: 'range', key: keys.origin }],
  })
  if (isRefused(answer)) return answer
  if (answer.succeeded) return { id, revision: answer.revision, isBased }
  const there = answer.found[0]?.[0]
  if (!there) return refuse('busy', 'etcd does not tell the id of the log')
  const text = there.value.toString()
  return { id: text.replace(BASED, ''), revision: there.createRevision, isBased: text.endsWith(BASED) }
}

async function bind(tables: JoinOptions['tables'], origin: Origin, founding: string | undefined): Promise<Refusal | undefined> {
  const known = originOf(tables.view())
  if (known === origin.id) return undefined
  if (founding !== undefined && founding !== origin.id) {
    return refuse('conflict', `these tables are to found a log, but etcd has the log ${origin.id}: use an empty data directory`)
  }
  if (known !== undefined) {
    const why = `the data directory is a copy of the log ${known}, but etcd has the log ${origin.id}`
    return refuse('conflict', `${why}: use the etcd it was made with, or an empty data directory`)
  }
  const { promise, resolve } = Promise.withResolvers<Refusal | undefined>()
  tables.transact(
    (tx) => {
      setOrigin(tx, origin.id)
      if (founding === undefined) return
      setApplied(tx, { position: 1, mark: origin.revision })
      forgetFounding(tx)
    },
    (result) => resolve(isRefused(result) ? result : undefined),
  )
  return promise
}
