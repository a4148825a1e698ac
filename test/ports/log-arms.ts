import type { ExecutionContext } from 'ava'
import { realClock } from '../../net/clock.ts'
import { connectEtcd } from '../../net/etcd/client.ts'
import { etcdKeys } from '../../net/etcd/keys.ts'
import { type EtcdLog, etcdLog } from '../../net/etcd/log.ts'
import { SimLog } from '../../sim/ports/log.ts'
import { createSimTables, type SimTables } from '../../sim/ports/tables.ts'
import { World } from '../../sim/world.ts'
import type { Devices, LogOutcome } from '../../src/kernel/ports.ts'
import { type Result, refuse } from '../../src/kernel/refusal.ts'
import { type ChangeNotice, type Transaction, table, type View } from '../../src/kernel/tables.ts'
import { localLog } from '../../src/local-log.ts'
import { type RunningEtcd, startEtcd } from '../kit/etcd.ts'

/** Adds to a sum; refused below zero, a bug at 13. */
export type Add = { key: string; n: number }

const sums = table<number>('sums', 100)
const done = table<string>('done', 101)

/** Applies a group: sums, and what was done in its order. Nothing is left of it if it throws. */
export function applyAdds(tx: Transaction, commands: readonly object[]): { outcomes: Result<unknown>[]; notice: ChangeNotice } {
  let index = [...tx.range(done)].length
  const touched: ChangeNotice['touched'] = []
  const outcomes = (commands as readonly Add[]).map(({ key, n }) => {
    if (n === 13) throw new Error('a bug')
    if (n < 0) return refuse('invalid', 'n must not be negative')
    const sum = (tx.get(sums, key) ?? 0) + n
    tx.put(sums, key, sum)
    tx.put(done, String(++index).padStart(8, '0'), `${key}+${n}`)
    touched.push([sums.id, key])
    return sum
  })
  return { outcomes, notice: { index, touched } }
}

/** What was done, in its order. */
export function history(view: View): string[] {
  return [...view.range(done)].map(([, what]) => what)
}

/** Everything these tables say, for comparison. */
export function contents(view: View): string {
  return JSON.stringify([...view.range(sums), ...history(view)])
}

/** One server with its part of a log. */
export type LogNode = {
  readonly name: string
  readonly tables: SimTables
  /** Notices and answers, in the order of their arrival. */
  readonly events: unknown[]
  /** Proposes a group; the answer is added to `events` and given to `answered`. */
  propose(commands: Add[], answered?: (outcome: Result<LogOutcome>) => void): void
}

/** One server of an arm. `events` resolves once there are so many of the node's; it fails if the log does. */
export type LogTrial = { node: LogNode; events(count: number): Promise<void> }
export type LogArm = { readonly name: string; make(t: ExecutionContext): LogTrial | Promise<LogTrial> }

export const arms: LogArm[] = [
  { name: 'local', make: () => simulated(makeLocal()) },
  { name: 'simulated, 1 member', make: () => simulated(makeReplicated(1)) },
  { name: 'simulated, 3 members', make: () => simulated(makeReplicated(3)) },
  { name: 'etcd', make: makeEtcd },
]

/** A cluster in simulated time with a log of its own. Nodes are up; the first leader is not elected yet. */
export class LogCluster {
  readonly world: World
  readonly log: SimLog
  readonly nodes: SimLogNode[]
  readonly cuts = new Set<string>()
  /** How long messages take at most, one way. */
  delayMsMax: number

  constructor(members: number, { seed = 'log', delayMsMax = 2 } = {}) {
    const world = new World(seed)
    const names = Array.from({ length: members }, (_, at) => `n${at + 1}`)
    const delays = world.streams.stream('delays')
    this.world = world
    this.delayMsMax = delayMsMax
    this.log = new SimLog({
      members: names,
      nowMs: () => world.nowMs,
      after: (ms, work) => world.after(ms, work),
      random: (stream) => world.streams.stream(stream),
      isCut: (from, to) => this.cuts.has(`${from}>${to}`),
      delayMs: () => delays.next() * this.delayMsMax,
    })
    this.nodes = names.map((name) => new SimLogNode(name, world, this.log))
    for (const node of this.nodes) node.start()
  }

  node(name: string): SimLogNode {
    const node = this.nodes.find((other) => other.name === name)
    if (!node) throw new Error(`there is no node "${name}"`)
    return node
  }

  /** Lets time pass until there is a leader, and answers its node. */
  elect(): SimLogNode {
    this.run(2_000)
    return this.node(this.log.leader ?? 'none')
  }

  get followers(): SimLogNode[] {
    return this.nodes.filter(({ name }) => name !== this.log.leader)
  }

  /** Lets nothing through between the named nodes and all others. */
  isolate(...names: string[]): void {
    for (const { name: from } of this.nodes) {
      for (const { name: to } of this.nodes) if (names.includes(from) !== names.includes(to)) this.cuts.add(`${from}>${to}`)
    }
  }

  run(ms: number): void {
    this.world.runUntil(this.world.nowMs + ms)
  }
}

export class SimLogNode implements LogNode {
  readonly name: string
  readonly tables: SimTables
  readonly events: unknown[] = []
  /** Until then nothing happens on its thread. */
  stalledUntilMs = 0
  readonly #world: World
  readonly #log: SimLog
  #device: Devices['log'] | undefined
  #life = 0

  constructor(name: string, world: World, log: SimLog) {
    this.name = name
    this.#world = world
    this.#log = log
    const disk = world.streams.stream(`disk/${name}`)
    this.tables = createSimTables({
      after: (ms, work) => world.after(ms, work),
      drawCommitMs: () => disk.next() * 5,
      drawSurvivors: (inFlight) => disk.int(0, inFlight),
      later: true,
    })
  }

  get isUp(): boolean {
    return this.#device !== undefined
  }

  start(): void {
    const life = ++this.#life
    const after = (ms: number, work: () => void): void => {
      this.#world.after(ms, () => {
        const stalledMs = this.stalledUntilMs - this.#world.nowMs
        if (life !== this.#life) return
        if (stalledMs > 0) after(stalledMs, work)
        else work()
      })
    }
    const onCommitted = ({ index }: ChangeNotice) => this.events.push(`notice ${index}`)
    this.#device = this.#log.attach(this.name, { tables: this.tables, apply: applyAdds, onCommitted, after })
  }

  /** A new life, as when only the thread of the log fails: the log is not told that the old one has ended. */
  restart(): void {
    this.tables.crash('process')
    this.start()
  }

  /** The machine is without power; whatever was not durable is lost. */
  crash(): void {
    this.#life++
    this.#device = undefined
    this.stalledUntilMs = 0
    this.tables.crash()
    this.#log.crash(this.name)
  }

  propose(commands: Add[], answered: (outcome: Result<LogOutcome>) => void = () => undefined): void {
    this.#device?.perform(
      { commands },
      (outcome) => {
        this.events.push('refused' in outcome ? outcome : outcome.outcomes)
        answered(outcome)
      },
      () => undefined,
    )
  }
}

const SIMULATED_MS = 3_000

function simulated({ world, node }: { world: World; node: LogNode }): LogTrial {
  return { node, events: async () => world.runUntil(world.nowMs + SIMULATED_MS) }
}

/** A server of its own that shares an etcd. */
async function makeEtcd(t: ExecutionContext): Promise<LogTrial> {
  return startEtcdNode(t, 'n1', await startEtcd(t))
}

/** One server, with tables in memory, new ones or those of a server before it, whose log is in this etcd. */
export function startEtcdNode(
  t: ExecutionContext,
  name: string,
  { endpoint }: Pick<RunningEtcd, 'endpoint'>,
  tables: SimTables = createSimTables({ after: (ms, work) => realClock.after(ms, work), drawCommitMs: () => 1, later: true }),
): LogTrial & { log: EtcdLog } {
  const events: unknown[] = []
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => undefined)
  let wake = (): void => undefined
  const happened = (event: unknown) => {
    events.push(event)
    wake()
  }
  const log = etcdLog({
    etcd: connectEtcd({ endpoints: [endpoint], files: {} }),
    keys: etcdKeys('dc1'),
    id: name,
    holdMs: 1_000,
    tables,
    apply: applyAdds,
    onCommitted: ({ index }) => happened(`notice ${index}`),
    clock: realClock,
    print: () => undefined,
    leads: () => [],
    failed: failed.reject,
  })
  t.teardown(() => log.close())
  const propose: LogNode['propose'] = (commands, answered = () => undefined) =>
    log.perform(
      { commands },
      (outcome) => {
        answered(outcome)
        happened('refused' in outcome ? outcome : outcome.outcomes)
      },
      () => undefined,
    )
  const until = (count: number) => {
    const reached = Promise.withResolvers<void>()
    wake = () => {
      if (events.length >= count) reached.resolve()
    }
    wake()
    return Promise.race([reached.promise, failed.promise])
  }
  return { node: { name, tables, events, propose }, log, events: until }
}

function makeReplicated(members: number): { world: World; node: LogNode } {
  const cluster = new LogCluster(members)
  cluster.elect()
  return { world: cluster.world, node: cluster.followers[0] ?? cluster.elect() }
}

function makeLocal(): { world: World; node: LogNode } {
  const world = new World('log')
  const tables = createSimTables({ after: (ms, work) => world.after(ms, work), drawCommitMs: () => 10 })
  const events: unknown[] = []
  const log = localLog({ tables, apply: applyAdds, onCommitted: ({ index }) => events.push(`notice ${index}`) })
  const propose: LogNode['propose'] = (commands, answered = () => undefined) =>
    log.perform(
      { commands },
      (outcome) => {
        events.push('refused' in outcome ? outcome : outcome.outcomes)
        answered(outcome)
      },
      () => undefined,
    )
  return { world, node: { name: 'n1', tables, events, propose } }
}
