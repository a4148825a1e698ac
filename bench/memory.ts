import type { Benchmark } from './benchmark.ts'
import { startAgent } from './kit/agent.ts'
import { residentMb, threadsOf } from './kit/process.ts'
import { pause } from './kit/wait.ts'

const SETTLED_MS = 3_000

export const memory: Benchmark = {
  name: 'memory',
  about: 'what an idle agent holds',
  needs: [],
  async run(stage) {
    const usual = await startAgent(stage, { mode: 'dev' })
    const single = await startAgent(stage, { mode: 'dev', flags: ['-threads=0'] })
    await pause(SETTLED_MS)
    return [
      {
        name: 'memory of an idle agent',
        ours: residentMb(usual),
        unit: 'MB',
        consul: 40,
        note: `${threadsOf(usual)} threads of the system`,
      },
      { name: '  all on one thread', ours: residentMb(single), unit: 'MB', consul: 40, note: '-threads=0' },
    ]
  },
}
