import type { Benchmark } from './benchmark.ts'
import { startAgent } from './kit/agent.ts'
import { freePorts } from './kit/ports.ts'
import { residentMb, threadsOf } from './kit/process.ts'
import { pause } from './kit/wait.ts'

/** What the start needed is given back within some seconds of rest. */
const SETTLED_MS = 20_000

export const memory: Benchmark = {
  name: 'memory',
  about: 'what an idle agent holds',
  needs: [],
  async run(stage) {
    const [gossipPort = 0] = await freePorts(1)
    const server = await startAgent(stage, { mode: 'server', flags: [`-serf-lan-port=${gossipPort}`] })
    const single = await startAgent(stage, { mode: 'dev', flags: ['-threads=0'] })
    const client = await startAgent(stage, {
      mode: 'client',
      config: { node_name: 'bench-client' },
      flags: [`-retry-join=127.0.0.1:${gossipPort}`],
    })
    await pause(SETTLED_MS)
    return [
      {
        name: 'memory of an idle server',
        ours: residentMb(server),
        unit: 'MB',
        consul: 40,
        note: `${threadsOf(server)} threads of the system`,
      },
      { name: '  all on one thread', ours: residentMb(single), unit: 'MB', consul: 40, note: '-threads=0' },
      { name: 'memory of an idle client agent', ours: residentMb(client), unit: 'MB', note: `${threadsOf(client)} threads of the system` },
    ]
  },
}
