import test from 'ava'
import type { LogLevel, LogPiece } from '../src/kernel/ports.ts'
import { isRefused, type Result } from '../src/kernel/refusal.ts'
import { type LogRequest, LogWatch } from '../src/log-watch.ts'

/** A log that is listened to, with a clock that only `wait` moves. */
function watched() {
  const timers = new Map<number, { atMs: number; work: () => void }>()
  const levels: (LogLevel | undefined)[] = []
  let nowMs = 0
  let last = 0
  const watch = new LogWatch({
    listen: (level) => levels.push(level),
    after(ms, work) {
      const id = ++last
      timers.set(id, { atMs: nowMs + ms, work })
      return () => timers.delete(id)
    },
  })
  return {
    levels,
    add: (level: LogLevel, text: string) => watch.add({ level, text, json: JSON.stringify({ text }) }),
    read(request: Partial<LogRequest>): { piece: Result<LogPiece> | undefined } {
      const found: { piece: Result<LogPiece> | undefined } = { piece: undefined }
      watch.read({ after: undefined, level: 'info', json: false, ...request }, (piece) => {
        found.piece = piece
      })
      return found
    },
    wait(ms: number): void {
      nowMs += ms
      for (const [id, { atMs, work }] of [...timers]) {
        if (atMs > nowMs) continue
        timers.delete(id)
        work()
      }
    },
  }
}

test('a reader begins with now and gets what comes behind it, as far as its level goes', (t) => {
  const log = watched()
  t.deepEqual(log.read({}).piece, { text: '', newest: 0, dropped: 0 })
  const next = log.read({ after: 0 })
  t.is(next.piece, undefined)
  log.add('debug', 'quiet')
  log.add('warn', 'loud')
  log.add('info', 'also')
  log.wait(100)
  t.deepEqual(next.piece, { text: 'loud\nalso\n', newest: 3, dropped: 0 })
  t.deepEqual(log.read({ after: 2, json: true }).piece, { text: '{"text":"also"}\n', newest: 3, dropped: 0 })
})

test('nobody waits for ever', (t) => {
  const log = watched()
  log.read({})
  const next = log.read({ after: 0 })
  log.wait(10_000)
  t.deepEqual(next.piece, { text: '', newest: 0, dropped: 0 })
})

test('who reads more slowly than the log is told how much is gone', (t) => {
  const log = watched()
  log.read({})
  for (let line = 1; line <= 600; line++) log.add('info', String(line))
  const { piece } = log.read({ after: 10 })
  t.false(isRefused(piece ?? { refused: 'gone', why: '' }))
  t.like(piece, { newest: 600, dropped: 78 })
})

test('the log is listened to at the lowest level asked for, and not at all once nobody reads', (t) => {
  const log = watched()
  log.read({ level: 'warn' })
  log.read({ level: 'debug' })
  log.read({ level: 'info' })
  log.wait(60_000)
  t.deepEqual(log.levels, ['warn', 'debug', undefined])
})
