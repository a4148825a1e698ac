import test from 'ava'
import fc from 'fast-check'
import { createSimTables } from '../sim/ports/tables.ts'
import { createRandom } from '../sim/streams.ts'
import { World } from '../sim/world.ts'
import { appliedMark, appliedPosition, createReplica } from '../src/replica.ts'
import { type Add, applyAdds, history } from './ports/log-arms.ts'

function make(seed = 'replica', later = false) {
  const world = new World(seed)
  const random = createRandom(seed)
  const events: unknown[] = []
  const after = (ms: number, work: () => void) => world.after(ms, work)
  const tables = createSimTables({
    after,
    drawCommitMs: () => random.next() * 10,
    drawSurvivors: (inFlight) => random.int(0, inFlight),
    later,
  })
  const complaints: unknown[] = []
  const refused = (refusal: unknown) => complaints.push(refusal === undefined ? 'none' : 'some')
  const onCommitted = ({ index }: { index: number }) => events.push(`notice ${index}`)
  const start = () => createReplica({ tables, apply: applyAdds, onCommitted, after, refused })
  return { world, tables, events, complaints, start }
}

test('entries are applied in order with their position; a notice goes out before its answer', (t) => {
  const { world, tables, events, start } = make()
  const replica = start()
  replica.deliver(1, [add('a', 1), add('a', 2)], ({ outcomes }) => events.push({ outcomes, applied: replica.applied() }))
  replica.deliver(2, [add('a', 4)], ({ outcomes }) => events.push({ outcomes, applied: replica.applied() }))
  replica.deliver(3, [])
  t.deepEqual([events, replica.applied()], [[], 0])
  world.runUntil(20)
  t.deepEqual(events.slice(0, 4), ['notice 2', { outcomes: [1, 3], applied: 1 }, 'notice 3', { outcomes: [7], applied: 2 }])
  t.deepEqual([replica.applied(), appliedPosition(tables.view())], [3, 3])
})

test('what was taken before is ignored, also while it is under way and after a restart; a gap is a bug', (t) => {
  const { world, tables, events, start } = make()
  const replica = start()
  const answers: string[] = []
  replica.deliver(1, [add('a', 1)], () => answers.push('first'))
  replica.deliver(1, [add('a', 1)], () => answers.push('again'))
  world.runUntil(20)
  replica.deliver(1, [add('a', 1)], () => answers.push('after'))
  start().deliver(1, [add('a', 1)], () => answers.push('in a new life'))
  world.runUntil(40)
  t.deepEqual([answers, events, history(tables.view())], [['first'], ['notice 1'], ['a+1']])
  t.throws(() => replica.deliver(3, []), { message: 'broken promise: entries arrive without a gap; 3 came after 1' })
})

test('an entry that the disk refuses is tried again until it is taken; those after it wait and keep their order', (t) => {
  const { world, tables, events, complaints, start } = make()
  const replica = start()
  tables.failNext()
  for (let position = 1; position <= 3; position++) replica.deliver(position, [add('a', position)])
  world.runUntil(40)
  t.deepEqual([events, complaints], [[], ['some']])
  world.runUntil(200)
  t.deepEqual(complaints, ['some', 'none'])
  t.deepEqual([events, history(tables.view())], [
    ['notice 1', 'notice 2', 'notice 3'],
    ['a+1', 'a+2', 'a+3'],
  ]) // biome-ignore format: expectation
  tables.full = true
  replica.deliver(4, [add('a', 4)])
  world.runUntil(10_000)
  replica.deliver(5, [add('a', 5)])
  const { events: before } = world
  world.runUntil(60_000)
  // A try and the disk's answer, once a second.
  t.true(world.events - before <= 102)
  tables.full = false
  world.runUntil(62_000)
  t.deepEqual(history(tables.view()), ['a+1', 'a+2', 'a+3', 'a+4', 'a+5'])
})

test('entries that arrive together are one commit; each has its notice and then its answer', (t) => {
  const { world, tables, events } = make()
  let commits = 0
  const counted: Pick<typeof tables, 'view' | 'transact'> = {
    view: () => tables.view(),
    transact(work, durable) {
      commits++
      tables.transact(work, durable)
    },
  }
  const options = { after: (ms: number, work: () => void) => world.after(ms, work), apply: applyAdds }
  const replica = createReplica({ ...options, tables: counted, onCommitted: ({ index }) => events.push(`notice ${index}`) })
  for (const position of [1, 2, 3]) {
    replica.deliver(position, [add('a', position)], ({ outcomes }) => events.push({ position, outcomes }), position * 10, position < 3)
    t.is(commits, position < 3 ? 0 : 1)
  }
  world.runUntil(20)
  t.deepEqual(
    events,
    [1, 2, 3].flatMap((position, at) => [`notice ${position}`, { position, outcomes: [[1, 3, 6][at]] }]),
  )
  t.deepEqual([commits, replica.applied(), appliedMark(tables.view())], [1, 3, 30])
})

test('a bug in a command is thrown to whoever delivers it; the entry has not happened and nothing overtakes it', (t) => {
  const { world, tables, start } = make()
  const replica = start()
  replica.deliver(1, [add('a', 1)])
  t.throws(() => replica.deliver(2, [add('a', 5), add('a', 13)]), { message: 'a bug' })
  t.throws(() => replica.deliver(3, [add('a', 3)]), { message: 'a bug' })
  t.throws(() => world.runUntil(100), { message: 'a bug' })
  t.deepEqual([history(tables.view()), replica.applied()], [['a+1'], 1])
})

test('after its end nothing is called any more', (t) => {
  const { world, events, tables, start } = make()
  const replica = start()
  replica.deliver(1, [add('a', 1)], () => events.push('answer'))
  tables.failNext()
  replica.deliver(2, [add('a', 2)])
  replica.end()
  replica.deliver(3, [add('a', 3)])
  world.runUntil(5_000)
  t.deepEqual([events, replica.applied()], [[], 1])
})

test('many entries at once are not all with the disk at once', (t) => {
  const { world, tables, start } = make()
  const replica = start()
  let [inFlight, inFlightMax] = [0, 0]
  const { transact } = tables
  tables.transact = (work, durable) => {
    inFlightMax = Math.max(inFlightMax, ++inFlight)
    transact(work, (result) => {
      inFlight--
      durable(result)
    })
  }
  for (let position = 1; position <= 3_000; position++) replica.deliver(position, position % 500 === 0 ? [add('a', 1)] : [])
  world.runUntil(60_000)
  t.deepEqual([replica.applied(), history(tables.view()).length, inFlightMax], [3_000, 6, 64])
})

type Step = { do: 'deliver' | 'refuse' | 'fill' | 'crash' | 'wait'; ms: number }
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({ do: fc.constantFrom('deliver' as const, 'deliver' as const, 'refuse', 'fill', 'crash', 'wait'), ms: fc.nat(30) }),
  { minLength: 1, maxLength: 60 },
)

test('whatever the disk does and whenever it crashes, every entry is applied once, in order', (t) => {
  fc.assert(
    fc.property(steps, fc.string(), (list, seed) => {
      const { world, tables, start } = make(seed)
      let replica = start()
      let head = 0
      for (const step of list) {
        if (step.do === 'deliver') replica.deliver(++head, [add('a', head + 20)])
        else if (step.do === 'refuse') tables.failNext()
        else if (step.do === 'fill') tables.full = !tables.full
        else if (step.do === 'crash') {
          replica.end()
          tables.crash()
          replica = start()
          for (let position = replica.applied(); position < head; ) replica.deliver(++position, [add('a', position + 20)])
        } else world.runUntil(world.nowMs + step.ms)
      }
      tables.full = false
      world.runUntil(world.nowMs + 10_000)
      t.is(replica.applied(), head)
      t.deepEqual(
        history(tables.view()),
        Array.from({ length: head }, (_, at) => `a+${at + 21}`),
      )
    }),
    { numRuns: 200 },
  )
})

test('it says what is durable: at intervals, where commits do not wait for the disk', (t) => {
  const { world, start } = make('later', true)
  const replica = start()
  t.deepEqual(replica.durable(), { position: 0, mark: 0 })
  for (let position = 1; position <= 3; position++) replica.deliver(position, [add('a', 1)], undefined, position * 10)
  world.runUntil(500)
  t.deepEqual([replica.applied(), replica.durable()], [3, { position: 0, mark: 0 }])
  world.runUntil(1_500)
  t.deepEqual(replica.durable(), { position: 3, mark: 30 })
  const { events } = world
  world.runUntil(60_000)
  t.is(world.events, events)
  // In a new life nobody knows whether the disk has it, until it is asked.
  const next = start()
  t.deepEqual([next.applied(), next.durable().position], [3, 0])
  world.runUntil(62_000)
  t.is(next.durable().position, 3)
})

test('where commits wait for the disk, what is applied is durable; what a disk does not keep is not', (t) => {
  const { world, start } = make()
  const replica = start()
  replica.deliver(1, [add('a', 1)], undefined, 7)
  world.runUntil(20)
  t.deepEqual(replica.durable(), { position: 1, mark: 7 })
  const other = make('failing', true)
  const failing = other.start()
  failing.deliver(1, [add('a', 1)], undefined, 7)
  other.world.runUntil(900)
  other.tables.failing = true
  other.world.runUntil(5_000)
  t.is(failing.durable().position, 0)
  other.tables.failing = false
  other.world.runUntil(8_000)
  t.is(failing.durable().position, 1)
})

function add(key: string, n: number): Add {
  return { key, n }
}
