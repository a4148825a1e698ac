/** Where progress is shown: a terminal, or something that keeps every line. */
export type ProgressStream = { isTTY?: boolean; write(text: string): unknown }

/** A line about work that takes long. */
export type Progress = {
  /** Shows a line if it is time for one. */
  show(line: () => string): void
  /** Takes the line away from a terminal. */
  end(): void
}

const TERMINAL_EVERY_MS = 200
const LINE_EVERY_MS = 10_000
const CLEAR_LINE = '\r\x1b[K'

/** On a terminal one line is written over again; elsewhere there is a new one every ten seconds. */
export function createProgress(stream: ProgressStream, nowMs: () => number): Progress {
  const everyMs = stream.isTTY ? TERMINAL_EVERY_MS : LINE_EVERY_MS
  let shownMs = nowMs()
  let isShown = false
  return {
    show(line) {
      if (nowMs() - shownMs < everyMs) return
      shownMs = nowMs()
      isShown = true
      stream.write(stream.isTTY ? `${CLEAR_LINE}${line()}` : `${line()}\n`)
    },
    end() {
      if (isShown && stream.isTTY) stream.write(CLEAR_LINE)
      isShown = false
    },
  }
}
