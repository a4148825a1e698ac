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
  print: Ports['print']
  /** This server leads from now on. */
  elected(): void
  /** Called at intervals. */
  upkeep(lease: bigint, leads: boolean): void
}

/** A server that is not heard of for this long leads no more. etcd may make it longer. */
const LEASE_S = 3
const BEAT_MS = 700
const UPKEEP_BEATS = 5

/** Stands for election whenever nobody leads, for as long as the server runs. Ends with the lease given back, if etcd can be reached. */
export async function holdSession(options: SessionOptions, ended: AbortSignal): Promise<void> {
  const { etcd, print } = options
  let lease = 0n
  let isLeader = false
  for (let beats = 0; !ended.aborted; beats++) {
    const held: Result<{ lease: bigint; leads: boolean }> = await beat(options, lease)
    if (isRefused(held)) {
      if (isLeader) print('warn', 'log', 'It is not known whether this server still leads', { reason: held.why })
      isLeader = false
    } else {
      lease = held.lease
      if (held.leads && !isLeader && !ended.aborted) options.elected()
      isLeader = held.leads
      if (beats % UPKEEP_BEATS === 0) options.upkeep(lease, isLeader)
    }
    await pause(BEAT_MS, undefined, { signal: ended }).catch(() => undefined)
  }
  if (lease !== 0n) await etcd.revoke(lease)
}

/** Keeps the lease or takes a new one, and says whether this server leads. */
async function beat({ etcd, keys, id }: SessionOptions, lease: bigint): Promise<Result<{ lease: bigint; leads: boolean }>> {
  const kept = lease === 0n ? undefined : await etcd.keepAlive(lease)
  if (isRefused(kept)) return kept
  const granted = kept && kept.ttlS > 0 ? kept : await etcd.grant(LEASE_S)
  if (isRefused(granted)) return granted
  const held = { lease: granted.id, leads: false }
  const seen = await etcd.range({ key: keys.leader })
  if (isRefused(seen)) return seen
  const leader = seen.found[0]?.value.toString()
  const own = `${id} ${granted.id}`
  if (leader !== undefined) return { ...held, leads: leader === own }
  const answer = await etcd.txn({
    when: [{ key: keys.leader, absent: true }],
    then: [{ do: 'put', key: keys.leader, value: own, lease: granted.id }],
  })
  return isRefused(answer) ? answer : { ...held, leads: answer.succeeded }
}
