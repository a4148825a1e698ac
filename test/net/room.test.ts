import { statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { openRoom } from '../../net/room.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'

const KIB = 1_024

test('the file is longer than what is reserved, and grows in portions', (t) => {
  const directory = temporaryDirectory(t)
  const path = join(directory, 'data')
  writeFileSync(path, new Uint8Array(8 * KIB))
  const usage = { usedBytes: 8 * KIB, freeBytes: 0, freelistBytes: 0, stretches: 2 }
  let looks = 0
  const room = openRoom(path, () => {
    looks++
    return usage
  })
  const lengths = new Set<number>()
  for (let reserved = 0; reserved < 300; reserved++) {
    room.reserve(10 * KIB)
    lengths.add(statSync(path).size)
    t.true(statSync(path).size >= usage.usedBytes + (reserved + 1) * 10 * KIB)
  }
  t.true(lengths.size < 30 && looks < 60)
  t.true(statSync(path).blocks * 512 >= statSync(path).size)

  const { size } = statSync(path)
  room.settle(room.inFlightBytes)
  t.is(room.inFlightBytes, 0)
  // Nothing of it was used after all, so there is room without growing.
  for (let reserved = 0; reserved < 100; reserved++) room.reserve(10 * KIB)
  t.is(statSync(path).size, size)
  room.reserve(50_000 * KIB)
  t.true(statSync(path).size >= 50_000 * KIB)
  room.close()
})

test('what is in the file is never changed, and holes behind it are not taken for room', (t) => {
  const directory = temporaryDirectory(t)
  const path = join(directory, 'data')
  writeFileSync(path, 'x'.repeat(8 * KIB))
  truncateSync(path, 10_000 * KIB)
  const room = openRoom(path, () => ({ usedBytes: 8 * KIB, freeBytes: 0, freelistBytes: 0, stretches: 2 }))
  t.is(statSync(path).size, 8 * KIB)
  room.reserve(1)
  t.true(statSync(path).blocks * 512 >= statSync(path).size)
  room.close()
})
