import type { DrawContext } from '../sim/fields.ts'
import { SOUND } from '../sim/mutants/index.ts'
import { drawEvents, kindNamed, type Plan, type PlanEvent } from '../sim/plan.ts'
import { Run } from '../sim/run.ts'
import { standardUpstreams } from '../sim/standard-estate.ts'
import { workloads } from '../sim/workloads/index.ts'
import type { Benchmark, Row } from './benchmark.ts'

/** Agents, and virtual seconds to simulate of an idle cluster, of one under light load and of one under load. */
const SIZES: readonly [agents: number, idleSeconds: number, lightSeconds: number, loadedSeconds: number][] = [
  [1, 36_000, 3_600, 1_000],
  [3, 10_000, 2_000, 300],
  [5, 5_000, 1_000, 200],
  [100, 600, 60, 10],
  [1_000, 60, 10, 2],
]
/** Operations of clients in a virtual second, in the whole cluster. */
const LIGHT = 1
const LOADED = 12
/** Agents boot, found their authority, start their sidecars and have told the catalog within this. */
const BOOT_SECONDS = 60

export const simulator: Benchmark = {
  name: 'simulator',
  about: 'virtual time of whole clusters in the simulator, on one core; the largest takes minutes to boot',
  needs: [],
  run() {
    const rows = SIZES.flatMap(([agents, idleSeconds, lightSeconds, loadedSeconds]) => {
      const name = `simulator: ${agents} ${agents === 1 ? 'agent' : 'agents'}`
      const nodes = Array.from({ length: agents }, (_, at) => `n${at + 1}`)
      const cluster = new Cluster(nodes)
      return [
        cluster.measured(`${name}, idle`, idleSeconds, 0),
        cluster.measured(`${name}, light load`, lightSeconds, LIGHT),
        cluster.measured(`${name}, load`, loadedSeconds, LOADED),
      ]
    })
    return Promise.resolve(rows)
  },
}

const WANTED: Readonly<Record<string, number>> = { 'simulator: 3 agents, light load': 1_000, 'simulator: 1000 agents, idle': 50 }

/** A cluster without trouble that was booted once. */
class Cluster {
  readonly #run: Run
  readonly #context: DrawContext

  constructor(nodes: string[]) {
    this.#context = { nodes, quietAtMs: 60_000, upstreams: standardUpstreams(nodes) }
    const plan: Plan = {
      format: 2,
      seed: 'bench',
      nodes,
      threads: 'separate',
      checkEveryMs: 10_000,
      quietAtMs: Number.MAX_SAFE_INTEGER,
      events: [],
    }
    this.#run = new Run({ plan, mutations: SOUND })
    this.#run.advance(BOOT_SECONDS * 1_000)
  }

  /** Lets so many virtual seconds pass in which clients ask so much a second. */
  measured(name: string, seconds: number, perSecond: number): Row {
    const { world } = this.#run
    const events = this.#drawn(seconds, perSecond)
    for (const event of events) world.after(event.atMs, () => kindNamed(event.do)?.apply(this.#run, event))
    const before = world.events
    const beganMs = performance.now()
    this.#run.advance(world.nowMs + seconds * 1_000)
    const realMs = performance.now() - beganMs
    if (this.#run.failure) throw new Error(`${name}: ${this.#run.failure.what}`)
    const eventsPerMs = (world.events - before) / realMs
    const wanted = WANTED[name]
    return {
      name,
      ours: (seconds * 1_000) / realMs,
      unit: 'virtual s/s',
      note: `${digits(eventsPerMs)} k events/s, ${digits((world.events - before) / seconds)} events and ${digits(events.length / seconds)} client operations a virtual second${wanted === undefined ? '' : `; wanted ${wanted}`}`,
    }
  }

  #drawn(seconds: number, perSecond: number): PlanEvent[] {
    const all = workloads.reduce((sum, kind) => sum + kind.perMinute * (kind.oncePerRun ? 1 : this.#context.nodes.length), 0)
    const context = { ...this.#context, quietAtMs: seconds * 1_000 }
    const rate = (perSecond * 60) / all
    return rate === 0 ? [] : workloads.flatMap((kind) => drawEvents(`bench/${perSecond}`, kind, rate, context))
  }
}

function digits(value: number): string {
  return value >= 10 ? String(Math.round(value)) : value.toFixed(1)
}
