import { apisOf } from '../sim/apis.ts'
import { SOUND, wrapHandler } from '../sim/mutants/mutant.ts'
import type { Plan } from '../sim/plan.ts'
import { Run } from '../sim/run.ts'
import type { Benchmark, Row } from './benchmark.ts'
import { propagatedForReal } from './propagation-real.ts'

const SERVERS = 3
const PROXIES = 1_000
/** Every sidecar has its certificate and knows the instances by then, in virtual time. */
const BOOT_MS = 60_000
const CHANGES = 20
const CHANGE_EVERY_MS = 5_000

export const propagation: Benchmark = {
  name: 'propagation',
  about: 'how soon sidecars know of a change of health: 1,000 on as many client agents in the simulator, and 100 real ones',
  needs: [],
  run: async (stage) => [propagated(PROXIES), await propagatedForReal(stage)],
}

/** An instance of db goes into maintenance and comes back; the sidecars of web, one on each client, have it as their upstream. */
function propagated(clients: number): Row {
  const nodes = [...numbered('n', SERVERS), ...numbered('c', clients)]
  const plan: Plan = {
    format: 2,
    seed: 'propagation',
    nodes,
    threads: 'together',
    checkEveryMs: 60_000,
    quietAtMs: Number.MAX_SAFE_INTEGER,
    events: [],
  }
  let heard: () => void = () => undefined
  const hearing = wrapHandler('proxy', 'instances', (handler) => (state, request, turn, from) => {
    heard()
    return handler(state, request, turn, from)
  })
  const run = new Run({ plan, mutations: { ...SOUND, ...hearing } })
  const { world } = run
  run.advance(BOOT_MS)
  const beganMs = performance.now()
  const tookMs: number[] = []
  for (let change = 0; change < CHANGES; change++) {
    const askedMs = world.nowMs
    heard = () => tookMs.push(world.nowMs - askedMs)
    const query = { enable: String(change % 2 === 0), reason: 'work' }
    apisOf(run).request('c1', 'PUT', '/v1/agent/service/maintenance/db', { query }, () => undefined)
    run.advance(askedMs + CHANGE_EVERY_MS)
    if (tookMs.length !== (change + 1) * clients) throw new Error(`${tookMs.length} of ${(change + 1) * clients} sidecars heard of it`)
  }
  if (run.failure) throw new Error(run.failure.what)
  const sorted = tookMs.toSorted((a, b) => a - b)
  const at = (part: number) => (sorted[Math.ceil(part * sorted.length) - 1] ?? 0).toFixed(1)
  return {
    name: `propagation: a change of health to ${clients} sidecars on client agents, p99`,
    ours: Number(at(0.99)),
    unit: 'ms',
    note: `p50 ${at(0.5)}, longest ${at(1)} ms, over ${CHANGES} changes; ${SERVERS} servers, ways of 0 to 2 ms; ${((performance.now() - beganMs) / 1_000).toFixed(0)} s of real time`,
  }
}

function numbered(letter: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${letter}${at + 1}`)
}
