import { fork } from 'node:child_process'
import type { RunResult, RunTask } from './campaign.ts'

/** A process that carries out one run after the other. */
export type SimProcess = {
  /** Rejects, naming the run, if the process ends meanwhile. */
  carryOut(task: RunTask): Promise<RunResult>
  end(): void
}

const WORKER = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)
const SAID_CHARACTERS_MAX = 2_000

/** Starts processes that wait for runs to carry out. */
export function createProcesses(count: number, worker: URL = WORKER): SimProcess[] {
  return Array.from({ length: count }, () => createProcess(worker))
}

function createProcess(worker: URL): SimProcess {
  const child = fork(worker, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let said = ''
  let over: string | undefined
  let waiting: { task: RunTask; done: (result: RunResult) => void; failed: (error: Error) => void } | undefined
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-SAID_CHARACTERS_MAX)
  })
  child.on('message', (result) => {
    const { done } = waiting ?? {}
    waiting = undefined
    done?.(result as RunResult)
  })
  const ended = (why: string) => {
    over ??= why
    waiting?.failed(lost(waiting.task, over, said))
    waiting = undefined
  }
  child.on('error', (error) => ended(`could not be used: ${error.message}`))
  child.on('close', (code, signal) => ended(signal ? `was ended by ${signal}` : `ended with code ${code}`))
  return {
    carryOut: (task) =>
      new Promise((done, failed) => {
        if (over !== undefined) return failed(lost(task, over, said))
        waiting = { task, done, failed }
        child.send(task, (error) => error && ended(`could not be told: ${error.message}`))
      }),
    end: () => child.kill(),
  }
}

function lost({ seed }: RunTask, why: string, said: string): Error {
  return new Error(`run ${seed}: the process that carried it out ${why}${said.trim() && `: ${said.trim()}`}`)
}
