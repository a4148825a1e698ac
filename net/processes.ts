import { readFileSync, readlinkSync } from 'node:fs'

/**
 * A process, told apart from a later one with the same number. `started` is the kernel's start time in ticks since boot and
 * `where` the boot and the pid namespace that the number belongs to; both are '' where the system does not tell (only Linux does).
 */
export type ProcessName = { pid: number; started: string; where: string }

/** This process; the same in all its threads. */
export function thisProcess(): ProcessName {
  return processNamed(process.pid)
}

/** The process that has this number now. */
export function processNamed(pid: number): ProcessName {
  return { pid, started: startOf(pid) ?? '', where: here() }
}

export function isSameProcess(a: ProcessName, b: ProcessName): boolean {
  return a.pid === b.pid && a.started === b.started && a.where === b.where
}

/**
 * Whether a named process still runs. `unknown` for one of another pid namespace of this boot: a container's processes
 * cannot be seen from the next one.
 */
export function isAlive(other: ProcessName): 'yes' | 'no' | 'unknown' {
  const where = here()
  if (other.where !== where) return sameBoot(other.where, where) ? 'unknown' : 'no'
  if (!exists(other.pid)) return 'no'
  const started = startOf(other.pid)
  return started === undefined || other.started === '' || started === other.started ? 'yes' : 'no'
}

/** The machine's run since it was started; '' where the system does not tell. */
export function thisBoot(): string {
  return orNothing(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()) ?? ''
}

/** `<boot id>/<pid namespace>`. */
function here(): string {
  const boot = thisBoot()
  const namespace = orNothing(() => readlinkSync('/proc/self/ns/pid').replaceAll(/\D/g, ''))
  return boot === '' ? '' : `${boot}/${namespace ?? ''}`
}

function sameBoot(a: string, b: string): boolean {
  return a.split('/')[0] === b.split('/')[0]
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it runs, as somebody else.
    return codeOf(error) !== 'ESRCH'
  }
}

/** Field 22 of /proc/<pid>/stat; the name in field 2 may itself contain spaces and brackets. See proc(5). */
function startOf(pid: number): string | undefined {
  const stat = orNothing(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

/** What is read from /proc is absent on systems without it and for processes that just ended. */
function orNothing(read: () => string): string | undefined {
  try {
    return read()
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'ENOTDIR') return undefined
    throw error
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
