import { Cluster } from './cluster.ts'
import { connectionsOf } from './connections.ts'
import type { Estate } from './estate.ts'
import { handshakesOf } from './handshakes.ts'
import { History } from './history.ts'
import { invariants } from './invariants/index.ts'
import type { Mutations } from './mutants/index.ts'
import type { SimNode } from './node.ts'
import { kindNamed, type Plan, type PlanEvent } from './plan.ts'
import { edgeBegun } from './readers.ts'
import { Rest } from './rest/index.ts'
import { rotationsOf } from './rotations.ts'
import { standardEstate } from './standard-estate.ts'
import { troublesOf } from './troubles.ts'
import { World } from './world.ts'

export type Failure = { invariant: string; sentence: string; what: string; atMs: number }
export type Outcome = {
  failure: Failure | undefined
  hash: string
  trace: string[]
  printed: string[]
  virtualMs: number
  events: number
  /** How long it took until everything was at rest, counted from the end of trouble. */
  restedMs: number
  reached: Map<string, number>
}
/** What a client saw of a key on an agent: a stale answer is one, too. */
export type Reading = { node: string; key: string; value: string | null; head: number }

export type RunOptions = { plan: Plan; mutations: Mutations; keepTrace?: boolean; estate?: Estate }

const CHECK_EVERY_MS = 100
const HEARD_WITHIN_MS = 1_100

/** One plan, carried out: first trouble, then everything must come to rest. */
export class Run {
  readonly plan: Plan
  readonly mutations: Mutations
  readonly world: World
  readonly cluster: Cluster
  readonly history = new History()
  readonly reached = new Map<string, number>()
  readonly printed: string[] = []
  readonly readings: Reading[] = []
  /** What each client saw of each key on each node when it looked last. */
  readonly seen = new Map<string, { value: string | null; index: number }>()
  /** Something takes until then to be at rest, although nothing is in its way. */
  restsByMs = 0
  #failure: Failure | undefined
  #hasBegun = false
  #restedMs = 0
  /** Ends of what goes on for a while. */
  readonly #ends = new Set<() => void>()

  constructor({ plan, mutations, keepTrace = false, estate = standardEstate(plan.nodes, plan.checkEveryMs) }: RunOptions) {
    this.plan = plan
    this.mutations = mutations
    this.world = new World(plan.seed, keepTrace)
    this.cluster = new Cluster({
      world: this.world,
      estate,
      threads: plan.threads,
      mutations,
      printed: (line) => this.printed.push(line),
      heard: (application, bytes) => connectionsOf(this).heard(application, bytes),
      signed: (leaf) => rotationsOf(this).signed(leaf),
      judged: (node, handshake) => handshakesOf(this).judged(node, handshake),
      booted: (node) => edgeBegun(this, node),
    })
  }

  /** The first promise that was broken. */
  get failure(): Failure | undefined {
    return this.#failure
  }

  play(): Outcome {
    const { world, plan } = this
    this.advance(plan.quietAtMs)
    if (!this.#failure) this.#rest()
    const { trace, nowMs, events } = world
    const { printed, reached } = this
    return {
      failure: this.#failure,
      hash: trace.hash,
      trace: trace.lines,
      printed,
      virtualMs: nowMs,
      events,
      restedMs: this.#restedMs,
      reached,
    }
  }

  /** Lets the plan go on until then, or until a promise is broken. */
  advance(untilMs: number): void {
    const { world } = this
    this.#begin()
    while (world.nowMs < untilMs && !this.#failure) {
      world.runUntil(Math.min(untilMs, Math.max(world.nowMs + CHECK_EVERY_MS, world.nextAtMs)))
      this.#check('always')
    }
  }

  /** The node, if it is running. */
  up(name: string): SimNode | undefined {
    return this.cluster.up(name)
  }

  /** Notes that something worth reaching was reached. */
  reach(mark: string): void {
    this.reached.set(mark, (this.reached.get(mark) ?? 0) + 1)
  }

  /** What a conditional write expects, by what its client saw when it looked last. */
  condition(who: string, condition: string): { expected?: string | null; cas?: number } {
    if (condition === 'none') return {}
    const seen = this.seen.get(who)
    if (condition === 'absent' || !seen || seen.value === null) return { expected: null, cas: 0 }
    return { expected: seen.value, cas: seen.index }
  }

  /** Ends something that was begun after so long, and at the latest when all trouble ends. */
  endAfter(forMs: number, end: () => void): void {
    const endNow = () => {
      if (this.#ends.delete(endNow)) end()
    }
    this.#ends.add(endNow)
    this.world.after(forMs, endNow)
  }

  /** The first broken promise ends the run. */
  fail(invariant: string, sentence: string, what: string): void {
    this.#failure ??= { invariant, sentence, what, atMs: this.world.nowMs }
  }

  #begin(): void {
    if (this.#hasBegun) return
    this.#hasBegun = true
    for (const name of this.cluster.nodes.keys()) this.cluster.boot(name)
    for (const event of this.plan.events) this.world.after(event.atMs, () => this.#apply(event))
  }

  #apply(event: PlanEvent): void {
    if (this.#failure) return
    this.world.trace.add(this.world.nowMs, JSON.stringify(event))
    const kind = kindNamed(event.do)
    if (kind?.isFault) this.#trouble(Number(event['forMs'] ?? 0))
    kind?.apply(this, event)
  }

  #trouble(forMs: number): void {
    troublesOf(this).came(forMs)
    this.cluster.disturbClients(forMs)
  }

  #rest(): void {
    const { world, plan } = this
    for (const end of [...this.#ends]) end()
    this.cluster.heal()
    const rest = new Rest(this)
    while (!this.#failure && !rest.isDone) {
      world.runUntil(world.nowMs + CHECK_EVERY_MS)
      rest.look(world.nowMs - plan.quietAtMs)
      this.#check('always')
    }
    this.#restedMs = world.nowMs - plan.quietAtMs
    // Whoever waits for a change must have had the time to hear of the last one.
    if (!this.#failure) world.runUntil(world.nowMs + HEARD_WITHIN_MS)
    this.#check('rest')
  }

  #check(when: 'always' | 'rest'): void {
    for (const invariant of invariants) {
      if (invariant.when !== when || this.#failure) continue
      const what = invariant.broken(this)
      if (what !== undefined) this.fail(invariant.name, invariant.sentence, what)
    }
  }
}
