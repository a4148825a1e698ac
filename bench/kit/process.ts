import { readFileSync } from 'node:fs'
import type { Agent } from './agent.ts'
import type { Served } from './cost.ts'

/** Of all processes together. */
export function residentMb({ pids }: Served): number {
  return pids.reduce((sum, pid) => sum + Number(statusOf(pid, 'VmRSS')) / 1_024, 0)
}

export function threadsOf({ pids: [pid = 0] }: Agent): string {
  return statusOf(pid, 'Threads')
}

/** A line of /proc/<pid>/status without its unit, which is kB for memory. */
function statusOf(pid: number, name: string): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? ''
}
