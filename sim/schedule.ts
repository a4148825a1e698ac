import { Queue } from '../src/kernel/queue.ts'
import type { MachineClock } from './clock.ts'
import type { World } from './world.ts'

type Task = { readonly work: () => void; readonly dueMs: number; isCancelled: boolean; disarm: () => void }

/** Rounding of virtual times stays below this; what is so close is due. */
const CLOSE_MS = 1e-6

/**
 * When work happens on one thread, or on whatever else can be held up: by the machine's monotonic clock, each thing after what
 * was due before it, nothing while it is paused or its machine suspended, and nothing any more once it has ended.
 */
export class Schedule {
  readonly #world: World
  readonly #clock: MachineClock
  /** Due, and not done because of a pause. */
  readonly #held = new Queue<Task>()
  #pausedUntilMs = 0
  #drains = false
  #hasEnded = false

  constructor(world: World, clock: MachineClock) {
    this.#world = world
    this.#clock = clock
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Calls `work` once, `ms` from now by the machine's clock or later. The answer cancels it. */
  after(ms: number, work: () => void): () => void {
    const task = this.#add(ms, work)
    return () => {
      task.isCancelled = true
      task.disarm()
    }
  }

  /** As `after`, without a way to cancel it. */
  later(ms: number, work: () => void): void {
    this.#add(ms, work)
  }

  /** Nothing happens until then, in the world's time. */
  pause(untilMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, untilMs)
  }

  end(): void {
    this.#hasEnded = true
  }

  #add(ms: number, work: () => void): Task {
    const wantedMs = Math.max(0, ms)
    const task: Task = { work, dueMs: this.#clock.monotonicMs() + wantedMs, isCancelled: false, disarm: nothing }
    this.#arm(task, wantedMs)
    return task
  }

  #arm(task: Task, ms: number): void {
    task.disarm = this.#world.after(ms === 0 ? 0 : this.#clock.inWorldMs(ms), () => this.#due(task))
  }

  #due(task: Task): void {
    if (this.#hasEnded || task.isCancelled) return
    const heldUpMs = this.#heldUpMs()
    if (this.#held.length === 0 && heldUpMs <= 0) return this.#carryOut(task)
    this.#held.push(task)
    if (heldUpMs <= 0) this.#drain()
    else this.#drainAfter(heldUpMs)
  }

  #heldUpMs(): number {
    return Math.max(this.#pausedUntilMs, this.#clock.suspendedUntilMs) - this.#world.nowMs
  }

  /** Carries out what was held up, in its order. */
  #drain(): void {
    while (this.#held.length > 0 && !this.#hasEnded) {
      const heldUpMs = this.#heldUpMs()
      if (heldUpMs > 0) return this.#drainAfter(heldUpMs)
      const task = this.#held.take()
      if (task && !task.isCancelled) this.#carryOut(task)
    }
  }

  #drainAfter(ms: number): void {
    if (this.#drains) return
    this.#drains = true
    this.#world.after(ms, () => {
      this.#drains = false
      this.#drain()
    })
  }

  #carryOut(task: Task): void {
    const missingMs = task.dueMs - this.#clock.monotonicMs()
    if (missingMs > CLOSE_MS) this.#arm(task, missingMs)
    else task.work()
  }
}

function nothing(): void {
  // Replaced as soon as the task is armed.
}
