import { kvGet } from '../actors/kv/queries.ts'
import type { Config } from '../src/config/config.ts'
import { hostInMemory } from '../src/config/host.ts'
import { loadConfig, parseAgentFlags } from '../src/config/index.ts'
import { recordReads } from '../src/kernel/recording-view.ts'
import { isRefused } from '../src/kernel/refusal.ts'
import { localLog } from '../src/local-log.ts'
import type { Role } from '../src/placement.ts'
import { faults } from './faults/index.ts'
import { History } from './history.ts'
import { invariants } from './invariants/index.ts'
import type { Mutations } from './mutants/index.ts'
import { SEPARATE, SimNode, TOGETHER } from './node.ts'
import { type Plan, type PlanEvent, REST_MS } from './plan.ts'
import { SimNetwork } from './ports/network.ts'
import type { SimAnswer } from './ports/probes.ts'
import { workloads } from './workloads/index.ts'
import { readEveryKey } from './workloads/kv.ts'
import { readRegistrations } from './workloads/registrations.ts'
import { WEB_UPSTREAM_PORT } from './workloads/traffic.ts'
import { World } from './world.ts'

export type Failure = { invariant: string; sentence: string; what: string; atMs: number }
export type Outcome = {
  failure: Failure | undefined
  hash: string
  trace: string[]
  printed: string[]
  virtualMs: number
  events: number
  reached: Map<string, number>
}

/** A reader that parks on one key of one node and remembers what it saw last. */
type Reader = { key: string; node: string; last: string; look(): string | undefined }

const DB_PORT = 8081
const CHECK_EVERY_MS = 100
const READER_KEYS = ['app/a', 'leader']
const kinds = new Map([...workloads, ...faults].map((kind) => [kind.name, kind]))

/** One plan, carried out: the world, its nodes, what clients know, and what was seen to happen. */
export class Run {
  readonly plan: Plan
  readonly world: World
  readonly network: SimNetwork
  readonly nodes = new Map<string, SimNode>()
  readonly history = new History()
  readonly reached = new Map<string, number>()
  readonly printed: string[] = []
  readonly readers: Reader[] = []
  readonly highestIndex = new Map<string, number>()
  /** What each client saw of each key on each node when it looked last. */
  readonly seen = new Map<string, { value: string | null; index: number }>()
  readonly #intentions = new Map<string, { asked: number; unsure: boolean; deniedAtMs: number | undefined }>()
  readonly #disturbedUntil = new Map<string, number>()
  #failure: Failure | undefined

  constructor(plan: Plan, mutations: Mutations, keepTrace: boolean) {
    this.plan = plan
    this.world = new World(plan.seed, keepTrace)
    this.network = new SimNetwork({
      nowMs: () => this.world.nowMs,
      after: (ms, work) => this.world.after(ms, work),
      random: (stream) => this.world.streams.stream(`network/${stream}`),
    })
    const layout = plan.threads === 'separate' ? SEPARATE : TOGETHER
    plan.nodes.forEach((name, at) => {
      this.network.addNode(name, `10.0.0.${at + 1}`)
      const config = configOf(name, `10.0.0.${at + 1}`)
      const node = new SimNode({
        world: this.world,
        network: this.network,
        config,
        layout,
        mutations,
        createLog: localLog,
        printed: (line) => this.printed.push(line),
      })
      node.answers.set(`127.0.0.1:${DB_PORT}`, 'passing')
      this.nodes.set(name, node)
    })
  }

  /** Carries the plan out: first trouble, then rest. */
  play(): Outcome {
    for (const node of this.nodes.values()) this.#boot(node)
    for (const event of this.plan.events) this.world.after(event.atMs, () => this.#apply(event))
    for (let atMs = 0; atMs < this.plan.quietAtMs && !this.#failure; atMs += CHECK_EVERY_MS) {
      this.world.runUntil(atMs)
      this.#check('always')
    }
    if (!this.#failure) this.#rest()
    const { trace, nowMs, events } = this.world
    return {
      failure: this.#failure,
      hash: trace.hash,
      trace: trace.lines,
      printed: this.printed,
      virtualMs: nowMs,
      events,
      reached: this.reached,
    }
  }

  /** The node, if it is running. */
  up(name: string): SimNode | undefined {
    const node = this.nodes.get(name)
    return node?.isUp ? node : undefined
  }

  /** Notes that something worth reaching was reached. */
  reach(mark: string): void {
    this.reached.set(mark, (this.reached.get(mark) ?? 0) + 1)
  }

  /** What a conditional write expects, by what its client saw when it looked last. */
  condition(who: string, condition: string): { expected?: string | null; cas?: number } {
    if (condition === 'none') return {}
    const seen = this.seen.get(who)
    if (condition === 'absent' || !seen || seen.value === null) return { expected: null, cas: 0 }
    return { expected: seen.value, cas: seen.index }
  }

  intentionOf(node: string): { asked: number; unsure: boolean; deniedAtMs: number | undefined } {
    let known = this.#intentions.get(node)
    if (!known) this.#intentions.set(node, (known = { asked: 0, unsure: false, deniedAtMs: undefined }))
    return known
  }

  /** Until when nothing can be asked of a node: it is down, stalled or just starting. */
  disturbedUntil(node: string): number {
    return this.#disturbedUntil.get(node) ?? 0
  }

  // ---------------------------------------------------------------- trouble

  crash(name: string, forMs: number): void {
    const node = this.up(name)
    if (!node) return
    this.reach('fault crash')
    node.crash()
    this.#disturb(name, forMs)
    this.world.after(forMs, () => this.#boot(node))
  }

  stall(name: string, role: Role, forMs: number): void {
    this.reach('fault thread-stall')
    this.up(name)?.stall(role, forMs)
    this.#disturb(name, forMs)
  }

  jump(name: string, byMs: number): void {
    this.reach('fault clock-jump')
    const node = this.nodes.get(name)
    if (node) node.skewMs += byMs
  }

  slowDisk(name: string, times: number, forMs: number): void {
    this.reach('fault disk-slow')
    this.#forAWhile(
      name,
      forMs,
      (node) => (node.diskSlowness = times),
      (node) => (node.diskSlowness = 1),
    )
  }

  fillDisk(name: string, forMs: number): void {
    this.reach('fault disk-full')
    this.#forAWhile(
      name,
      forMs,
      (node) => setFull(node, true),
      (node) => setFull(node, false),
    )
  }

  failCommit(name: string): void {
    this.reach('fault commit-fails')
    this.nodes.get(name)?.tables.failNext()
  }

  flap(name: string, how: SimAnswer, forMs: number): void {
    this.reach('fault probe-flap')
    const address = `127.0.0.1:${DB_PORT}`
    this.#forAWhile(
      name,
      forMs,
      (node) => node.answers.set(address, how),
      (node) => node.answers.set(address, 'passing'),
    )
  }

  #forAWhile(name: string, forMs: number, begin: (node: SimNode) => void, end: (node: SimNode) => void): void {
    const node = this.nodes.get(name)
    if (!node) return
    begin(node)
    this.world.after(forMs, () => end(node))
  }

  #disturb(name: string, forMs: number): void {
    this.#disturbedUntil.set(name, Math.max(this.disturbedUntil(name), this.world.nowMs + forMs))
  }

  // ---------------------------------------------------------------- running

  #apply(event: PlanEvent): void {
    if (this.#failure) return
    this.world.trace.add(this.world.nowMs, JSON.stringify(event))
    kinds.get(event.do)?.apply(this, event)
  }

  #boot(node: SimNode): void {
    if (node.isUp) return
    this.network.listen(node.name, '127.0.0.1', DB_PORT, (socket) => {
      socket.handlers = { data: (bytes) => socket.write(bytes), end: () => socket.end() }
      socket.resume()
    })
    node.start()
    for (const key of READER_KEYS) this.#read(node, key)
  }

  /** Reads a key and parks on what was read, again and again, as a blocking query does. */
  #read(node: SimNode, key: string): void {
    const { edge } = node
    const look = () => {
      if (!node.isUp || node.edge !== edge) return undefined
      const { index, entry } = kvGet(edge.ports.tables.view(), key)
      return entry ? `${Buffer.from(entry.value).toString()} at ${index}` : 'nothing'
    }
    const reader: Reader = { key, node: node.name, last: '', look }
    const park = () => {
      const { view, reads } = recordReads(edge.ports.tables.view())
      kvGet(view, key)
      const now = look()
      if (now === undefined) return
      if (now !== reader.last) this.reach('reader woken')
      reader.last = now
      edge.waiters.add(reads, park)
    }
    this.readers.push(reader)
    park()
  }

  #rest(): void {
    for (const node of this.nodes.values()) {
      node.diskSlowness = 1
      setFull(node, false)
      node.answers.set(`127.0.0.1:${DB_PORT}`, 'passing')
      this.#boot(node)
    }
    this.world.runUntil(this.plan.quietAtMs + REST_MS)
    readEveryKey(this)
    readRegistrations(this)
    this.world.runUntil(this.plan.quietAtMs + REST_MS + 1_000)
    this.#check('always')
    this.#check('rest')
  }

  #check(when: 'always' | 'rest'): void {
    for (const invariant of invariants) {
      if (invariant.when !== when || this.#failure) continue
      const what = invariant.broken(this)
      if (what !== undefined) this.#failure = { invariant: invariant.name, sentence: invariant.sentence, what, atMs: this.world.nowMs }
    }
  }
}

function setFull(node: SimNode, full: boolean): void {
  node.tables.full = full
  node.store.disk.full = full
}

/** A server as anybody would configure it, with two services in the mesh. */
function configOf(name: string, address: string): Config {
  // Whether a sidecar listens is for the simulated network to say, not for a probe.
  const disable_tcp_check = true
  const services = {
    connect: { enabled: true },
    services: [
      {
        name: 'db',
        port: DB_PORT,
        connect: { proxy: { config: { disable_tcp_check } } },
        check: { tcp: `127.0.0.1:${DB_PORT}`, interval: '2s' },
      },
      {
        name: 'web',
        port: 8080,
        connect: { proxy: { config: { disable_tcp_check, upstreams: [{ destination_name: 'db', local_bind_port: WEB_UPSTREAM_PORT }] } } },
      },
    ],
  }
  const parsed = parseAgentFlags([
    '-server',
    '-bootstrap',
    `-bind=${address}`,
    '-data-dir=/data',
    `-node=${name}`,
    '-config-file=/etc/services.json',
  ])
  if ('error' in parsed) throw new Error(parsed.error)
  const loaded = loadConfig({ flags: parsed.flags, host: hostInMemory({ '/etc/services.json': JSON.stringify(services) }, name, address) })
  if (isRefused(loaded)) throw new Error(loaded.why)
  const id = `00000000-0000-4000-8000-${name.replace(/\D/g, '').padStart(12, '0')}`
  return { ...loaded.config, boot: 'simulated', node: { ...loaded.config.node, id } }
}
