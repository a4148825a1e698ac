import { Host } from '../../src/kernel/host.ts'
import type { AnyActor } from '../../src/kernel/instance.ts'
import type { Clock, Devices, Ports, Random } from '../../src/kernel/ports.ts'
import type { View } from '../../src/kernel/tables.ts'

const NO_TABLES: View = { get: () => undefined, range: () => [] }
const FIXED: Random = { next: () => 0.5, int: (from) => from, uuid: () => '00000000-0000-4000-8000-000000000000' }

/** A clock that moves only when told to. */
export class ManualClock implements Clock {
  nowMs = 0
  #timers: { atMs: number; work: () => void }[] = []

  wallMs(): number {
    return this.nowMs
  }
  monotonicMs(): number {
    return this.nowMs
  }
  after(ms: number, work: () => void): () => void {
    const timer = { atMs: this.nowMs + ms, work }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }
  /** Fires what is due until then, in order. */
  advance(ms: number, settle: () => void): void {
    const untilMs = this.nowMs + ms
    for (;;) {
      settle()
      const next = this.#timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (!next) break
      this.#timers = this.#timers.filter((other) => other !== next)
      this.nowMs = Math.max(this.nowMs, next.atMs)
      next.work()
    }
    this.nowMs = untilMs
    settle()
  }
}

export type TestHosts = {
  hosts: Host[]
  clock: ManualClock
  fatal: string[]
  printed: string[]
  /** Runs everything that can run without time passing. */
  settle(): void
  advance(ms: number): void
  link(a: number, b: number): void
  unlink(a: number, b: number): void
  /** The thread fails: the others lose it, and a new host that runs nothing is linked in its place. */
  replace(thread: number): Host
}

/** Hosts as threads of one process, with links that carry packed batches, on one manual clock. */
export function testHosts(options: {
  threads: number
  actors: readonly unknown[]
  place: (actor: string, key: string, lane?: number) => number
  hears?: (thread: number) => boolean
  devices?: Partial<Devices>
  /** Default: empty. */
  tables?: Ports['tables']
}): TestHosts {
  const clock = new ManualClock()
  const pending: (() => void)[] = []
  const fatal: string[] = []
  const printed: string[] = []
  let lives = 0
  const counting: Random = { ...FIXED, int: (from) => from + 1_000 * lives++ }
  const ports: Ports = {
    clock,
    random: (stream) => (stream === 'calls' ? counting : FIXED),
    tables: options.tables ?? { view: () => NO_TABLES },
    devices: options.devices ?? {},
    print: (level, from, line) => printed.push(`${level} ${from}: ${line}`),
  }
  const create = (thread: number) =>
    new Host({
      node: 'n1',
      thread,
      ports,
      actors: options.actors as AnyActor[],
      place: options.place,
      ...(options.hears && { hears: options.hears }),
      soon: (work) => pending.push(work),
      fatal: (why) => fatal.push(why),
    })
  const hosts = Array.from({ length: options.threads }, (_, thread) => create(thread))
  const settle = () => {
    for (let work = pending.shift(); work; work = pending.shift()) work()
  }
  const link = (a: number, b: number) => {
    const [hostA, hostB] = [hosts[a], hosts[b]]
    hostA?.connect(b, (batch) => pending.push(() => hostB?.receive(a, batch)))
    hostB?.connect(a, (batch) => pending.push(() => hostA?.receive(b, batch)))
  }
  for (let a = 0; a < options.threads; a++) for (let b = a + 1; b < options.threads; b++) link(a, b)
  return {
    hosts,
    clock,
    fatal,
    printed,
    settle,
    link,
    advance: (ms) => clock.advance(ms, settle),
    unlink(a, b) {
      hosts[a]?.disconnect(b, 'gone for the test')
      hosts[b]?.disconnect(a, 'gone for the test')
    },
    replace(thread) {
      hosts[thread]?.close()
      const anew = create(thread)
      hosts[thread] = anew
      hosts.forEach((host, other) => {
        if (other === thread) return
        host.disconnect(thread, 'gone for the test')
        link(thread, other)
      })
      return anew
    },
  }
}
