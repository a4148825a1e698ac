import { cpus } from 'node:os'
import { pause } from './wait.ts'

const LOOK_MS = 500

/** Which part of the machine's processors is at work on something else, from 0 to 1, in the next moment. */
export async function busyElsewhere(): Promise<number> {
  const before = spent()
  await pause(LOOK_MS)
  const after = spent()
  return 1 - (after.idleMs - before.idleMs) / (after.allMs - before.allMs)
}

function spent(): { idleMs: number; allMs: number } {
  let idleMs = 0
  let allMs = 0
  for (const { times } of cpus()) {
    idleMs += times.idle
    allMs += times.idle + times.user + times.nice + times.sys + times.irq
  }
  return { idleMs, allMs }
}
