import type { Ports } from '../../src/kernel/ports.ts'
import { isRefused, type Refusal } from '../../src/kernel/refusal.ts'
import type { Etcd } from './client.ts'
import type { Follower } from './follower.ts'
import type { EtcdKeys } from './keys.ts'

export type UpkeepOptions = {
  etcd: Etcd
  keys: EtcdKeys
  /** The server's id. */
  id: string
  follower: Pick<Follower, 'visible'>
  /** The revision of the last entry that a power cut would not take from this server. */
  durable(): number
  clock: Pick<Ports['clock'], 'monotonicMs'>
  print: Ports['print']
  /** Entries stay in etcd for so long, and for longer while a living server lacks them. */
  retainMs: number
  /** Gives tables to servers that need them. */
  give(): Promise<Refusal | undefined>
}

/** What servers do for each other and for etcd from time to time, one thing at a time. */
export class Upkeep {
  readonly #options: UpkeepOptions
  /** How far the log was, the oldest first. */
  #samples: { atMs: number; revision: number }[] = []
  #compacted = 0
  #told: { lease: bigint; revision: number } | undefined
  #isRunning = false

  constructor(options: UpkeepOptions) {
    this.#options = options
  }

  run(lease: bigint, leads: boolean): void {
    if (this.#isRunning) return
    this.#isRunning = true
    void this.#all(lease, leads).finally(() => {
      this.#isRunning = false
    })
  }

  async #all(lease: bigint, leads: boolean): Promise<void> {
    const { give, print } = this.#options
    const refusal = (await this.#tell(lease)) ?? (await give()) ?? (await this.#compact(leads))
    if (refusal) print('debug', 'log', 'Not everything was seen to', { reason: refusal.why })
  }

  /** Says which entries this server has for good. */
  async #tell(lease: bigint): Promise<Refusal | undefined> {
    const { etcd, keys, id, durable } = this.#options
    const revision = durable()
    if (this.#told?.lease === lease && this.#told.revision === revision) return undefined
    const told = await etcd.txn({ when: [], then: [{ do: 'put', key: keys.servers.key + id, value: String(revision), lease }] })
    if (isRefused(told)) return told
    this.#told = { lease, revision }
    return undefined
  }

  /** Lets etcd forget entries that every living server has and that are old. */
  async #compact(leads: boolean): Promise<Refusal | undefined> {
    const { etcd, keys, follower, clock, retainMs } = this.#options
    if (!leads) {
      this.#samples = []
      return undefined
    }
    const nowMs = clock.monotonicMs()
    this.#samples.push({ atMs: nowMs, revision: follower.visible.revision })
    const old = this.#samples.findLast(({ atMs }) => atMs <= nowMs - retainMs)
    if (!old) return undefined
    this.#samples = this.#samples.slice(this.#samples.indexOf(old))
    const servers = await etcd.range(keys.servers)
    if (isRefused(servers)) return servers
    const revision = Math.min(old.revision, ...servers.found.map(({ value }) => Number(value.toString())))
    if (revision <= this.#compacted) return undefined
    const done = await etcd.compact(revision)
    if (isRefused(done) && done.refused !== 'gone') return done
    this.#compacted = revision
    return undefined
  }
}
