import type { MembershipProtocol } from '../actors/membership/protocol.ts'
import type { PoolConfig } from './config/config.ts'
import type { Host } from './kernel/host.ts'
import type { GossipAddress, Ports } from './kernel/ports.ts'
import type { Ref } from './kernel/protocol.ts'
import { isRefused, type Result, refuse } from './kernel/refusal.ts'

export type JoiningOptions = {
  host: Pick<Host, 'asked'>
  pool: PoolConfig
  membership: Ref<MembershipProtocol>
  /** For people. */
  cluster: 'LAN' | 'WAN'
  print: Ports['print']
  /** Resolves after so long with true; with false as soon as the agent ends. */
  wait(ms: number): Promise<boolean>
}

/** Each address may take its time. */
const JOIN_WITHIN_MS = 60_000
/** An agent that has just started does not listen yet. It is asked again this soon, for so long. */
const LISTENS_SOON_MS = 250
const LISTENS_WITHIN_MS = 30_000

/**
 * Makes this agent a member of a pool as its configuration says: `start_join` at once, or it is refused; `retry_join` again and again until one
 * of them is joined, or, after `retry_max` tries, it is refused. Answers null too when the agent ends before.
 */
export async function joinOthers({ host, pool, membership, cluster, print, wait }: JoiningOptions): Promise<Result<null>> {
  const { startJoin, retryJoin, retryIntervalMs, retryMax } = pool
  if (startJoin.length > 0) {
    const joined = await joinOnceListening(host, membership, startJoin, wait)
    if (isRefused(joined)) return refuse('gone', `Failed to join: ${joined.why}`)
    print('info', 'agent', 'Join completed. Initial agents synced with', { agent_count: joined.joined })
  }
  if (retryJoin.length === 0) return null
  print('info', 'agent', 'Joining cluster...', { cluster })
  for (let tries = 1; ; tries++) {
    const joined = await joinOnceListening(host, membership, retryJoin, wait)
    if (!isRefused(joined)) {
      print('info', 'agent', 'Join cluster completed. Synced with initial agents', { cluster, num_agents: joined.joined })
      return null
    }
    if (retryMax > 0 && tries > retryMax) return refuse('gone', `max join retry exhausted, exiting: ${joined.why}`)
    print('warn', 'agent', 'Join failed, will retry', { cluster, retry_interval_ms: retryIntervalMs, error: joined.why })
    if (!(await wait(retryIntervalMs))) return null
  }
}

/** As `join`, after this agent has begun to listen. */
async function joinOnceListening(
  host: JoiningOptions['host'],
  membership: Ref<MembershipProtocol>,
  addresses: readonly GossipAddress[],
  wait: JoiningOptions['wait'],
): Promise<Result<{ joined: number }>> {
  for (let waitedMs = 0; ; waitedMs += LISTENS_SOON_MS) {
    const joined = await join(host, membership, addresses)
    if (!isRefused(joined) || joined.refused !== 'busy' || waitedMs >= LISTENS_WITHIN_MS) return joined
    if (!(await wait(LISTENS_SOON_MS))) return joined
  }
}

/** Refused if none of the addresses could be joined, with what was wrong at each. */
async function join(
  host: JoiningOptions['host'],
  membership: Ref<MembershipProtocol>,
  addresses: readonly GossipAddress[],
): Promise<Result<{ joined: number }>> {
  const result = await host.asked(membership, 'join', { addresses: [...addresses] }, JOIN_WITHIN_MS)
  if (isRefused(result) || result.joined > 0) return result
  return refuse('gone', result.failed.map(told).join('; '))
}

/** What comes from dialling names the address itself. */
function told({ address: { host, port }, why }: { address: GossipAddress; why: string }): string {
  return why.includes(`${host}:${port}`) ? why : `${host}:${port}: ${why}`
}
