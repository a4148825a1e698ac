import type { Config, LogConfig } from './config/config.ts'
import type { Host } from './kernel/host.ts'
import type { Devices, LogLevel, Ports } from './kernel/ports.ts'
import type { Result } from './kernel/refusal.ts'
import type { LogEntry } from './log-watch.ts'
import type { Layout } from './placement.ts'

/** What the agent's main program needs of the machine. */
export type World = {
  cores: number
  startThreads(options: ThreadsOptions): Promise<Result<Threads>>
  /** Refused if the log file cannot be written, with its name. */
  createLogger(config: LogConfig, write: (text: string) => void): Result<Logger>
  /** Facts about the machine and its disk at this path. */
  hostFacts(path: string): Record<string, unknown>
  /** Bytes of memory that the process takes. */
  memoryBytes(): number
  /** Sends lines to a server of metrics at `host:port`, without an answer. `failed` is told why some were not sent. */
  openMetricsSink(transport: 'udp' | 'tcp', address: string, failed: (why: string) => void): MetricsSink
  /** Calls `work` again and again. The answer ends it. */
  every(ms: number, work: () => void): () => void
  /** A new UUID. */
  newId(): string
  /** The id that this machine keeps in its data directory; a new one for ''. Refused if the directory cannot be used, with its name. */
  nodeId(dataDirectory: string): Result<string>
  /** The answer removes the file. Refused as `could not write the pid file …`. */
  writePid(path: string): Result<() => void>
  /** The answer stops listening. */
  onSignals(handlers: Partial<Record<NodeJS.Signals, () => void>>): () => void
}

/** Nobody waits for what is sent: what cannot be is lost. */
export type MetricsSink = { send(lines: readonly string[]): void; close(): void }

export type Logger = {
  print: Ports['print']
  setLevel(level: LogLevel): void
  /** Also hands lines of `level` and above to `take`, whatever the log's own level is; undefined ends it. */
  listen(level: LogLevel | undefined, take: (entry: LogEntry) => void): void
}

export type ThreadsOptions = {
  config: Config
  layout: Layout
  print: Ports['print']
  process: Devices['process']
  /** The agent cannot go on; one clear line. */
  fatal(why: string): void
}

/** All threads of a running agent. `host` is the main thread's. */
export type Threads = {
  host: Host
  listening: Listening
  reconfigure(config: Config): void
  /** Makes all threads print lines of this level and above, until the next time; those of the configuration for undefined. */
  printFrom(level: LogLevel | undefined): void
  close(): Promise<void>
  /**
   * Ends all other threads without a word to anybody, each between two of its turns: one that is stopped while it writes to the
   * tables keeps the process from ending. False if that took too long.
   */
  halt(withinMs: number): Promise<boolean>
}

/** Where one may reach the agent, by kind. */
export type Listening = { http: string[]; dns: string[] }
