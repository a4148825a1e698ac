import type { DrawContext } from './fields.ts'
import { eventsFault, kindNamed, type Plan, type PlanEvent } from './plan.ts'
import { isClient, standardUpstreams } from './standard-estate.ts'

export type ShrinkOptions = {
  /** Plans that may be tried. */
  runsMax?: number
  /** No more plans are tried once this says so: real time is short. */
  isOver?(): boolean
  /** Told after each try. */
  progress?(runs: number, best: Plan): void
  /** When the plan failed: what comes later hardly matters. */
  failedAtMs?: number
  /** Which upstreams there are with these agents. Default: those of the standard estate. */
  upstreams?(nodes: readonly string[]): DrawContext['upstreams']
  /** The programs behind services. Default: those of the standard estate. */
  programs?: DrawContext['programs']
  /** Whether an agent is a client. Default: as the standard estate calls them. */
  clients?(node: string): boolean
  /** All agents stay, whether something happens to them or not. */
  keepNodes?: boolean
}
export type Shrunk = { plan: Plan; runs: number }

const RUNS_MAX = 400
/** A run may need some time after its last event to fail. */
const AFTERMATHS_MS = [1, 1_000, 5_000, 20_000]
const FIRST_AT_MS = 500
const REMEMBERED_EVENTS_MAX = 50

/**
 * Makes a plan that fails smaller as long as it fails: fewer events, fewer agents, one thread, less of everything, earlier.
 * `fails` must answer the same for the same plan. The answer is always a plan that fails, or the given one.
 */
export function shrink(plan: Plan, fails: (plan: Plan) => boolean, options: ShrinkOptions = {}): Shrunk {
  const search = new Search(plan, fails, options)
  search.dropLate()
  search.dropKinds()
  for (let before = ''; !search.isOver && before !== JSON.stringify(search.best); ) {
    before = JSON.stringify(search.best)
    search.dropEvents()
    if (!options.keepNodes) search.dropNodes()
    search.useOneThread()
    search.shortenEvents()
    search.moveEvents()
    search.quietEarlier()
  }
  return { plan: search.best, runs: search.runs }
}

class Search {
  best: Plan
  runs = 0
  readonly #fails: (plan: Plan) => boolean
  readonly #options: ShrinkOptions
  readonly #tried = new Set<string>()

  constructor(plan: Plan, fails: (plan: Plan) => boolean, options: ShrinkOptions) {
    // In their order: two events of one time happen as they stand in the plan.
    this.best = { ...plan, events: plan.events.toSorted((a, b) => a.atMs - b.atMs) }
    this.#fails = fails
    this.#options = options
  }

  get isOver(): boolean {
    return this.runs >= (this.#options.runsMax ?? RUNS_MAX) || this.#options.isOver?.() === true
  }

  /** Whether it fails as well: then it is the best one. */
  #try(change: Partial<Plan>): boolean {
    const candidate = { ...this.best, ...change }
    if (this.isOver || !this.#isPossible(candidate) || this.#wasTried(candidate)) return false
    this.runs++
    const isBetter = this.#fails(candidate)
    if (isBetter) this.best = candidate
    this.#options.progress?.(this.runs, this.best)
    return isBetter
  }

  /** Small plans are worth remembering: they come again. */
  #wasTried(plan: Plan): boolean {
    if (plan.events.length > REMEMBERED_EVENTS_MAX) return false
    const written = JSON.stringify(plan)
    if (this.#tried.has(written)) return true
    this.#tried.add(written)
    return false
  }

  #isPossible({ nodes, quietAtMs, events }: Plan): boolean {
    const { programs = [], clients = isClient } = this.#options
    const upstreams = (this.#options.upstreams ?? standardUpstreams)(nodes)
    const context: DrawContext = { nodes, clients: nodes.filter(clients), quietAtMs, upstreams, programs }
    return quietAtMs > 0 && !nodes.every(clients) && eventsFault(events, context) === undefined
  }

  /** Leaves out what comes after the failure. */
  dropLate(): void {
    const { failedAtMs = Number.POSITIVE_INFINITY } = this.#options
    const events = this.best.events.filter(({ atMs }) => atMs <= failedAtMs)
    if (events.length < this.best.events.length) this.#try({ events })
  }

  /** Leaves out all events of a kind at once. */
  dropKinds(): void {
    for (const kind of new Set(this.best.events.map((event) => event.do))) {
      this.#try({ events: this.best.events.filter((event) => event.do !== kind) })
    }
  }

  /** Leaves out events: halves, quarters, …, single ones. */
  dropEvents(): void {
    for (let size = Math.ceil(this.best.events.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      // From the end: what came last matters least.
      for (let end = this.best.events.length; end > 0 && !this.isOver; end -= size) {
        const { events } = this.best
        const from = Math.max(0, end - size)
        this.#try({ events: [...events.slice(0, from), ...events.slice(end)] })
      }
    }
  }

  /** Leaves out agents to which nothing happens, and lets one agent stand for two. */
  dropNodes(): void {
    const named = this.best.nodes.filter((node) => this.best.events.some((event) => Object.values(event).includes(node)))
    if (named.length > 0 && named.length < this.best.nodes.length) this.#try({ nodes: named })
    for (const node of this.best.nodes.toReversed()) {
      const nodes = this.best.nodes.filter((other) => other !== node)
      if (this.#try({ nodes })) continue
      nodes.some((other) => this.#try({ nodes, events: this.best.events.map((event) => renamed(event, node, other)) }))
    }
  }

  useOneThread(): void {
    if (this.best.threads !== 'together') this.#try({ threads: 'together' })
  }

  /** Tries less of each value of each event. */
  shortenEvents(): void {
    for (let at = 0; at < this.best.events.length; at++) {
      const { fields = {} } = kindNamed(this.best.events[at]?.do ?? '') ?? {}
      for (const [name, field] of Object.entries(fields)) {
        const isLess = () =>
          field.smaller(this.best.events[at]?.[name]).some((less) => this.#try({ events: this.#with(at, { [name]: less }) }))
        while (!this.isOver && isLess());
      }
    }
  }

  /** Lets everything come earlier and closer together. */
  moveEvents(): void {
    const [first] = this.best.events
    if (first && first.atMs > FIRST_AT_MS) this.#move(0, first.atMs - FIRST_AT_MS)
    while (!this.isOver && this.#halveAll());
    for (let at = 0; at < this.best.events.length && !this.isOver; at++) {
      if (this.#move(at, this.#gapBefore(at) - 1)) continue
      while (!this.isOver && this.#move(at, Math.floor(this.#gapBefore(at) / 2)));
    }
  }

  /** Ends trouble soon after the last event. */
  quietEarlier(): void {
    const lastMs = this.best.events.at(-1)?.atMs ?? 0
    for (const aftermathMs of AFTERMATHS_MS) {
      const quietAtMs = Math.ceil(lastMs + aftermathMs)
      if (quietAtMs < this.best.quietAtMs && this.#try({ quietAtMs })) return
    }
    while (!this.isOver && this.#try({ quietAtMs: Math.ceil((lastMs + this.best.quietAtMs) / 2) }));
  }

  #gapBefore(at: number): number {
    return (this.best.events[at]?.atMs ?? 0) - (this.best.events[at - 1]?.atMs ?? 0)
  }

  /** Halves all times at once. */
  #halveAll(): boolean {
    if ((this.best.events.at(-1)?.atMs ?? 0) < 2 * FIRST_AT_MS) return false
    return this.#try({ events: this.best.events.map((event) => ({ ...event, atMs: Math.round(event.atMs / 2) })) })
  }

  /** Lets an event and all that follow it come earlier. */
  #move(from: number, byMs: number): boolean {
    if (byMs < 1) return false
    return this.#try({ events: this.best.events.map((event, at) => (at < from ? event : { ...event, atMs: event.atMs - byMs })) })
  }

  #with(at: number, change: object): PlanEvent[] {
    return this.best.events.map((event, position) => (position === at ? { ...event, ...change } : event))
  }
}

/** The event with another agent wherever it names this one. */
function renamed(event: PlanEvent, from: string, to: string): PlanEvent {
  const entries = Object.entries(event).map(([name, value]) => [name, name !== 'do' && value === from ? to : value])
  return Object.fromEntries(entries) as PlanEvent
}
