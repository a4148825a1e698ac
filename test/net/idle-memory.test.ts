import test from 'ava'
import { idleMemory } from '../../net/idle-memory.ts'

const MB = 1024 * 1024

function tryIdleMemory(start: { heldMb: number; usedMb: number; afterMb?: number; busy?: number }) {
  const now = { ...start }
  let collections = 0
  const look = idleMemory({
    heap: () => ({ heldBytes: now.heldMb * MB, usedBytes: now.usedMb * MB }),
    busy: () => now.busy ?? 0,
    collect() {
      collections++
      now.heldMb = now.afterMb ?? now.usedMb
    },
  })
  return { now, look, collections: () => collections }
}

test('a thread at rest gives back what it does not use', (t) => {
  const { look, collections } = tryIdleMemory({ heldMb: 54, usedMb: 18 })
  look()
  look()
  t.is(collections(), 1)
})

test('a busy thread keeps all, until it rests', (t) => {
  const { now, look, collections } = tryIdleMemory({ heldMb: 54, usedMb: 18, busy: 0.3 })
  look()
  t.is(collections(), 0)
  now.busy = 0.01
  look()
  t.is(collections(), 1)
})

test('a heap that takes long to collect is left to V8', (t) => {
  const { look, collections } = tryIdleMemory({ heldMb: 400, usedMb: 300 })
  look()
  t.is(collections(), 0)
})

test('what could not be given back is not tried again before it has grown', (t) => {
  const { now, look, collections } = tryIdleMemory({ heldMb: 40, usedMb: 18, afterMb: 30 })
  look()
  look()
  t.is(collections(), 1)
  now.heldMb = 37
  look()
  t.is(collections(), 2)
})

test('this thread can do it', (t) => {
  const filled = Array.from({ length: 300_000 }, (_, at) => ({ at }))
  const before = process.memoryUsage().heapTotal
  filled.length = 0
  idleMemory({ busy: () => 0 })()
  t.true(process.memoryUsage().heapTotal < before)
})
