import type { World } from '../world.ts'

/** All that a command may touch of the process that runs it. */
export type Io = {
  /** One line on standard output; the line end is added. */
  out(line: string): void
  /** One line on standard error. */
  err(line: string): void
  /** Exactly these characters or bytes on standard output. */
  write(text: string | Uint8Array): void
  readonly env: Readonly<Record<string, string | undefined>>
  /** Everything that standard input holds. */
  stdin(): Promise<Buffer>
  /** Ends what would go on for ever. A process whose command asks for it is no longer ended by SIGINT and SIGTERM. */
  readonly signal?: AbortSignal
  /** The terminal that standard output is, if it is one. */
  readonly terminal?: Terminal
  /** The machine, for a command that runs an agent; loaded only when asked for. */
  world?(): Promise<World>
}

export type Terminal = {
  size(): { columns: number; rows: number }
  /** Tells of each key as it is pressed, control keys too: \u0003 is Ctrl-C. The answer ends that. */
  keys(pressed: (key: string) => void): () => void
}

/** The name under which the program was started: `tribune`, or `consul` through a link of that name. */
export function programName({ env }: Pick<Io, 'env'>): string {
  return env['TRIBUNE_PROGRAM'] === 'consul' ? 'consul' : 'tribune'
}
