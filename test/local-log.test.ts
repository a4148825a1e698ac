import test from 'ava'
import { createSimTables } from '../sim/ports/tables.ts'
import type { LogOutcome } from '../src/kernel/ports.ts'
import { type Result, refuse } from '../src/kernel/refusal.ts'
import { type ChangeNotice, type Transaction, table } from '../src/kernel/tables.ts'
import { localLog } from '../src/local-log.ts'
import { manualClock } from './ports/tables-arms.ts'

type Add = { key: string; n: number }
const sums = table<number>('sums', 1)

function apply(tx: Transaction, commands: readonly object[]): { outcomes: Result<unknown>[]; notice: ChangeNotice } {
  const outcomes = (commands as readonly Add[]).map(({ key, n }) => {
    if (n === 13) throw new Error('a bug')
    if (n < 0) return refuse('invalid', 'n must not be negative')
    const sum = (tx.get(sums, key) ?? 0) + n
    tx.put(sums, key, sum)
    return sum
  })
  return { outcomes, notice: { index: 7, touched: [[1, 'a']] } }
}

function make() {
  const clock = manualClock()
  const tables = createSimTables({ after: clock.after, drawCommitMs: () => 10 })
  const events: unknown[] = []
  const log = localLog({ tables, apply, onCommitted: (notice) => events.push({ notice, sum: tables.view().get(sums, 'a') }) })
  const perform = (commands: Add[]) =>
    log.perform(
      { commands },
      (outcome: Result<LogOutcome>) => events.push(outcome),
      () => undefined,
    )
  return { clock, tables, events, perform }
}

const notice = { index: 7, touched: [[1, 'a']] }

test('a group is applied in order in one commit; once durable its notice goes out, then its answer', (t) => {
  const { clock, events, perform } = make()
  perform([
    { key: 'a', n: 1 },
    { key: 'a', n: -1 },
    { key: 'a', n: 2 },
  ])
  t.deepEqual(events, [])
  clock.run()
  t.deepEqual(events, [
    { notice, sum: 3 },
    { outcomes: [1, { refused: 'invalid', why: 'n must not be negative' }, 3], notice },
  ])
})

test('a group that the disk does not take is refused as a whole, without a notice', (t) => {
  const { clock, tables, events, perform } = make()
  tables.failNext()
  perform([{ key: 'a', n: 1 }])
  perform([{ key: 'a', n: 5 }])
  clock.run()
  t.deepEqual(events, [
    { refused: 'busy', why: 'disk failed: simulated' },
    { notice, sum: 5 },
    { outcomes: [5], notice },
  ])
})

test('a bug in a command is thrown, and nothing of its group has happened', (t) => {
  const { clock, tables, events, perform } = make()
  t.throws(() => perform([{ key: 'a', n: 1 }, { key: 'a', n: 13 }]), { message: 'a bug' }) // biome-ignore format: one call
  clock.run()
  t.deepEqual([events, tables.view().get(sums, 'a')], [[], undefined])
})
