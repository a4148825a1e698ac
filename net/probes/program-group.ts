import type { ChildProcess } from 'node:child_process'

/** Kills a program that leads a process group of its own, and all that is in it. */
export function killGroup({ pid }: Pick<ChildProcess, 'pid'>): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    // A group whose members have all ended cannot be killed any more, which is as good.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Go's words for a program that could not be started. */
export function startText(program: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') {
    return program.includes('/')
      ? `fork/exec ${program}: no such file or directory`
      : `exec: ${JSON.stringify(program)}: executable file not found in $PATH`
  }
  return code === 'EACCES' ? `fork/exec ${program}: permission denied` : `fork/exec ${program}: ${message}`
}
