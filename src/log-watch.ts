import type { LogLevel, LogPiece } from './kernel/ports.ts'
import { type Result, refuse } from './kernel/refusal.ts'

/** One line of the log, without its line end. */
export type LogEntry = { level: LogLevel; text: string; json: string }

export type LogWatchOptions = {
  /** Lets lines of this level and above come to `add`; undefined: none any more. */
  listen(level: LogLevel | undefined): void
  /** Calls `work` once, no sooner than `ms` from now. The answer cancels it. */
  after(ms: number, work: () => void): () => void
}

export type LogRequest = { after: number | undefined; level: LogLevel; json: boolean }

const LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error']
/** Lines that are kept for readers that are slower than the log. */
const LINES_MAX = 512
/** A reader that found nothing hears so after this long. */
const QUIET_MS = 10_000
/** Lines that come at once go out together. */
const GATHER_MS = 100
/** Without a reader for this long, the log is not listened to any more. */
const FORGET_MS = 60_000

/** The log for whoever reads along. Without readers it costs nothing. */
export class LogWatch {
  readonly #options: LogWatchOptions
  readonly #entries: (LogEntry & { number: number })[] = []
  readonly #waiting = new Set<() => void>()
  #newest = 0
  #level: LogLevel | undefined
  #forget: () => void = () => undefined
  #gathering = false

  constructor(options: LogWatchOptions) {
    this.#options = options
  }

  add(entry: LogEntry): void {
    this.#entries.push({ ...entry, number: ++this.#newest })
    if (this.#entries.length > LINES_MAX) this.#entries.shift()
    if (this.#waiting.size === 0 || this.#gathering) return
    this.#gathering = true
    this.#options.after(GATHER_MS, () => {
      this.#gathering = false
      for (const wake of [...this.#waiting]) wake()
    })
  }

  /** Calls `done` once: with the lines behind `after` as soon as there are some, with none after a while. */
  read({ after, level, json }: LogRequest, done: (piece: Result<LogPiece>) => void): void {
    if (after !== undefined && after > this.#newest) return done(refuse('invalid', `the log has no line ${after} yet`))
    this.#listen(level)
    if (after === undefined) return done({ text: '', newest: this.#newest, dropped: 0 })
    const first = this.#pieceAfter(after, level, json)
    if (first.text !== '' || first.dropped > 0) return done(first)
    const wake = (isOver: boolean) => {
      const piece = this.#pieceAfter(after, level, json)
      if (!isOver && piece.text === '') return
      cancel()
      this.#waiting.delete(woken)
      this.#listen(level)
      done(piece)
    }
    const woken = () => wake(false)
    this.#waiting.add(woken)
    const cancel = this.#options.after(QUIET_MS, () => wake(true))
  }

  #pieceAfter(after: number, level: LogLevel, json: boolean): LogPiece {
    const oldest = this.#entries[0]?.number ?? this.#newest + 1
    const wanted = this.#entries.filter((entry) => entry.number > after && LEVELS.indexOf(entry.level) >= LEVELS.indexOf(level))
    const text = wanted.map((entry) => `${json ? entry.json : entry.text}\n`).join('')
    return { text, newest: this.#newest, dropped: Math.max(0, oldest - 1 - after) }
  }

  /** The lowest level that anybody has asked for lately counts. */
  #listen(level: LogLevel): void {
    this.#forget()
    this.#forget = this.#options.after(FORGET_MS, () => {
      this.#level = undefined
      this.#entries.length = 0
      this.#options.listen(undefined)
    })
    if (this.#level !== undefined && LEVELS.indexOf(this.#level) <= LEVELS.indexOf(level)) return
    this.#level = level
    this.#options.listen(level)
  }
}
