import type { MessagePort } from 'node:worker_threads'
import type { Config } from '../src/config/config.ts'
import type { LogLevel } from '../src/kernel/ports.ts'
import { isRefused, refuse } from '../src/kernel/refusal.ts'
import type { Layout } from '../src/placement.ts'
import type { Listening } from '../src/world.ts'
import { openThread, type Thread, type ThreadMessage } from './thread.ts'

/** What a worker is given. Links come over `control`, then `begin`. */
export type WorkerSetup = {
  config: Config
  layout: Layout
  thread: number
  directory: string
  clients: SharedArrayBuffer
  contact: SharedArrayBuffer
  level: LogLevel
  control: MessagePort
}

export type ToWorker =
  | { do: 'link'; peer: number; port: MessagePort }
  | { do: 'unlink'; peer: number; why: string }
  /** The links are there. */
  | { do: 'begin' }
  | { do: 'reconfigure'; config: Config; level: LogLevel }
  /** What is printed from now on. */
  | { do: 'level'; level: LogLevel }
  | { do: 'close' }
  | { do: 'halt' }

export type FromWorker =
  | { did: 'listening'; listening: Listening }
  | { did: 'refused'; why: string }
  /** A thread is needed that may not run yet. */
  | { did: 'called-for'; thread: number }
  | { did: 'printed'; level: LogLevel; from: string; line: string; facts: Record<string, unknown> | undefined }

const LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error']

/** The endless task of one worker thread. It ends when told to, and fails when the thread cannot go on. */
export default async function work(setup: WorkerSetup): Promise<void> {
  const { control } = setup
  let level = setup.level
  const ended = Promise.withResolvers<void>()
  const tell = (message: FromWorker) => control.postMessage(message)
  const thread = await openThread({
    ...setup,
    print: (wanted, from, line, facts) => {
      if (LEVELS.indexOf(wanted) >= LEVELS.indexOf(level))
        tell({ did: 'printed', level: wanted, from, line, facts: facts && printable(facts) })
    },
    process: { perform: (_request, done) => done(refuse('gone', 'the process is led by its main thread')) },
    fatal: (why) => ended.reject(new Error(why)),
    begin: (needed) => tell({ did: 'called-for', thread: needed }),
  })
  const ports = new Map<number, MessagePort>()
  const linked = Promise.withResolvers<void>()
  control.on('message', (message: ToWorker) => {
    if (message.do === 'link') {
      ports.set(message.peer, message.port)
      linkOver(thread, message.peer, message.port)
    } else if (message.do === 'unlink') {
      ports.get(message.peer)?.close()
      thread.unlink(message.peer, message.why)
    } else if (message.do === 'begin') linked.resolve()
    else if (message.do === 'close') ended.resolve()
    else if (message.do === 'halt') process.exit()
    else if (message.do === 'level') level = message.level
    else {
      level = message.level
      thread.reconfigure(message.config)
    }
  })
  await linked.promise
  const listening = await thread.begin()
  tell(isRefused(listening) ? { did: 'refused', why: listening.why } : { did: 'listening', listening })
  try {
    await ended.promise
  } finally {
    await thread.close()
    control.close()
    for (const port of ports.values()) port.close()
  }
}

/** Ties a thread to another one over a port. */
export function linkOver(thread: Pick<Thread, 'link' | 'receive'>, peer: number, port: MessagePort): void {
  port.on('message', (message: ThreadMessage) => thread.receive(peer, message))
  thread.link(peer, (message) => port.postMessage(message))
}

function printable(facts: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [name, typeof value === 'object' && value !== null ? JSON.stringify(value) : value]),
  )
}
