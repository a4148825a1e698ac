import { applyGroup } from '../actors/commands.ts'
import { actors } from '../actors/index.ts'
import type { LocalArgs } from '../actors/local/state.ts'
import { applyMirrored } from '../actors/mirror/rows.ts'
import type { Config } from '../src/config/config.ts'
import { routes } from '../src/http/routes/index.ts'
import type { Host } from '../src/kernel/host.ts'
import type { AnyActor } from '../src/kernel/instance.ts'
import type { Clock, Devices, LogLevel, Ports, Tables } from '../src/kernel/ports.ts'
import { assert, isRefused } from '../src/kernel/refusal.ts'
import type { ChangeNotice } from '../src/kernel/tables.ts'
import { localArgs } from '../src/local-args.ts'
import { type LocalLogOptions, localLog } from '../src/local-log.ts'
import { createThread, startActors } from '../src/node.ts'
import { ownApi } from '../src/own-api.ts'
import type { Layout, Role } from '../src/placement.ts'
import { MachineClock } from './clock.ts'
import { Crashes } from './crashes.ts'
import type { GivenMembers } from './given-members.ts'
import type { Mutations } from './mutants/index.ts'
import { NodeLinks } from './node-links.ts'
import { createSimAuthority } from './ports/authority.ts'
import { SimDaemons } from './ports/daemons.ts'
import { createSimMesh, type SimMesh } from './ports/mesh.ts'
import type { CertificateFacts, SimHandshake } from './ports/mesh-identity.ts'
import type { SimNetwork } from './ports/network.ts'
import { createSimProbes, type SimAnswer } from './ports/probes.ts'
import type { SharedStates } from './ports/shared-states.ts'
import { createSimSigner, readSimCertificate, readSimKey } from './ports/signer.ts'
import { createSimSnapshots, SnapshotFiles } from './ports/snapshots.ts'
import { createSimStore, type SimStore } from './ports/store.ts'
import { createSimTables, type SimTables, type State } from './ports/tables.ts'
import type { Recording } from './recording.ts'
import { Schedule } from './schedule.ts'
import { SimThreads } from './threads.ts'
import type { World } from './world.ts'

const COMMIT_MS_MAX = 2
const SNAPSHOT_PORTION_MS_MAX = 4
const PROBE_MS_MAX = 5
const SIGNER_MS_MAX = 2
const PROGRAM_MS_MAX = 20
const SLOW_SIGNER_MS_MIN = 1_000
const SLOW_SIGNER_MS_MAX = 10_000
/** Roles of the threads of a simulated agent, as in production but with one of each. */
export const SEPARATE: Layout = [['main'], ['state'], ['edge'], ['mesh']]
export const TOGETHER: Layout = [['main', 'state', 'edge', 'mesh']]
const MAIN = 0

/** What a log may use during one life of the state thread. Nothing comes back through it once that life has ended. */
export type LogLife = Pick<LocalLogOptions, 'apply' | 'onCommitted'> & {
  /** The node's own tables. */
  tables: Pick<Tables, 'view' | 'transact'>
  /** Calls `work` once on the state thread, no sooner than `ms` from now. The answer cancels it. */
  after(ms: number, work: () => void): () => void
}

export type SimNodeOptions = {
  world: World
  network: SimNetwork
  config: Config
  /** One thread for each role, at most. */
  layout: Layout
  mutations: Mutations
  /** Who the members are that it may have links with. Without: it has no links. */
  members?: GivenMembers | undefined
  /** Makes the log for each life of the state thread of a server. */
  createLog(life: LogLife): Devices['log']
  /** Lets copies of the same tables share what they have in common. */
  sharedStates?: SharedStates<State> | undefined
  /** Whether the log has what its tables lose: then their commits do not wait for the disk. */
  sharesLog?: boolean | undefined
  /** Takes what the log of a lone agent orders. */
  recording?: Recording | undefined
  printed: (line: string) => void
  /** One side of a handshake between sidecars, or with others, has judged the other. */
  judged?(handshake: SimHandshake): void
  /** A leaf was signed. */
  signed?(leaf: CertificateFacts): void
  /** The process has ended by itself, on a machine that goes on. Whoever wants it back starts it. */
  ended?(why: string): void
  /** A thread that had failed runs again, with a new host. */
  threadRestarted?(roles: readonly Role[]): void
  /** How far the machine's clock is off, and what part of the time it gains. Default: nothing. */
  clock?: { skewMs?: number; driftPart?: number }
}

/**
 * One agent in the simulated world, booted as in production: the same threads, actors and placement, with simulated ports. Its
 * disk outlives crashes; what was not durable does not.
 */
export class SimNode {
  readonly name: string
  readonly config: Config
  readonly layout: Layout
  readonly clock: MachineClock
  readonly tables: SimTables
  readonly store: SimStore
  /** Snapshots that come in or go out. */
  readonly files = new SnapshotFiles()
  /** When something of the agent began anew, in ms of the world: its process, a thread, an actor by its name. */
  readonly interruptions: { what: 'process' | Role | `actor ${string}`; atMs: number }[] = []
  /** Programs that its agent looks after. */
  readonly daemons = new SimDaemons()
  /** What probes see, by address. */
  readonly answers = new Map<string, SimAnswer>()
  mesh: SimMesh | undefined
  /** When its machine lost last what was not durable; -Infinity if it never did. */
  powerCutAtMs = Number.NEGATIVE_INFINITY
  /** Multiplies the time a commit takes. */
  diskSlowness = 1
  /** `busy`: the signer refuses everything. `slow`: it answers after seconds. */
  signerFailing: 'busy' | 'slow' | undefined
  readonly #options: SimNodeOptions
  /** As who the agent registers itself. */
  readonly #local: LocalArgs
  readonly #crashes = new Crashes((actor) => this.#interrupted(`actor ${actor}`))
  readonly #definitions: readonly AnyActor[]
  #threads: SimThreads | undefined
  #links: NodeLinks | undefined

  constructor(options: SimNodeOptions) {
    const { world, config, members } = options
    this.#options = options
    // Who belongs to the cluster is given; finding that out is simulated by sim/members/.
    this.config = { ...config, gossip: undefined }
    this.#local = localArgs({ ...config, gossip: undefined })
    this.layout = options.layout
    this.name = config.node.name
    this.clock = new MachineClock({ ...options.clock, nowMs: () => world.nowMs })
    const given = (definition: AnyActor) => members?.into(definition, config.node.name) ?? definition
    this.#definitions = actors.map((definition) => this.#crashes.into(options.mutations.wrapActor(given(definition))))
    const stream = world.streams.stream(`disk/${this.name}`)
    const disk = new Schedule(world, this.clock)
    const after = (ms: number, work: () => void) => disk.later(ms, work)
    const drawCommitMs = () => stream.next() * COMMIT_MS_MAX * this.diskSlowness
    const drawSurvivors = (inFlight: number) => stream.int(0, inFlight)
    this.tables = createSimTables({ after, drawCommitMs, drawSurvivors, later: options.sharesLog ?? false, shared: options.sharedStates })
    this.store = createSimStore({ after, drawCommitMs, drawSurvivors })
  }

  get isUp(): boolean {
    return this.#threads !== undefined
  }

  /** Whether it has a copy of the cluster's state. All others ask a server. */
  get isServer(): boolean {
    return this.config.server
  }

  /** By thread; none while the node is down. */
  get hosts(): readonly Host[] {
    return this.#threads?.hosts ?? []
  }

  /** Clients ask here, as HTTP requests would. */
  get edge(): Host {
    return this.hostOf('edge')
  }

  /** The host of the thread with this role. The node must be up. */
  hostOf(role: Role): Host {
    const host = this.hosts[this.thread(role)]
    assert(host, `${this.name} is asked only while it is up`)
    return host
  }

  /** The number of the thread with this role. */
  thread(role: Role): number {
    const thread = this.layout.findIndex((roles) => roles.includes(role))
    assert(thread >= 0, `some thread of ${this.name} is for ${role}`)
    return thread
  }

  /** What this machine believes of the time, in ms since 1970. */
  wallMs(): number {
    return this.clock.wallMs()
  }

  start(): void {
    assert(!this.isUp, `${this.name} is started only while it is down`)
    const { world, layout, members, threadRestarted } = this.#options
    this.files.clear()
    members?.began(this.name)
    this.#interrupted('process')
    this.#threads = new SimThreads({
      node: this.name,
      world,
      clock: this.clock,
      layout,
      createHost: (thread, schedule, surroundings) => {
        const { config } = this
        const api = ownApi({ options: () => ({ host, config, layout, routes }) })
        const ports = this.#ports(layout[thread] ?? [], thread, schedule, (notice) => host.notify(notice), api)
        const far = this.#links?.create(thread, () => host)
        const options = { config, layout, thread, ports, ...surroundings, packLocally: true, definitions: this.#definitions }
        const host: Host = createThread({ ...options, ...(far && { reach: far.reach }) })
        return host
      },
      startActors: (host) => {
        this.#links?.begun(host.thread)
        startActors(host, this.config, layout, this.#startedWith())
      },
      threadEnded: (thread) => this.#threadEnded(thread),
      threadStarted: (thread) => threadRestarted?.(layout[thread] ?? []),
      fatal: (why) => this.#end(why),
      print: (level, from, line, facts) => this.#print(level, from, line, facts),
    })
  }

  #startedWith(): Record<string, unknown> {
    const { server, datacenter } = this.config
    return { local: this.#local, ...(this.#links && { router: { enabled: true, server, datacenter } }) }
  }

  // ---------------------------------------------------------------- trouble

  /** Stops at once. `silently`, as when power is cut, what was not durable is lost, and peers hear nothing of it. */
  crash(how: 'aloud' | 'silently' = 'aloud'): void {
    this.#stop(how === 'silently' ? 'machine' : 'process')
    if (how === 'silently') this.daemons.running.clear()
    this.clock.resume()
    this.#options.network.crash(this.name, how)
  }

  /** The thread with this role fails, as if an actor had crashed on it too often. */
  crashThread(role: Role, why = 'it was told to'): void {
    this.#threads?.crash(this.thread(role), why)
  }

  /** The next `times` messages to actors of this name crash them: each once it has been handled, with all that was wished. */
  crashActor(name: string, times = 1): void {
    assert(
      this.#definitions.some((definition) => definition.name === name),
      `there is an actor "${name}"`,
    )
    if (this.isUp) this.#crashes.doom(name, times)
  }

  /** Nothing runs on the thread with this role for so long. */
  stall(role: Role, forMs: number): void {
    this.#threads?.stall(this.thread(role), forMs)
  }

  /** Until then, in the world's time, batches between threads take up to so many times longer, and threads run late. */
  slowThreads(factor: number, untilMs: number): void {
    this.#threads?.slow(factor, untilMs)
  }

  /** The machine sleeps: nothing runs on it, and its disk does nothing. Its network is left to the network. */
  suspend(forMs: number): void {
    if (this.isUp) this.clock.suspend(forMs)
  }

  /** Whether the disk is full: everything that is written is refused. */
  fillDisk(isFull: boolean): void {
    this.tables.full = isFull
    this.store.disk.full = isFull
  }

  /** From now on every write fails, until the process is started again or the disk is well. */
  failDisk(isFailing: boolean): void {
    this.tables.failing = isFailing
    this.store.disk.failing = isFailing
  }

  /** Ends all trouble that does not end by itself. The clock stays as it is. */
  heal(): void {
    this.fillDisk(false)
    this.failDisk(false)
    this.diskSlowness = 1
    this.signerFailing = undefined
    this.#crashes.clear()
    this.#threads?.slow(1, 0)
  }

  get skewMs(): number {
    return this.clock.skewMs
  }

  /** Added to the time that this machine believes in. */
  set skewMs(ms: number) {
    this.clock.skewMs = ms
  }

  // ---------------------------------------------------------------- lives

  #end(why: string): void {
    this.#print('error', 'agent', `cannot go on: ${why}`)
    this.mesh?.close()
    this.#links?.close()
    this.#stop('process')
    this.#options.ended?.(why)
  }

  #stop(what: 'process' | 'machine'): void {
    if (what === 'machine') this.powerCutAtMs = this.#options.world.nowMs
    this.#threads?.end()
    this.#threads = undefined
    this.#links = undefined
    this.#options.members?.ended(this.name)
    this.mesh = undefined
    this.#crashes.clear()
    this.tables.crash(what)
    this.store.disk.crash()
  }

  /** What the thread has opened is closed: commits under way are durable or lost, and it is not told which. */
  #threadEnded(thread: number): void {
    const roles = this.layout[thread] ?? []
    for (const role of roles) this.#interrupted(role)
    this.#links?.ended(thread)
    if (roles.includes('state')) {
      this.tables.crash('process')
      this.store.disk.crash()
    }
    if (roles.includes('mesh')) this.mesh?.close()
  }

  #interrupted(what: SimNode['interruptions'][number]['what']): void {
    this.interruptions.push({ what, atMs: this.#options.world.nowMs })
  }

  #ports(
    roles: readonly Role[],
    thread: number,
    schedule: Schedule,
    onCommitted: (notice: ChangeNotice) => void,
    api: Devices['api'],
  ): Ports {
    const { world } = this.#options
    const after = (ms: number, work: () => void) => schedule.after(ms, work)
    const clock: Clock = { wallMs: () => this.wallMs(), monotonicMs: () => this.clock.monotonicMs(), after }
    if (thread === MAIN && this.#options.members) this.#openLinks(clock)
    return {
      clock,
      random: (stream) => world.streams.stream(`${this.name}/${thread}/${stream}`),
      tables: this.tables,
      devices: {
        ...(roles.includes('edge') && this.#edgeDevices(schedule, api)),
        ...((roles.includes('edge') || roles.includes('state')) && { snapshots: this.#snapshots(schedule, thread) }),
        ...(roles.includes('main') && this.#mainDevices(schedule)),
        ...(thread === MAIN && this.#links && { links: this.#links.device }),
        ...(roles.includes('state') && this.#stateDevices(schedule, onCommitted)),
        ...(roles.includes('mesh') && this.#meshDevices()),
      },
      print: (level, from, line, facts) => this.#print(level, from, line, facts),
    }
  }

  #openLinks(clock: Clock): void {
    const { world, network, layout } = this.#options
    const { config } = this
    const pass = (from: number, to: number, work: () => void) => this.#threads?.pass(from, to, work)
    this.#links = new NodeLinks({ world, network, config, layout, clock, pass })
  }

  /** The handlers of watches run here, with chance of their own. */
  #edgeDevices(schedule: Schedule, api: Devices['api']): Partial<Devices> {
    return { probes: this.#probes(schedule, `watches/${this.name}`), api }
  }

  #snapshots(schedule: Schedule, thread: number): Devices['snapshots'] {
    const stream = this.#options.world.streams.stream(`snapshots/${this.name}/${thread}`)
    return createSimSnapshots({
      tables: this.tables,
      files: this.files,
      wallMs: () => this.wallMs(),
      later: (ms, work) => schedule.later(ms, work),
      drawPortionMs: () => stream.next() * SNAPSHOT_PORTION_MS_MAX * this.diskSlowness,
    })
  }

  #probes(schedule: Schedule, name: string): Devices['probes'] {
    const stream = this.#options.world.streams.stream(name)
    const random = this.#options.world.streams.stream(`${name}/answers`)
    const after = (ms: number, work: () => void) => schedule.later(ms, work)
    return createSimProbes({ after, drawAnswerMs: () => stream.next() * PROBE_MS_MAX, random, answers: this.answers })
  }

  #mainDevices(schedule: Schedule): Partial<Devices> {
    const programs = this.#options.world.streams.stream(`daemons/${this.name}`)
    return {
      probes: this.#probes(schedule, `probes/${this.name}`),
      process: { perform: (_request, done) => done({ refused: 'gone', why: 'a simulated agent is led by its plan' }) },
      programs: { perform: (_request, done) => done({ refused: 'gone', why: 'a simulated machine runs no programs' }) },
      daemons: this.daemons.device((work) => schedule.later(programs.next() * PROGRAM_MS_MAX, work)),
    }
  }

  #stateDevices(schedule: Schedule, onCommitted: (notice: ChangeNotice) => void): Partial<Devices> {
    const { world, mutations, createLog, recording } = this.#options
    // The disk is done when it is done; the thread hears of it in a turn of its own.
    const tables: LogLife['tables'] = {
      view: () => this.tables.view(),
      transact: (work, durable) => this.tables.transact(work, (result) => schedule.later(0, () => durable(result))),
    }
    const apply = recording?.of(applyGroup) ?? applyGroup
    const life = { tables, apply, onCommitted, after: (ms: number, work: () => void) => schedule.after(ms, work) }
    const log = this.isServer ? createLog(mutations.wrapLife(life, this.name)) : localLog({ ...life, apply: applyMirrored })
    const store: Devices['store'] = {
      perform: (request, done, event) => this.store.perform(request, (result) => schedule.later(0, () => done(result)), event),
    }
    const signing = world.streams.stream(`signing/${this.name}`)
    const drawSignerMs = () =>
      this.signerFailing === 'slow' ? signing.int(SLOW_SIGNER_MS_MIN, SLOW_SIGNER_MS_MAX) : signing.next() * SIGNER_MS_MAX
    const signer = this.#watched(
      createSimSigner({
        random: world.streams.stream(`signer/${this.name}`),
        soon: (work) => schedule.later(drawSignerMs(), work),
        isBusy: () => this.signerFailing === 'busy',
      }),
    )
    return { log: mutations.wrapLog(log), store: mutations.wrapStore(store), signer, authority: createSimAuthority(signer) }
  }

  #watched(signer: Devices['signer']): Devices['signer'] {
    return {
      perform: (request, done, event) => {
        if (request.do !== 'leaf') return signer.perform(request, done, event)
        signer.perform(
          request,
          (outcome) => {
            const facts = isRefused(outcome) ? outcome : readSimCertificate(outcome.certPem ?? '')
            if (!isRefused(facts)) this.#options.signed?.(facts)
            done(outcome)
          },
          event,
        )
      },
    }
  }

  #meshDevices(): Partial<Devices> {
    const { network, mutations, judged } = this.#options
    this.mesh = createSimMesh({
      network,
      node: this.name,
      wallMs: () => this.wallMs(),
      readCertificate: readSimCertificate,
      readKey: readSimKey,
      judged: (handshake) => judged?.(handshake),
    })
    return { mesh: mutations.wrapMesh(this.mesh) }
  }

  #print(level: LogLevel, from: string, line: string, facts: Record<string, unknown> = {}): void {
    if (level === 'trace' || level === 'debug') return
    this.#options.printed(`${this.#options.world.nowMs.toFixed(1)} ms ${this.name} [${level}] ${from}: ${line} ${JSON.stringify(facts)}`)
  }
}
