import type { DaemonEvent, DaemonOutcome, DaemonRequest, Device, KeptDaemon } from '../../src/kernel/ports.ts'
import { type Result, refuse } from '../../src/kernel/refusal.ts'

/** What runs on a machine besides its agent, and what its agent kept of it: both outlive the agent. */
export class SimDaemons {
  /** Those that run, by id. */
  readonly running = new Map<string, { pid: number; tell: (event: DaemonEvent) => void }>()
  kept: KeptDaemon[] = []
  #lastPid = 1

  /** The process with this id fails. */
  fail(id: string): void {
    const one = this.running.get(id)
    this.running.delete(id)
    one?.tell({ did: 'ended', pid: one.pid, why: 'exit code 1' })
  }

  /** What one life of the agent uses. Outcomes come within a drawn time; a program that is asked to end does so in that time too. */
  device(soon: (work: () => void) => void): Device<DaemonRequest, DaemonOutcome, DaemonEvent> {
    const started = (pid: number) => ({ process: { pid, started: String(pid), where: 'simulated' } })
    const take = (request: DaemonRequest, event: (event: DaemonEvent) => void): Result<DaemonOutcome> => {
      switch (request.do) {
        case 'load': {
          const runs = ({ id, process }: KeptDaemon) => process !== null && this.running.get(id)?.pid === process.pid
          return { isRoot: false, kept: this.kept.map((one) => (runs(one) ? one : { ...one, process: null })) }
        }
        case 'keep':
          this.kept = request.daemons
          return {}
        case 'start': {
          if (this.running.has(request.id)) return refuse('conflict', `${request.id} runs already`)
          const pid = ++this.#lastPid
          this.running.set(request.id, { pid, tell: (one) => soon(() => event(one)) })
          return started(pid)
        }
        case 'follow': {
          const one = this.running.get(request.id)
          if (one?.pid !== request.process.pid) return refuse('missing', `process ${request.process.pid} of ${request.id} does not run`)
          one.tell = (what) => soon(() => event(what))
          return started(one.pid)
        }
        case 'signal':
          soon(() => this.fail(request.id))
          return {}
      }
    }
    return {
      perform(request, done, event) {
        const outcome = take(request, event)
        soon(() => done(outcome))
      },
    }
  }
}
