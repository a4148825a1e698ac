import { readFileSync } from 'node:fs'
import type { Agent } from './agent.ts'

export function residentMb(agent: Agent): number {
  return Number(statusOf(agent, 'VmRSS')) / 1_024
}

export function threadsOf(agent: Agent): string {
  return statusOf(agent, 'Threads')
}

/** A line of /proc/<pid>/status without its unit, which is kB for memory. */
function statusOf({ pids: [pid] }: Agent, name: string): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? ''
}
