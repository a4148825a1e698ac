import { setTimeout as pause } from 'node:timers/promises'
import type { Ports } from '../../src/kernel/ports.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import type { Etcd } from './client.ts'
import type { EtcdKeys } from './keys.ts'

export type SessionOptions = {
  etcd: Etcd
  keys: EtcdKeys
  /** The server's id. */
  id: string
  clock: Pick<Ports['clock'], 'monotonicMs'>
  print: Ports['print']
  /** This server leads from now on. */
  elected(): void
  /** Called at intervals. */
  upkeep(lease: bigint, leads: boolean): void
}

/** What a server keeps in etcd goes when it was not heard of for this long. etcd may make it longer, above all when its own leader is lost. */
const LEASE_S = 3
const BEAT_MS = 700
const UPKEEP_BEATS = 5
/** A leader that says nothing new for this long, by the clock of whoever looks, leads no more. */
const SILENT_MS = 2_400

/** Stands for election whenever nobody leads, for as long as the server runs. Ends with the lease given back, if etcd can be reached. */
export async function holdSession(options: SessionOptions, ended: AbortSignal): Promise<void> {
  const { etcd, print } = options
  let [lease, isLeader] = [0n, false]
  let seen: Seen = { word: undefined, sinceMs: 0 }
  let isRenewing = false
  /** Beside everything else: etcd passes it on to its leader, and keeps whoever asks waiting when that is silent. */
  const renew = () => {
    if (isRenewing || lease === 0n) return
    isRenewing = true
    void etcd.keepAlive(lease).then((kept) => {
      isRenewing = false
      if (!isRefused(kept) && kept.ttlS <= 0) lease = 0n
    })
  }
  for (let beats = 0; !ended.aborted; beats++) {
    renew()
    const before = lease
    const held: Result<Standing> = await stand(options, before, seen)
    if (isRefused(held)) {
      if (isLeader) print('warn', 'log', 'It is not known whether this server still leads', { reason: held.why })
      isLeader = false
    } else {
      // It may have turned out meanwhile that the one before has ended.
      if (lease === before) lease = held.lease
      seen = held.seen
      if (held.leads && !isLeader && !ended.aborted) options.elected()
      isLeader = held.leads
      if (beats % UPKEEP_BEATS === 0) options.upkeep(held.lease, isLeader)
    }
    await pause(BEAT_MS, undefined, { signal: ended }).catch(() => undefined)
  }
  if (lease !== 0n) await etcd.revoke(lease)
}

/** What was last seen of the leader, and since when it is the same. */
export type Seen = { word: string | undefined; sinceMs: number }
export type Standing = { lease: bigint; leads: boolean; seen: Seen }

/**
 * Says whether this server leads, with a new lease if it has none (0). Whoever leads changes its word each time; it is followed by whoever
 * first sees that it does not, if that has not changed meanwhile.
 */
export async function stand(
  { etcd, keys, id, clock }: Pick<SessionOptions, 'etcd' | 'keys' | 'id' | 'clock'>,
  lease: bigint,
  before: Seen,
): Promise<Result<Standing>> {
  const granted = lease === 0n ? await etcd.grant(LEASE_S) : { id: lease }
  if (isRefused(granted)) return granted
  const found = await etcd.range({ key: keys.leader })
  if (isRefused(found)) return found
  const word = found.found[0]?.value.toString()
  const nowMs = clock.monotonicMs()
  const seen = word === before.word ? before : { word, sinceMs: nowMs }
  const isOther = word !== undefined && !word.startsWith(`${id} `)
  if (isOther && nowMs - seen.sinceMs < SILENT_MS) return { lease: granted.id, leads: false, seen }
  const answer = await etcd.txn({
    when: [word === undefined ? { key: keys.leader, absent: true } : { key: keys.leader, value: word }],
    then: [{ do: 'put', key: keys.leader, value: `${id} ${granted.id} ${nowMs}`, lease: granted.id }],
  })
  if (isRefused(answer)) return answer
  return { lease: granted.id, leads: answer.succeeded, seen }
}
