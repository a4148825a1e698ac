import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Processes whose time is counted. */
export type Served = { pids: readonly number[] }

/** Processor time that the processes have used so far, in µs. It says what something costs even on a machine that is busy. */
export function spentMicroseconds({ pids }: Served): number {
  return pids.reduce((sum, pid) => sum + ticksOf(pid) * microsecondsPerTick, 0)
}

/** Fields 14 and 15 of /proc/<pid>/stat, in user and in system mode; the name in field 2 may contain anything. See proc(5). */
function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}

const microsecondsPerTick = 1e6 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
