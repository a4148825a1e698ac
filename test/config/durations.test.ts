import test from 'ava'
import fc from 'fast-check'
import { formatDuration, parseDuration } from '../../src/config/durations.ts'
import { isRefused } from '../../src/kernel/refusal.ts'

const READ: [text: string, ms: number, written: string][] = [
  ['1h30m', 5_400_000, '1h30m0s'],
  ['500ms', 500, '500ms'],
  ['1.5s', 1_500, '1.5s'],
  ['0', 0, '0s'],
  ['-1.5h', -5_400_000, '-1h30m0s'],
  ['.5s', 500, '500ms'],
  ['1.s', 1_000, '1s'],
  ['60s', 60_000, '1m0s'],
  ['72h', 259_200_000, '72h0m0s'],
  ['1us', 0.001, '1µs'],
  ['3ns', 0.000003, '3ns'],
  ['+5s', 5_000, '5s'],
]
for (const [text, ms, written] of READ) {
  test(`${text} is ${ms} ms and is written ${written}`, (t) => {
    t.is(parseDuration(text), ms)
    t.is(formatDuration(ms), written)
  })
}

const WRONG: [text: string, why: string][] = [
  ['x', 'time: invalid duration "x"'],
  ['', 'time: invalid duration ""'],
  ['.s', 'time: invalid duration ".s"'],
  ['-', 'time: invalid duration "-"'],
  ['5', 'time: missing unit in duration "5"'],
  ['5y', 'time: unknown unit "y" in duration "5y"'],
  ['9999999h', 'time: invalid duration "9999999h"'],
]
for (const [text, why] of WRONG) test(`refused: ${text}`, (t) => t.deepEqual(parseDuration(text), { refused: 'invalid', why }))

test('what is written is read back as the same', (t) => {
  fc.assert(fc.property(fc.integer({ min: -(10 ** 12), max: 10 ** 12 }), (ms) => t.is(parseDuration(formatDuration(ms)), ms)))
})

test('any text is a number or a refusal in the words of Go', (t) => {
  const noise = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('1', '.', '-', 'h', 'm', 's', 'µ', 'n', 'u') }))
  fc.assert(
    fc.property(noise, (text) => {
      const read = parseDuration(text)
      t.true(isRefused(read) ? read.why.startsWith('time: ') : Number.isFinite(read))
    }),
  )
})
