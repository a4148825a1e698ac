import { apisOf } from './apis.ts'
import type { SimReply } from './clients.ts'
import { type Fired, type Listed, listFault } from './models/events.ts'
import type { SimNode } from './node.ts'
import { perRun } from './per-run.ts'
import type { Run } from './run.ts'

const RETRY_MS = 500
/** What is fired is told to those who wait within this, unless something is in the way. */
const TOLD_WITHIN_MS = 1_000

/** Filters of events: none, one that only some agent matches, or one that none does. */
export type EventFilter = 'none' | 'own node' | 'other node' | 'no service'
type Shown = { ID: string; Name: string; Payload: string | null; LTime: number }
/** Somebody who waits for events: what it saw last, and since when it waits. */
type Follower = {
  node: string
  index: string
  events: Listed['events']
  waitsSinceMs: number | undefined
  giveUp: () => void
  isOver: boolean
}

/** Clients that fire events, list them and wait for them. */
export class Events {
  readonly fired: Fired[] = []
  readonly followers: Follower[] = []
  /** What one of them saw first and should not have. */
  wrong: string | undefined
  readonly #run: Run

  constructor(run: Run) {
    this.#run = run
  }

  fire(node: string, name: string, payload: string, filter: EventFilter): void {
    const { world } = this.#run
    const concerns = filter === 'none' || filter === 'own node'
    const one: Fired = { id: '', name, payload, node, concerns, invokedMs: world.nowMs, answeredMs: Number.POSITIVE_INFINITY }
    this.fired.push(one)
    apisOf(this.#run).request(node, 'PUT', `/v1/event/fire/${name}`, { query: queryOf(filter, node), body: payload }, (reply) => {
      world.trace.add(world.nowMs, `event ${payload} ${told(reply)}`)
      if (reply === 'lost' || reply.status !== 200) return
      one.id = (reply.json as Shown).ID
      one.answeredMs = world.nowMs
      this.#run.reach('event fired')
    })
  }

  list(node: string, name: string): void {
    const invokedMs = this.#run.world.nowMs
    apisOf(this.#run).request(node, 'GET', '/v1/event/list', { query: name === '' ? {} : { name } }, (reply) => {
      const events = this.#eventsIn(reply)
      if (events) this.#look({ node, name, invokedMs, answeredMs: this.#run.world.nowMs, events })
    })
  }

  /** Waits for events again and again, for so long. */
  follow(node: string, waitMs: number, forMs: number): void {
    const follower: Follower = { node, index: '', events: [], waitsSinceMs: undefined, giveUp: () => undefined, isOver: false }
    this.followers.push(follower)
    this.#ask(follower, waitMs)
    this.#run.world.after(forMs, () => {
      follower.isOver = true
      follower.giveUp()
      this.followers.splice(this.followers.indexOf(follower), 1)
    })
  }

  #ask(follower: Follower, waitMs: number): void {
    if (follower.isOver || this.wrong !== undefined) return
    const { node, index } = follower
    const { world } = this.#run
    const later = () => {
      follower.waitsSinceMs = undefined
      world.after(RETRY_MS, () => this.#ask(follower, waitMs))
    }
    if (!this.#run.up(node)) return later()
    const invokedMs = world.nowMs
    follower.waitsSinceMs = invokedMs
    const query = { wait: `${waitMs}ms`, ...(index !== '' && { index }) }
    follower.giveUp = apisOf(this.#run).request(node, 'GET', '/v1/event/list', { query }, (reply) => {
      const events = this.#eventsIn(reply)
      if (!events || reply === 'lost') return later()
      const newIndex = reply.header('X-Consul-Index') ?? ''
      if (index !== '' && newIndex !== index) this.#run.reach('event heard of')
      // Those that were fired while it waited may be missing: it was answered with the first of them.
      this.#look({ node, name: '', invokedMs, answeredMs: world.nowMs, events })
      if (index !== '') this.wrong ??= this.#waitFault(follower, newIndex, waitMs)
      Object.assign(follower, { index: newIndex, events })
      this.#ask(follower, waitMs)
    })
  }

  /** Only what is other than what was seen is told before the wait is over. */
  #waitFault({ node, index, waitsSinceMs = 0 }: Follower, newIndex: string, waitMs: number): string | undefined {
    const waitedMs = this.#run.world.nowMs - waitsSinceMs
    if (newIndex !== index || waitedMs >= waitMs * EARLY_PART) return undefined
    return `whoever waits for events of ${node} was answered after ${waitedMs.toFixed(0)} of ${waitMs} ms with what it had`
  }

  /** Events that a follower which waits should have been told of. */
  untold(): string | undefined {
    for (const { node: name, events, waitsSinceMs } of this.followers) {
      const { world, cluster } = this.#run
      if (waitsSinceMs === undefined || waitsSinceMs > world.nowMs - TOLD_WITHIN_MS || !this.#run.up(name)) continue
      const calmSinceMs = Math.max(cluster.disturbedUntil(name), ...this.#beganMs(cluster.node(name)))
      const missed = this.fired.find(
        ({ node, concerns, answeredMs, invokedMs, payload }) =>
          node === name &&
          concerns &&
          answeredMs < world.nowMs - TOLD_WITHIN_MS &&
          invokedMs > calmSinceMs &&
          !events.some((event) => event.payload === payload),
      )
      if (missed && this.fired.length <= KEPT_SAFE) return `whoever waits for events of ${name} was not told of ${missed.payload}`
    }
    return undefined
  }

  #eventsIn(reply: SimReply | 'lost'): Listed['events'] | undefined {
    if (reply === 'lost' || reply.status !== 200) return undefined
    return (reply.json as Shown[]).map(({ ID: id, Name: name, Payload: payload, LTime: time }) => ({
      id,
      name,
      payload: Buffer.from(payload ?? '', 'base64').toString(),
      time,
    }))
  }

  #look(listed: Listed): void {
    this.#run.reach('events listed')
    if (listed.events.length > 0) this.#run.reach('events seen')
    this.wrong ??= listFault(listed, this.fired, this.#beganMs(this.#run.cluster.node(listed.node)))
  }

  #beganMs({ interruptions }: SimNode): number[] {
    return interruptions.filter(({ what }) => FORGETTING.includes(what)).map(({ atMs }) => atMs)
  }
}

/** What begins anew without the events there were. */
const FORGETTING: readonly string[] = ['process', 'state', 'actor events']
/** Clocks of machines are not the world's. */
const EARLY_PART = 0.98
/** As long as no more were fired, none was pushed out by newer ones. */
const KEPT_SAFE = 256

export const eventsOf = perRun((run: Run) => new Events(run))

function queryOf(filter: EventFilter, node: string): Record<string, string> {
  if (filter === 'none') return {}
  if (filter === 'no service') return { service: '^nobody-has-this$' }
  return { node: filter === 'own node' ? `^${node}$` : `^not-${node}$` }
}

function told(reply: SimReply | 'lost'): string {
  return reply === 'lost' ? reply : `${reply.status} ${reply.status === 200 ? '' : reply.text}`
}
