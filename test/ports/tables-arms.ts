import { rmSync } from 'node:fs'
import { openTables, type TablesOptions } from '../../net/tables.ts'
import { createSimTables } from '../../sim/ports/tables.ts'
import type { Tables } from '../../src/kernel/ports.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import type { Transaction } from '../../src/kernel/tables.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'

/** One adapter of the port, with what its surroundings must do. */
export type Arm = {
  readonly name: string
  tables: Tables
  /** Lets whatever is under way come to its end. */
  settle(): Promise<void>
  /** Ends the use without warning and begins anew with what was durable. */
  restart(): void
  end(): void
}

export const arms: { name: string; make(): Arm }[] = [
  { name: 'lmdb', make: () => realArm(true) },
  { name: 'lmdb with checkpoints', make: () => realArm('later') },
  { name: 'simulated', make: simArm },
]

/** Commits and waits for the answer. */
export async function transact<R>(arm: Arm, work: (tx: Transaction) => R): Promise<Result<R>> {
  const answered = new Promise<Result<R>>((resolve) => arm.tables.transact(work, resolve))
  await arm.settle()
  return answered
}

/** A clock that jumps to whatever comes next. */
export function manualClock() {
  let nowMs = 0
  let order = 0
  const waiting: { atMs: number; order: number; work: () => void }[] = []
  return {
    after(ms: number, work: () => void) {
      waiting.push({ atMs: nowMs + ms, order: order++, work })
      waiting.sort((a, b) => a.atMs - b.atMs || a.order - b.order)
    },
    /** Does what is due within `ms`; everything, without end, if not given. */
    run(ms = Number.POSITIVE_INFINITY) {
      const untilMs = nowMs + ms
      while (waiting.length > 0 && waiting[0]!.atMs <= untilMs) {
        const { atMs, work } = waiting.shift()!
        nowMs = atMs
        work()
      }
      if (ms !== Number.POSITIVE_INFINITY) nowMs = untilMs
    },
  }
}

function realArm(durable: TablesOptions['durable']): Arm {
  const directory = temporaryDirectory()
  const open = () => openTables(directory, { durable })
  const arm: Arm = {
    name: 'lmdb',
    tables: open(),
    // Answers come in a microtask of their own.
    settle: () => Promise.resolve(),
    restart() {
      arm.tables.close()
      arm.tables = open()
    },
    end() {
      arm.tables.close()
      rmSync(directory, { recursive: true })
    },
  }
  return arm
}

function simArm(): Arm {
  const clock = manualClock()
  let commits = 0
  // Later commits draw shorter delays.
  const tables = createSimTables({ after: clock.after, drawCommitMs: () => 20 / ++commits })
  return {
    name: 'simulated',
    tables,
    settle: async () => clock.run(),
    restart: () => tables.crash(),
    end: () => tables.close(),
  }
}
