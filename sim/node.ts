import { applyGroup } from '../actors/commands.ts'
import type { Config } from '../src/config/config.ts'
import type { Host } from '../src/kernel/host.ts'
import type { Clock, Devices, LogLevel, Ports } from '../src/kernel/ports.ts'
import type { ChangeNotice } from '../src/kernel/tables.ts'
import { localLog } from '../src/local-log.ts'
import { createThread, startActors } from '../src/node.ts'
import type { Layout, Role } from '../src/placement.ts'
import { type Mutations, mutatedApply } from './mutants/index.ts'
import { createSimMesh, type SimMesh } from './ports/mesh.ts'
import type { SimNetwork } from './ports/network.ts'
import { createSimProbes, type SimAnswer } from './ports/probes.ts'
import { createSimSigner, readSimCertificate } from './ports/signer.ts'
import { createSimStore, type SimStore } from './ports/store.ts'
import { createSimTables, type SimTables } from './ports/tables.ts'
import type { World } from './world.ts'

/** 2026-01-01, the day on which every simulation begins. */
const EPOCH_MS = Date.UTC(2026, 0, 1)
const THREAD_DELAY_MS_MAX = 0.5
const COMMIT_MS_MAX = 2
const PROBE_MS_MAX = 5
/** Roles of the threads of a simulated agent, as in production but with one of each. */
export const SEPARATE: Layout = [['main'], ['state'], ['edge'], ['mesh']]
export const TOGETHER: Layout = [['main', 'state', 'edge', 'mesh']]

export type SimNodeOptions = {
  world: World
  network: SimNetwork
  config: Config
  layout: Layout
  mutations: Mutations
  printed: (line: string) => void
}

/**
 * One agent in the simulated world, booted as in production: the same threads, actors and placement, with simulated ports. Its
 * disk outlives crashes; what was not durable does not.
 */
export class SimNode {
  readonly name: string
  readonly config: Config
  readonly tables: SimTables
  readonly store: SimStore
  /** What probes see, by address. */
  readonly answers = new Map<string, SimAnswer>()
  mesh: SimMesh | undefined
  hosts: Host[] = []
  /** Added to the time that this machine believes in. */
  skewMs = 0
  /** Multiplies the time a commit takes. */
  diskSlowness = 1
  readonly #options: SimNodeOptions
  readonly #stalledUntil = new Map<number, number>()
  #life = 0

  constructor(options: SimNodeOptions) {
    const { world, config } = options
    this.#options = options
    this.config = config
    this.name = config.node.name
    const disk = world.streams.stream(`disk/${this.name}`)
    const after = (ms: number, work: () => void) => world.after(ms, work)
    const drawCommitMs = () => disk.next() * COMMIT_MS_MAX * this.diskSlowness
    const drawSurvivors = (inFlight: number) => disk.int(0, inFlight)
    this.tables = createSimTables({ after, drawCommitMs, drawSurvivors })
    this.store = createSimStore({ after, drawCommitMs, drawSurvivors })
  }

  get isUp(): boolean {
    return this.hosts.length > 0
  }

  /** Clients ask here, as HTTP requests would. */
  get edge(): Host {
    return this.#hostOf('edge')
  }

  start(): void {
    const { layout } = this.#options
    const life = ++this.#life
    this.mesh = createSimMesh({
      network: this.#options.network,
      node: this.name,
      wallMs: () => this.wallMs(),
      readCertificate: readSimCertificate,
    })
    this.hosts = layout.map((roles, thread) => this.#createThread(roles, thread, life))
    for (const a of this.hosts) for (const b of this.hosts) if (a !== b) this.#link(a, b, life)
    for (const host of this.hosts) startActors(host, this.config, layout)
  }

  /** Stops at once, as when power is cut: what was not durable is lost, and nobody is told. */
  crash(): void {
    this.#life++
    for (const host of this.hosts) host.close()
    this.hosts = []
    this.#stalledUntil.clear()
    this.tables.crash()
    this.store.disk.crash()
    this.#options.network.crash(this.name)
    this.mesh = undefined
  }

  /** Nothing runs on the threads with this role for so long. */
  stall(role: Role, forMs: number): void {
    this.#options.layout.forEach((roles, thread) => {
      if (roles.includes(role)) this.#stalledUntil.set(thread, this.#options.world.nowMs + forMs)
    })
  }

  wallMs(): number {
    return EPOCH_MS + this.#options.world.nowMs + this.skewMs
  }

  #hostOf(role: Role): Host {
    const host = this.hosts[this.#options.layout.findIndex((roles) => roles.includes(role))]
    if (!host) throw new Error(`broken promise: ${this.name} is asked only while it is up`)
    return host
  }

  #createThread(roles: readonly Role[], thread: number, life: number): Host {
    const { config, layout } = this.#options
    const host: Host = createThread({
      config,
      layout,
      thread,
      ports: this.#ports(roles, thread, life, (notice) => host.notify(notice)),
      soon: (work) => this.#schedule(0, thread, life, work),
      fatal: (why) => this.#print('error', 'kernel', why),
      packLocally: true,
    })
    return host
  }

  #ports(roles: readonly Role[], thread: number, life: number, onCommitted: (notice: ChangeNotice) => void): Ports {
    const { world, mutations } = this.#options
    const devices: Partial<Devices> = {}
    const after = (ms: number, work: () => void) => this.#schedule(ms, thread, life, work)
    if (roles.includes('state')) {
      devices.log = mutations.wrapLog(localLog({ tables: this.tables, apply: mutatedApply(mutations, applyGroup), onCommitted }))
      devices.store = mutations.wrapStore(this.store)
      devices.signer = createSimSigner({ random: world.streams.stream(`signer/${this.name}`) })
    }
    if (roles.includes('main') || roles.includes('state')) {
      const stream = world.streams.stream(`probes/${this.name}`)
      devices.probes = createSimProbes({ after, drawAnswerMs: () => stream.next() * PROBE_MS_MAX, answers: this.answers })
      devices.process = { perform: (_request, done) => done({ refused: 'gone', why: 'a simulated agent is led by its plan' }) }
    }
    if (roles.includes('mesh') && this.mesh) devices.mesh = mutations.wrapMesh(this.mesh)
    const clock: Clock = {
      wallMs: () => this.wallMs(),
      monotonicMs: () => world.nowMs,
      after,
    }
    return {
      clock,
      random: (stream) => world.streams.stream(`${this.name}/${thread}/${stream}`),
      tables: this.tables,
      devices,
      print: (level, from, line, facts) => this.#print(level, from, line, facts),
    }
  }

  /** Batches between two threads arrive in their order, each after a drawn time. */
  #link(from: Host, to: Host, life: number): void {
    const { world } = this.#options
    const stream = world.streams.stream(`threads/${this.name}/${from.thread}>${to.thread}`)
    const name = `${this.name} ${from.thread}>${to.thread}`
    let lastAtMs = 0
    from.connect(to.thread, (batch) => {
      lastAtMs = Math.max(lastAtMs, world.nowMs + stream.next() * THREAD_DELAY_MS_MAX)
      this.#schedule(lastAtMs - world.nowMs, to.thread, life, () => {
        world.trace.add(world.nowMs, name, batch)
        to.receive(from.thread, batch)
      })
    })
  }

  /** Runs work of one life on one thread, once that thread is not stalled. */
  #schedule(ms: number, thread: number, life: number, work: () => void): () => void {
    const { world } = this.#options
    let cancel: () => void = () => undefined
    const attempt = () => {
      if (life !== this.#life) return
      const stalledMs = (this.#stalledUntil.get(thread) ?? 0) - world.nowMs
      if (stalledMs > 0) cancel = world.after(stalledMs, attempt)
      else work()
    }
    cancel = world.after(ms, attempt)
    return () => cancel()
  }

  #print(level: LogLevel, from: string, line: string, facts: Record<string, unknown> = {}): void {
    if (level === 'trace' || level === 'debug') return
    this.#options.printed(`${this.#options.world.nowMs.toFixed(1)} ms ${this.name} [${level}] ${from}: ${line} ${JSON.stringify(facts)}`)
  }
}
