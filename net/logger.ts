import { appendFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import type { LogConfig } from '../src/config/config.ts'
import type { LogLevel } from '../src/kernel/ports.ts'
import { printable } from '../src/kernel/printable.ts'
import type { LogEntry } from '../src/log-watch.ts'
import { makeDirectory } from './make-directory.ts'

export type Logger = {
  print(level: LogLevel, from: string, line: string, facts?: Record<string, unknown>): void
  setLevel(level: LogLevel): void
  /** Also hands lines of `level` and above to `take`, whatever the log's own level is; undefined ends it. */
  listen(level: LogLevel | undefined, take: (entry: LogEntry) => void): void
}

const LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error']
const SHOWN: Record<LogLevel, string> = { trace: '[TRACE]', debug: '[DEBUG]', info: '[INFO] ', warn: '[WARN] ', error: '[ERROR]' }

/** Writes log lines, to `write` and to a file if one is configured. Throws if that file cannot be written. */
export function createLogger(config: LogConfig, write: (text: string) => void): Logger {
  let level = config.level
  let listener: { level: LogLevel; take: (entry: LogEntry) => void } | undefined
  const file = config.file === '' ? undefined : openLogFile(config)
  return {
    print(wanted, from, line, facts) {
      if (listener && LEVELS.indexOf(wanted) >= LEVELS.indexOf(listener.level)) {
        listener.take({ level: wanted, text: asText(wanted, from, line, facts), json: asJson(wanted, from, line, facts) })
      }
      if (LEVELS.indexOf(wanted) < LEVELS.indexOf(level)) return
      const text = `${config.json ? asJson(wanted, from, line, facts) : asText(wanted, from, line, facts)}\n`
      write(text)
      file?.(text)
    },
    setLevel(wanted) {
      level = wanted
    },
    listen(wanted, take) {
      listener = wanted === undefined ? undefined : { level: wanted, take }
    },
  }
}

function asText(level: LogLevel, from: string, line: string, facts: Record<string, unknown> = {}): string {
  const pairs = Object.entries(facts).filter(([, value]) => value !== undefined)
  const tail = pairs.length === 0 ? '' : `: ${pairs.map(([name, value]) => `${name}=${quoted(name, value)}`).join(' ')}`
  return `${new Date().toISOString()} ${SHOWN[level]} ${printable(`${from}: ${line}`)}${tail}`
}

function asJson(level: LogLevel, from: string, line: string, facts: Record<string, unknown> = {}): string {
  return printable(JSON.stringify({ '@level': level, '@message': line, '@module': from, '@timestamp': new Date().toISOString(), ...facts }))
}

/** What a program wrote and where one failed. All else is a name of something, and stays on its line. */
const LONG_FACTS = new Set(['error', 'output'])

/** A value with blanks or quotes in it is quoted; a long one of several lines is put on lines of its own, which begin with blanks. */
function quoted(name: string, value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
  if (LONG_FACTS.has(name) && text.includes('\n')) return printable(`\n  ${text.replaceAll('\n', '\n  ')}`, true)
  return printable(/[\s"=]/.test(text) ? JSON.stringify(text) : text)
}

/** Appends to the newest file; a full or old one is renamed with its time, and the oldest of those are removed. */
function openLogFile({ file, rotateBytes, rotateDurationMs, rotateMaxFiles }: LogConfig): (text: string) => void {
  const path = file.endsWith('/') ? join(file, 'tribune.log') : file
  const [folder, extension] = [dirname(path), extname(path) || '.log']
  const stem = basename(path, extname(path))
  makeDirectory(folder)
  append('')
  let bytes = sizeOf(path)
  let openedAtMs = Date.now()

  function append(text: string): void {
    appendFileSync(path, text, { mode: 0o600 })
  }

  function rotate(): void {
    renameSync(path, join(folder, `${stem}-${Date.now()}${extension}`))
    bytes = 0
    openedAtMs = Date.now()
    if (rotateMaxFiles === 0) return
    const old = readdirSync(folder)
      .filter((name) => name.startsWith(`${stem}-`) && name.endsWith(extension))
      .sort()
    for (const name of old.slice(0, Math.max(0, old.length - Math.max(rotateMaxFiles, 0)))) rmSync(join(folder, name))
  }

  return (text) => {
    const due = rotateDurationMs > 0 && Date.now() - openedAtMs >= rotateDurationMs
    if (bytes > 0 && (due || (rotateBytes > 0 && bytes + text.length > rotateBytes))) rotate()
    append(text)
    bytes += Buffer.byteLength(text)
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
