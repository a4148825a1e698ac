import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { Piscina } from 'piscina'
import type { Config } from '../src/config/config.ts'
import type { LogLevel } from '../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../src/kernel/refusal.ts'
import { beginsLater } from '../src/placement.ts'
import type { Listening, Threads, ThreadsOptions } from '../src/world.ts'
import { contactMemory } from './etcd/contact.ts'
import { logFault } from './etcd/log-fault.ts'
import { createClientTable } from './http/client-limit.ts'
import { gossipPortFree, portsFree } from './ports-free.ts'
import { prepareSnapshotDirectory, snapshotDirectory } from './snapshots.ts'
import { durabilityOf, openTables, openTemporaryTables } from './tables.ts'
import { openThread } from './thread.ts'
import { type FromWorker, linkOver, type ToWorker, type WorkerSetup } from './worker.ts'

/** A thread that fails is started again this often; then the process ends. */
const RESTARTS_MAX = 1
const WORKER_URL = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url).href

type Worker = { control: MessagePort; restarts: number; ended: Promise<void> }

/**
 * Starts all threads of the agent and links each with every other; some begin once they are needed. Refused if one of them cannot have
 * what it needs.
 */
export async function startThreads(options: ThreadsOptions): Promise<Result<Threads>> {
  const { config, layout, print, fatal } = options
  let current = config
  let closing = false
  const taken = (layout.length > 1 ? await portsFree(config) : undefined) ?? (await gossipPortFree(config))
  if (taken) return taken
  const opened = openDirectory(config)
  if (isRefused(opened)) return opened
  const { directory, close: closeDirectory } = opened
  const clients = createClientTable(layout.length)
  const contact = contactMemory()
  const later = layout.flatMap((_roles, thread) => (thread > 0 && beginsLater(layout, thread) ? [thread] : []))
  const numbers = layout.flatMap((_roles, thread) => (thread > 0 && !later.includes(thread) ? [thread] : []))
  const threadsMax = numbers.length + later.length
  const pool =
    threadsMax === 0
      ? undefined
      : new Piscina({
          filename: WORKER_URL,
          minThreads: numbers.length,
          maxThreads: threadsMax,
          concurrentTasksPerWorker: 1,
          atomics: 'disabled',
          env: workerEnvironment(),
        })
  // Meanwhile the workers get ready for their tasks.
  const main = await openThread({ ...options, thread: 0, directory, clients, contact, begin: (thread) => setImmediate(begin, thread) })
  let level = config.log.level
  const workers = new Map<number, Worker>()
  /** The main thread's ends of its links, by the other thread. */
  const mainLinks = new Map<number, MessagePort>()
  const listening: Listening = { http: [], dns: [] }

  /** Runs a worker's endless task; resolves once it answers its interfaces or is refused one. */
  function startWorker(thread: number, restarts: number, links: [number, MessagePort][]): Promise<Result<Listening>> {
    const { port1: control, port2 } = new MessageChannel()
    const setup: WorkerSetup = { config: current, layout, thread, directory, clients, contact, level, control: port2 }
    // At once and over a port whose other end is ours: the task may wait until a thread is free for it, and links whose far ends
    // are gone by then cannot be handed over any more.
    for (const [peer, port] of links) post(control, { do: 'link', peer, port }, [port])
    post(control, { do: 'begin' })
    const ready = new Promise<Result<Listening>>((resolve) => {
      let isReady = false
      control.on('message', (message: FromWorker) => {
        if (message.did === 'called-for') return begin(message.thread)
        if (message.did === 'printed') return print(message.level, message.from, message.line, message.facts)
        isReady = true
        resolve(message.did === 'listening' ? message.listening : refuse('conflict', message.why))
      })
      const ended = pool!.run(setup, { transferList: [port2] }).then(
        () => undefined,
        (error: Error) => {
          if (isReady) failed(thread, error)
          else resolve(refuse('gone', error.message))
        },
      )
      workers.set(thread, { control, restarts, ended })
    })
    return ready
  }

  /** A thread that begins later is needed now. */
  function begin(thread: number): void {
    if (closing || workers.has(thread) || !later.includes(thread)) return
    void startWorker(thread, 0, linksOf(thread)).then((result) => {
      if (isRefused(result) && !closing) fatal(`thread ${thread} (${layout[thread]?.join(', ')}) could not be started: ${result.why}`)
    })
  }

  function failed(thread: number, error: Error): void {
    const restarts = workers.get(thread)?.restarts ?? 0
    if (closing) return
    const name = `thread ${thread} (${layout[thread]?.join(', ')})`
    if (restarts >= RESTARTS_MAX) return fatal(`${name} failed again: ${error.message}`)
    print('error', 'threads', `${name} failed and is started again`, { error: error.stack ?? error.message })
    main.unlink(thread, `${name} failed`)
    for (const [peer, { control }] of workers) if (peer !== thread) post(control, { do: 'unlink', peer: thread, why: `${name} failed` })
    void startWorker(thread, restarts + 1, linksOf(thread)).then((result) => {
      if (isRefused(result)) fatal(`${name} could not be started again: ${result.why}`)
    })
  }

  /** One new channel to each other thread that runs, which has its end of it already. */
  function linksOf(thread: number): [number, MessagePort][] {
    const toMain = new MessageChannel()
    linkMain(thread, toMain.port2)
    const links: [number, MessagePort][] = [[0, toMain.port1]]
    for (const [peer, { control }] of workers) {
      if (peer === thread) continue
      const { port1, port2 } = new MessageChannel()
      post(control, { do: 'link', peer: thread, port: port2 }, [port2])
      links.push([peer, port1])
    }
    return links
  }

  function linkMain(thread: number, port: MessagePort): void {
    mainLinks.get(thread)?.close()
    mainLinks.set(thread, port)
    linkOver(main, thread, port)
  }

  async function startAll(): Promise<Result<Listening>[]> {
    const links = new Map<number, [number, MessagePort][]>(numbers.map((thread) => [thread, []]))
    for (const a of numbers) {
      const { port1, port2 } = new MessageChannel()
      linkMain(a, port2)
      links.get(a)?.push([0, port1])
      for (const b of numbers.filter((number) => number > a)) {
        const between = new MessageChannel()
        links.get(a)?.push([b, between.port1])
        links.get(b)?.push([a, between.port2])
      }
    }
    return Promise.all([main.begin(), ...numbers.map((thread) => startWorker(thread, 0, links.get(thread) ?? []))])
  }

  async function close(): Promise<void> {
    closing = true
    for (const { control } of workers.values()) post(control, { do: 'close' })
    await Promise.all([...workers.values()].map(({ ended }) => ended))
    for (const { control } of workers.values()) control.close()
    await main.close()
    await pool?.destroy()
    closeDirectory()
  }

  async function halt(withinMs: number): Promise<boolean> {
    closing = true
    for (const { control } of workers.values()) post(control, { do: 'halt' })
    const ended = Promise.all([...workers.values()].map(({ ended }) => ended)).then(() => true)
    const tooLong = new Promise<boolean>((resolve) => setTimeout(resolve, withinMs, false))
    return Promise.race([ended, tooLong])
  }

  const results = await startAll()
  for (const result of results) {
    if (isRefused(result)) {
      await close()
      return result
    }
    listening.http = [...new Set([...listening.http, ...result.http])]
    listening.dns = [...new Set([...listening.dns, ...result.dns])]
  }
  return {
    host: main.host,
    listening,
    reconfigure(next) {
      current = next
      level = next.log.level
      main.reconfigure(next)
      for (const { control } of workers.values()) post(control, { do: 'reconfigure', config: next, level: next.log.level })
    },
    printFrom(wanted) {
      level = lowest(wanted, current.log.level)
      for (const { control } of workers.values()) post(control, { do: 'level', level })
    },
    close,
    halt,
  }
}

const LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error']

function lowest(wanted: LogLevel | undefined, configured: LogLevel): LogLevel {
  return wanted !== undefined && LEVELS.indexOf(wanted) < LEVELS.indexOf(configured) ? wanted : configured
}

/** Workers find the compiled code that the main thread keeps: reading TypeScript anew is half of what their start costs. */
function workerEnvironment(): NodeJS.ProcessEnv {
  const directory = getCompileCacheDir()
  return directory === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(directory) }
}

/** The tables' directory, kept by this process alone until it is closed. */
function openDirectory(config: Config): Result<{ directory: string; close(): void }> {
  try {
    const opened = config.devMode ? openTemporaryTables() : openTables(config.dataDir, { durable: durabilityOf(config) })
    const refusal = logFault(config, opened.view())
    if (refusal) {
      opened.close()
      return refusal
    }
    prepareSnapshotDirectory(snapshotDirectory(opened.directory))
    return opened
  } catch (error) {
    return refuse('conflict', error instanceof Error ? error.message : String(error))
  }
}

function post(port: MessagePort, message: ToWorker, transfer: MessagePort[] = []): void {
  port.postMessage(message, transfer)
}
