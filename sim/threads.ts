import type { Host } from '../src/kernel/host.ts'
import type { LogLevel } from '../src/kernel/ports.ts'
import { Queue } from '../src/kernel/queue.ts'
import type { Layout } from '../src/placement.ts'
import type { MachineClock } from './clock.ts'
import { Schedule } from './schedule.ts'
import type { World } from './world.ts'

const THREAD_DELAY_MS_MAX = 0.5
const START_MS_MAX = 20
/** A thread that fails is started again this often; then the process ends. */
const RESTARTS_MAX = 1

export type SimThreadsOptions = {
  node: string
  world: World
  clock: MachineClock
  layout: Layout
  /** Makes a thread's host with all its ports. `fatal` says that the thread cannot go on. */
  createHost(thread: number, schedule: Schedule, surroundings: { soon(work: () => void): void; fatal(why: string): void }): Host
  /** The links are there: starts what lives on the thread. */
  startActors(host: Host): void
  /** A thread is over, before it is made anew: what belonged to it ends too. */
  threadEnded(thread: number): void
  /** A thread that was made anew runs. */
  threadStarted(thread: number): void
  /** The process cannot go on. */
  fatal(why: string): void
  print(level: LogLevel, from: string, line: string, facts?: Record<string, unknown>): void
}

/** One life of a thread. `to` brings work to it, by the thread that sends it. */
type Thread = { host: Host; readonly schedule: Schedule; readonly to: Map<number, Way>; restarts: number }
/** One way from a thread to another: what is sent arrives in its order, each after a drawn time. */
type Way = (work: () => void) => void

/** All threads of one life of an agent's process: linked with each other, started, started again and ended as in production. */
export class SimThreads {
  readonly hosts: Host[] = []
  readonly #options: SimThreadsOptions
  readonly #threads: Thread[] = []
  #slowFactor = 1
  #slowUntilMs = 0

  constructor(options: SimThreadsOptions) {
    this.#options = options
    for (let thread = 0; thread < options.layout.length; thread++) this.#create(thread, 0)
    for (const { host: a } of this.#threads) for (const { host: b } of this.#threads) if (a !== b) this.#link(a, b.thread)
    for (const thread of this.#threads) this.#begin(thread, () => undefined)
  }

  /** Brings work from one thread to another, after what was brought before; to itself in a turn of its own. */
  pass(from: number, to: number, work: () => void): void {
    const thread = this.#threads[to]
    if (from === to) thread?.schedule.later(0, work)
    else thread?.to.get(from)?.(work)
  }

  /** A thread does nothing for so long. */
  stall(thread: number, forMs: number): void {
    this.#threads[thread]?.schedule.pause(this.#options.world.nowMs + forMs)
  }

  /** Until then, in the world's time, everything between threads takes up to so many times longer, and threads run late. */
  slow(factor: number, untilMs: number): void {
    this.#slowFactor = factor
    this.#slowUntilMs = untilMs
  }

  /** A thread fails: it is made anew once, then the process ends; without its main thread it ends at once. */
  crash(thread: number, why: string): void {
    const failed = this.#threads[thread]
    if (!failed || failed.schedule.hasEnded) return
    if (thread === 0) return this.#options.fatal(why)
    const name = `thread ${thread} (${this.#options.layout[thread]?.join(', ')})`
    if (failed.restarts >= RESTARTS_MAX) return this.#options.fatal(`${name} failed again: ${why}`)
    this.#options.print('error', 'threads', `${name} failed and is started again`, { error: why })
    end(failed)
    this.#options.threadEnded(thread)
    const anew = this.#create(thread, failed.restarts + 1)
    for (const { host, to } of this.#threads) {
      if (host === anew.host) continue
      this.#link(anew.host, host.thread)
      // After what the lost thread has sent before.
      to.get(thread)?.(() => {
        host.disconnect(thread, `${name} failed`)
        this.#link(host, thread)
      })
    }
    this.#begin(anew, () => this.#options.threadStarted(thread))
  }

  /** Ends all threads at once. */
  end(): void {
    for (const thread of this.#threads) end(thread)
  }

  #create(thread: number, restarts: number): Thread {
    const { world, clock, layout, node, createHost } = this.#options
    const schedule = new Schedule(world, clock)
    const stream = world.streams.stream(`threads/${node}/${thread}/soon`)
    const host = createHost(thread, schedule, {
      soon: (work) => schedule.later(this.#isSlow ? stream.next() * THREAD_DELAY_MS_MAX * this.#slowFactor : 0, work),
      fatal: (why) => schedule.later(0, () => this.crash(thread, why)),
    })
    const to = new Map(
      layout.flatMap((_roles, from): [number, Way][] => (from === thread ? [] : [[from, this.#way(from, thread, schedule)]])),
    )
    const created: Thread = { host, schedule, to, restarts }
    this.#threads[thread] = created
    this.hosts[thread] = host
    return created
  }

  /** Starting takes a while, in which nothing else happens on the thread. */
  #begin({ host, schedule }: Thread, begun: () => void): void {
    const { world, node, startActors } = this.#options
    schedule.pause(world.nowMs + world.streams.stream(`threads/${node}/start`).next() * START_MS_MAX)
    schedule.later(0, () => {
      startActors(host)
      begun()
    })
  }

  /** Lets one thread send to whatever is the present life of another. */
  #link(from: Host, to: number): void {
    const { world, node } = this.#options
    const name = `${node} ${from.thread}>${to}`
    const { host, to: ways } = this.#threads[to] as Thread
    const way = ways.get(from.thread) as Way
    from.connect(to, (batch) =>
      way(() => {
        world.trace.add(world.nowMs, name, batch)
        host.receive(from.thread, batch)
      }),
    )
  }

  #way(from: number, to: number, schedule: Schedule): Way {
    const { world, node } = this.#options
    const stream = world.streams.stream(`threads/${node}/${from}>${to}`)
    const sent = new Queue<() => void>()
    const take = () => sent.take()?.()
    return (work) => {
      sent.push(work)
      schedule.later(stream.next() * THREAD_DELAY_MS_MAX * (this.#isSlow ? this.#slowFactor : 1), take)
    }
  }

  get #isSlow(): boolean {
    return this.#options.world.nowMs < this.#slowUntilMs
  }
}

function end({ host, schedule }: Thread): void {
  schedule.end()
  host.close()
}
