import { setTimeout as pause } from 'node:timers/promises'
import type { LogOutcome, Ports } from '../../src/kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { Replica } from '../../src/replica.ts'
import type { Etcd } from './client.ts'
import { type Entry, readEntry } from './entry.ts'
import type { EtcdKeys } from './keys.ts'
import type { KeyValue } from './messages.ts'
import type { Restores } from './restore.ts'

/** An entry, and the revision of etcd at which it is. */
export type Place = { position: number; revision: number }

export type FollowerOptions = {
  etcd: Etcd
  keys: EtcdKeys
  replica: Replica
  /** The last entry that is in the tables; position 0 and the revision at which the log was founded if there is none. */
  from: Place
  print: Ports['print']
  /** What comes after that entry is not in etcd any more. Fetches the tables from another server, and answers what is in them then. */
  missed(from: Place): Promise<Result<Place>>
  /** Without these, no entry needs anything beside itself. */
  restores?: Pick<Restores, 'takes' | 'lacking' | 'load' | 'passed'> | undefined
  /** The log cannot be followed any further: a bug, or a log that is not what it was. */
  failed(error: unknown): void
}

/** Brings the entries of the log, in order, to this server's replica. */
export class Follower {
  readonly #options: FollowerOptions
  /** By the id of the proposal: who is told once its entry is visible here. */
  readonly #awaited = new Map<string, (outcome: LogOutcome) => void>()
  readonly #waiting = new Set<{ position: number; reached: () => void }>()
  readonly #ended = new AbortController()
  #delivered: Place
  #visible: Place
  #stopWatching: () => void = () => undefined

  constructor(options: FollowerOptions) {
    this.#options = options
    this.#delivered = options.from
    this.#visible = options.from
  }

  /** The last entry that is durable and visible here and whose notice is out. */
  get visible(): Place {
    return this.#visible
  }

  /** `done` is called when the entry of this proposal is visible here. The answer forgets it. */
  expect(id: string, done: (outcome: LogOutcome) => void): () => void {
    this.#awaited.set(id, done)
    return () => this.#awaited.delete(id)
  }

  /** Calls `reached` once everything up to a position is visible here. The answer gives up. */
  whenVisible(position: number, reached: () => void): () => void {
    if (this.#visible.position >= position) {
      reached()
      return () => undefined
    }
    const waiting = { position, reached }
    this.#waiting.add(waiting)
    return () => this.#waiting.delete(waiting)
  }

  /** Follows until it is told to end. */
  async run(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      const why = await this.#follow().catch((error: unknown) => this.#options.failed(error))
      if (this.#ended.signal.aborted || why === undefined) return
      this.#options.print('debug', 'log', 'The log is followed anew', { reason: why.why })
      await pause(RETRY_MS, undefined, { signal: this.#ended.signal }).catch(() => undefined)
    }
  }

  end(): void {
    this.#ended.abort()
    this.#stopWatching()
  }

  /** Brings what there is and then what comes, until something is in the way. */
  async #follow(): Promise<Refusal> {
    const { etcd, keys } = this.#options
    const seen = await etcd.range({ key: keys.log })
    if (isRefused(seen)) return seen
    const newest = seen.found[0]
    const head = newest?.version ?? 0
    const { position } = this.#delivered
    if (head < position) throw new Error(`etcd has lost entries of the log: it has ${head}, this server has ${position}`)
    if (newest && head === position + 1) {
      const entry = brought(newest)
      if (!this.#isReady(entry)) return this.#prepare(entry)
      this.#deliver(entry)
    }
    if (head <= position + 1) return this.#watch(seen.revision + 1)
    const why = await this.#watch(this.#delivered.revision + 1)
    return why.refused === 'gone' && !this.#ended.signal.aborted ? this.#replace() : why
  }

  /** Takes the tables of another server. */
  async #replace(): Promise<Refusal> {
    await this.#caughtUp()
    const got = await this.#options.missed(this.#delivered)
    if (isRefused(got)) return got
    this.#delivered = got
    this.#visible = got
    this.#wake()
    return refuse('busy', 'the tables came from another server')
  }

  /** Loads what an entry needs beside itself. If nobody has it any more, somebody has the tables in which it is. */
  async #prepare({ commands }: Brought): Promise<Refusal> {
    await this.#caughtUp()
    const { restores } = this.#options
    const id = restores?.lacking(commands)
    const refusal = id === undefined ? undefined : await restores?.load(id)
    if (refusal?.refused === 'missing' && !this.#ended.signal.aborted) return this.#replace()
    return refusal ?? refuse('busy', 'what the next entry needs is loaded')
  }

  /** Until what was brought is all in the tables. */
  #caughtUp(): Promise<void> {
    return new Promise((resolve) => {
      this.whenVisible(this.#delivered.position, resolve)
    })
  }

  #watch(from: number): Promise<Refusal> {
    const { etcd, keys } = this.#options
    const { promise, resolve, reject } = Promise.withResolvers<Refusal>()
    let arrived: KeyValue[] = []
    const deliverAll = () => {
      const values = arrived
      arrived = []
      try {
        const entries = values.map(brought).filter(({ place }) => place.position > this.#delivered.position)
        const needy = entries.find((entry, at) => this.#takes(entry) && (at > 0 || !this.#isReady(entry)))
        const ready = needy ? entries.slice(0, entries.indexOf(needy)) : entries
        ready.forEach((entry, at) => {
          this.#deliver(entry, at < ready.length - 1)
        })
        if (!needy) return
        this.#stopWatching()
        resolve(this.#prepare(needy))
      } catch (error) {
        this.#stopWatching()
        reject(error)
      }
    }
    this.#stopWatching = etcd.watch(
      { key: keys.log, from },
      ({ put }) => {
        // In a turn of its own, together with what else has arrived until then: one commit for all.
        if (arrived.length === 0) setImmediate(deliverAll)
        arrived.push(...put)
      },
      (why) => {
        deliverAll()
        resolve(why)
      },
    )
    this.#ended.signal.addEventListener('abort', () => resolve(refuse('busy', 'the agent is stopping')), { once: true })
    return promise
  }

  #takes({ commands }: Brought): boolean {
    return this.#options.restores?.takes(commands) === true
  }

  /** Whether nothing has to be loaded before the next entry. What comes before it may still take what is loaded. */
  #isReady(next: Brought): boolean {
    if (!this.#takes(next)) return true
    return this.#visible.position === this.#delivered.position && this.#options.restores?.lacking(next.commands) === undefined
  }

  #deliver({ id, commands, place }: Brought, more = false): void {
    const { position, revision } = place
    if (position <= this.#delivered.position || this.#ended.signal.aborted) return
    const done = (outcome: LogOutcome) => {
      this.#visible = place
      this.#options.restores?.passed(commands, revision)
      this.#awaited.get(id)?.(outcome)
      this.#wake()
    }
    this.#options.replica.deliver(position, commands, done, revision, more)
    this.#delivered = place
  }

  #wake(): void {
    for (const waiting of this.#waiting) {
      if (waiting.position > this.#visible.position) continue
      this.#waiting.delete(waiting)
      waiting.reached()
    }
  }
}

type Brought = Entry & { readonly place: Place }

function brought({ version: position, modRevision: revision, value }: KeyValue): Brought {
  return { ...readEntry(value), place: { position, revision } }
}

const RETRY_MS = 100
