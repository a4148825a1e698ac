import { readFileSync } from 'node:fs'
import type { Benchmark } from './benchmark.ts'
import { type Agent, startAgent } from './kit/agent.ts'
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

function residentMb(agent: Agent): number {
  return Number(statusOf(agent, 'VmRSS')) / 1_024
}

function threadsOf(agent: Agent): string {
  return statusOf(agent, 'Threads')
}

/** A line of /proc/<pid>/status without its unit, which is kB for memory. */
function statusOf({ pids: [pid] }: Agent, name: string): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? ''
}
