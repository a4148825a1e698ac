import { SOUND } from '../sim/mutants/index.ts'
import { drawEvents, type Plan } from '../sim/plan.ts'
import { Run } from '../sim/run.ts'
import { standardUpstreams } from '../sim/standard-estate.ts'
import { workloads } from '../sim/workloads/index.ts'
import type { Benchmark, Row } from './benchmark.ts'

/** Agents, and virtual seconds to simulate of an idle cluster and of one under load. */
const SIZES: readonly [agents: number, idleSeconds: number, loadedSeconds: number][] = [
  [1, 36_000, 3_000],
  [3, 10_000, 1_000],
  [5, 5_000, 600],
  [100, 300, 30],
  [1_000, 60, 5],
]
/** Clients ask as much of a large cluster as of one of this size. */
const LOADED_AGENTS_MAX = 5
/** Agents boot, found their authority and start their sidecars within this. */
const BOOT_SECONDS = 10

export const simulator: Benchmark = {
  name: 'simulator',
  about: 'virtual time of whole clusters in the simulator, on one core',
  needs: [],
  run() {
    const rows: Row[] = []
    for (const [agents, idleSeconds, loadedSeconds] of SIZES) {
      const name = `simulator: ${agents} ${agents === 1 ? 'agent' : 'agents'}`
      rows.push(measured(`${name}, idle`, planOf(agents, idleSeconds, 0)))
      rows.push(measured(`${name}, under load`, planOf(agents, loadedSeconds, Math.min(1, LOADED_AGENTS_MAX / agents))))
    }
    return Promise.resolve(rows)
  },
}

/** Without trouble, and with nothing to rest from: what clients do, `rate` times as often as in a campaign. */
function planOf(agents: number, seconds: number, rate: number): Plan {
  const nodes = Array.from({ length: agents }, (_, at) => `n${at + 1}`)
  const quietAtMs = (BOOT_SECONDS + seconds) * 1_000
  const context = { nodes, quietAtMs, upstreams: standardUpstreams(nodes) }
  const events = rate === 0 ? [] : workloads.flatMap((kind) => drawEvents('bench', kind, rate, context))
  events.sort((a, b) => a.atMs - b.atMs)
  return { format: 2, seed: 'bench', nodes, threads: 'separate', checkEveryMs: 10_000, quietAtMs, events }
}

function measured(name: string, plan: Plan): Row {
  const run = new Run({ plan, mutations: SOUND })
  run.advance(BOOT_SECONDS * 1_000)
  const { events } = run.world
  const beganMs = performance.now()
  run.advance(plan.quietAtMs)
  const realMs = performance.now() - beganMs
  if (run.failure) throw new Error(`${name}: ${run.failure.what}`)
  const perSecond = ((run.world.events - events) / realMs) * 1_000
  return {
    name,
    ours: (plan.quietAtMs - BOOT_SECONDS * 1_000) / realMs,
    unit: 'virtual s/s',
    note: `${Math.round(perSecond / 1_000)} k events/s, ${plan.events.length} client operations in ${plan.quietAtMs / 1_000 - BOOT_SECONDS} virtual s${agentsNote(plan)}`,
  }
}

function agentsNote({ nodes }: Plan): string {
  return nodes.length === 3 ? '; wanted 1,000' : nodes.length === 1_000 ? '; wanted 50' : ''
}
