import test from 'ava'
import { createSimTables } from '../../../sim/ports/tables.ts'
import { table } from '../../../src/kernel/tables.ts'
import { manualClock } from '../../ports/tables-arms.ts'

const numbers = table<number>('numbers', 1)

function make(commitMs: number[], drawSurvivors?: (inFlight: number) => number) {
  const clock = manualClock()
  const tables = createSimTables({
    after: clock.after,
    drawCommitMs: () => commitMs.shift() ?? 10,
    ...(drawSurvivors && { drawSurvivors }),
  })
  const answers: unknown[] = []
  const put = (key: string, n: number) =>
    tables.transact(
      (tx) => {
        tx.put(numbers, key, n)
        return n
      },
      (result) => answers.push(result),
    )
  return { clock, tables, answers, put, visible: () => [...tables.view().range(numbers)].map(([key, n]) => `${key}${n}`).join(' ') }
}

test('a commit is visible and answered when its time has come, in order, whatever the delays', (t) => {
  const { clock, answers, put, visible } = make([10, 1, 20])
  put('a', 1)
  put('a', 2)
  put('b', 3)
  t.is(visible(), '')
  clock.run(9)
  t.deepEqual([visible(), answers], ['', []])
  clock.run(1)
  t.deepEqual([visible(), answers], ['a2', [1, 2]])
  clock.run(10)
  t.deepEqual([visible(), answers], ['a2 b3', [1, 2, 3]])
})

test('a crash loses what was not durable, and nobody is told later', (t) => {
  const { clock, tables, answers, put, visible } = make([10, 10, 10, 10])
  put('a', 1)
  clock.run(10)
  put('a', 2)
  put('b', 3)
  clock.run(9)
  tables.crash()
  t.is(visible(), 'a1')
  put('c', 4)
  clock.run()
  t.deepEqual([visible(), answers], ['a1 c4', [1, 4]])
})

test('commits in flight may survive a crash without an answer, the earlier ones first', (t) => {
  const { clock, tables, answers, put, visible } = make([10, 10, 10], (inFlight) => inFlight - 1)
  put('a', 1)
  put('b', 2)
  put('c', 3)
  tables.crash()
  clock.run()
  t.deepEqual([visible(), answers], ['a1 b2', []])
})

test('a full disk refuses until it has room, and a failure refuses once', (t) => {
  const { clock, tables, answers, put, visible } = make([])
  put('a', 1)
  tables.full = true
  put('a', 2)
  tables.full = false
  put('b', 3)
  tables.failNext()
  put('b', 4)
  put('c', 5)
  clock.run()
  t.is(visible(), 'a1 b3 c5')
  t.deepEqual(answers, [1, { refused: 'busy', why: 'disk full: simulated' }, 3, { refused: 'busy', why: 'disk failed: simulated' }, 5])
})
