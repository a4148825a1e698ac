import type { CheckDefinition } from '../actors/definitions.ts'
import type { EtcdConfig } from '../src/config/config.ts'
import { localLog } from '../src/local-log.ts'
import type { Role } from '../src/placement.ts'
import type { Application, Estate } from './estate.ts'
import { GivenMembers } from './given-members.ts'
import type { Mutations } from './mutants/index.ts'
import { networkOf } from './network-of.ts'
import { type LogLife, SEPARATE, SimNode, TOGETHER } from './node.ts'
import { SimLog } from './ports/log.ts'
import type { CertificateFacts, SimHandshake } from './ports/mesh-identity.ts'
import type { SimNetwork } from './ports/network.ts'
import { addressOf, type SimAnswer } from './ports/probes.ts'
import { SharedStates } from './ports/shared-states.ts'
import type { State } from './ports/tables.ts'
import { Recording } from './recording.ts'
import type { World } from './world.ts'

export type ClusterOptions = {
  world: World
  estate: Estate
  threads: 'separate' | 'together'
  mutations: Mutations
  printed(line: string): void
  /** The program behind a service gets bytes from somebody. */
  heard(application: Application, bytes: Uint8Array): void
  /** A leaf was signed. */
  signed(leaf: CertificateFacts): void
  /** On an agent's machine one side of a handshake has judged the other. */
  judged(node: SimNode, handshake: SimHandshake): void
  /** The edge of an agent begins to answer, for the first time or again. */
  booted(node: SimNode): void
}

/** The machines of a run: one agent on each, the programs beside it, the network between them and, with several agents, their log. */
export class Cluster {
  readonly world: World
  readonly estate: Estate
  readonly network: SimNetwork
  readonly nodes = new Map<string, SimNode>()
  /** Those that have the cluster's state, in the order of the estate. */
  readonly servers: readonly SimNode[]
  /** Those that ask a server instead. */
  readonly clients: readonly SimNode[]
  /** The log that all servers share. A lone one needs none. */
  readonly log: SimLog | undefined
  /** What was ordered by the log of a lone agent. */
  readonly recording = new Recording()
  readonly #options: ClusterOptions
  readonly #stopListening = new Map<Application, () => void>()
  readonly #disturbedUntil = new Map<string, number>()
  readonly #stoppedUntil = new Map<string, number>()
  readonly #dueBoots = new Map<string, () => void>()

  constructor(options: ClusterOptions) {
    const { world, estate } = options
    this.#options = options
    this.world = world
    this.estate = estate
    this.network = networkOf(world)
    for (const { name, address } of estate.agents) this.network.addNode(name, address)
    const servers = estate.agents.filter(({ config }) => config.server)
    const members = servers.length < estate.agents.length ? new GivenMembers(estate.agents, world) : undefined
    this.log = servers.length > 1 ? this.#sharedLog(servers.map(({ name }) => name)) : undefined
    const shared = servers.length > OWN_STATES_MAX ? new SharedStates<State>() : undefined
    const createLog = (name: string, life: LogLife) =>
      this.log?.attach(name, shared ? { ...life, apply: shared.apply(life.apply) } : life) ?? localLog(life)
    for (const { name, config } of estate.agents) {
      const { threads, mutations, printed } = options
      const layout = threads === 'separate' ? SEPARATE : TOGETHER
      const node: SimNode = new SimNode({
        world,
        network: this.network,
        config: members && config.server && this.log ? { ...config, etcd: SHARED } : config,
        layout,
        members,
        mutations,
        printed,
        clock: this.#drawClock(name),
        sharedStates: config.server ? shared : undefined,
        sharesLog: config.server && this.log !== undefined,
        recording: this.log ? undefined : this.recording,
        signed: options.signed,
        judged: (handshake) => options.judged(node, handshake),
        createLog: (life) => createLog(name, life),
        ended: () => this.#ended(node),
        threadRestarted: (roles) => roles.includes('edge') && options.booted(node),
      })
      for (const { checks } of config.services) for (const check of checks) this.#answer(node, check, 'passing')
      for (const check of config.checks) this.#answer(node, check, 'passing')
      this.nodes.set(name, node)
    }
    this.servers = [...this.nodes.values()].filter(({ isServer }) => isServer)
    this.clients = [...this.nodes.values()].filter(({ isServer }) => !isServer)
    this.#correctClocks()
  }

  /** Machines ask for the time every day. */
  #correctClocks(): void {
    this.world.after(DAY_MS, () => {
      for (const { clock } of this.nodes.values()) clock.correct()
      this.#correctClocks()
    })
  }

  /** No two machines agree on the time. */
  #drawClock(name: string): { skewMs: number; driftPart: number } {
    const stream = this.world.streams.stream(`clock/${name}`)
    return { skewMs: stream.int(-SKEW_MS_MAX, SKEW_MS_MAX), driftPart: (stream.next() * 2 - 1) * DRIFT_PART_MAX }
  }

  #sharedLog(members: readonly string[]): SimLog {
    const { world } = this
    return new SimLog({
      members,
      nowMs: () => world.nowMs,
      after: (ms, work) => world.after(ms, work),
      random: (stream) => world.streams.stream(`log/${stream}`),
      isCut: (from, to) => this.network.isCut(from, to),
      delayMs: (from, to) => this.network.delayMs(from, to),
    })
  }

  /** The node, if it is running. */
  up(name: string): SimNode | undefined {
    const node = this.nodes.get(name)
    return node?.isUp ? node : undefined
  }

  /** The node, running or not. */
  node(name: string): SimNode {
    const node = this.nodes.get(name)
    if (!node) throw new Error(`broken promise: the cluster has an agent ${JSON.stringify(name)}`)
    return node
  }

  /** Whose tables show the state of the cluster as an agent may know it: its own, or those of a server that runs. */
  stateFor(name: string): SimNode {
    const node = this.node(name)
    return node.isServer ? node : (this.servers.find(({ isUp }) => isUp) ?? (this.servers[0] as SimNode))
  }

  /** Switches a machine on: its programs listen and its agent starts. */
  boot(name: string): void {
    const node = this.node(name)
    this.#dueBoots.get(name)?.()
    this.#dueBoots.delete(name)
    if (node.isUp) return
    for (const application of this.estate.applications) if (application.node === name) this.#listen(application)
    node.start()
    this.#options.booted(node)
  }

  /** Ends a machine at once and switches it on again later. `silently`: nobody is told, as when the power is cut. */
  crash(name: string, forMs: number, how: 'aloud' | 'silently' = 'aloud'): void {
    const node = this.up(name)
    if (!node) return
    if (node.isServer) this.log?.crash(name)
    node.crash(how)
    this.#restart(name, forMs)
  }

  /** An agent that ended by itself is started again, as by any service manager. */
  #ended(node: SimNode): void {
    if (node.isServer) this.log?.crash(node.name)
    this.#restart(node.name, RESTART_MS)
  }

  #restart(name: string, afterMs: number): void {
    this.disturb(name, afterMs)
    this.#dueBoots.set(
      name,
      this.world.after(afterMs, () => this.boot(name)),
    )
  }

  stall(name: string, role: Role, forMs: number): void {
    this.up(name)?.stall(role, forMs)
    this.disturb(name, forMs)
  }

  /** Changes how the program behind a service behaves: whoever connects to it or checks it notices. */
  setApplication(application: Application, how: SimAnswer): void {
    const node = this.node(application.node)
    const { services, checks } = node.config
    for (const service of services) if (service.id === application.id) for (const check of service.checks) this.#answer(node, check, how)
    for (const check of checks) if (check.serviceId === application.id) this.#answer(node, check, how)
    if (!node.isUp) return
    this.#stopListening.get(application)?.()
    this.#stopListening.delete(application)
    if (how !== 'refused') this.#listen(application, how === 'hangs')
  }

  applicationsOf(name: string): Application[] {
    return this.estate.applications.filter(({ node }) => node === name)
  }

  /** Until when nothing can be asked of a node: it is down, stalled, cut off or just starting. */
  disturbedUntil(name: string): number {
    return this.#disturbedUntil.get(name) ?? 0
  }

  /** Until when a node may not even do what it does without others. */
  stoppedUntil(name: string): number {
    return this.#stoppedUntil.get(name) ?? 0
  }

  /** Notes that nothing may be expected of a node for a while; only what it needs others for, if just its way to them is disturbed. */
  disturb(name: string, forMs: number, what: 'all' | 'way' = 'all'): void {
    const untilMs = this.world.nowMs + forMs
    this.#disturbedUntil.set(name, Math.max(this.disturbedUntil(name), untilMs))
    if (what === 'all') this.#stoppedUntil.set(name, Math.max(this.stoppedUntil(name), untilMs))
  }

  /** What happens to any machine or way may be in the way of every client for so long, until it has noticed and uses another server. */
  disturbClients(forMs: number): void {
    for (const { name } of this.clients) this.disturb(name, forMs + CLIENT_MOVES_MS, 'way')
  }

  /** Ends all trouble and switches everything on. */
  heal(): void {
    this.network.healAll()
    this.log?.heal()
    for (const node of this.nodes.values()) {
      node.heal()
      this.boot(node.name)
    }
    for (const application of this.estate.applications) this.setApplication(application, 'passing')
  }

  #answer(node: SimNode, { tcp, http, args }: CheckDefinition, how: SimAnswer): void {
    const address = tcp || (http ? addressOf(http) : (args[0] ?? ''))
    if (address !== '') node.answers.set(address, how)
  }

  #listen(application: Application, isSilent = false): void {
    const { node, address, port } = application
    const listening = this.network.listen(node, address, port, (socket) => {
      socket.handlers = {
        data: (bytes) => {
          this.#options.heard(application, bytes)
          if (!isSilent) socket.write(bytes)
        },
        end: () => socket.end(),
      }
      socket.resume()
    })
    if ('close' in listening) this.#stopListening.set(application, listening.close)
  }
}

const RESTART_MS = 1_000
/** A server that says nothing counts as lost after 25 s, with a question each 10 s; then another one is dialled. */
const CLIENT_MOVES_MS = 45_000
/** Servers that share a log ask it before they answer. Where it is matters only to a real one. */
const SHARED: EtcdConfig = { own: undefined, endpoints: [], caFile: '', certFile: '', keyFile: '', holdMs: 7_000 }
/** Larger clusters share the states of their tables. */
const OWN_STATES_MAX = 5
const DAY_MS = 24 * 3_600_000
const SKEW_MS_MAX = 2_000
/** Two seconds a day: what a bad quartz does. */
const DRIFT_PART_MAX = 2 / 86_400
