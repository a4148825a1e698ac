import { membership, wanMembership } from '../../actors/membership/index.ts'
import {
  type MemberRecord,
  type MembershipArgs,
  type MembershipProtocol,
  membershipRef,
  wanMembershipRef,
} from '../../actors/membership/protocol.ts'
import type { MembershipState } from '../../actors/membership/state.ts'
import { Host } from '../../src/kernel/host.ts'
import type { AnyActor } from '../../src/kernel/instance.ts'
import type { Devices, GossipAddress, LogLevel } from '../../src/kernel/ports.ts'
import type { Ref } from '../../src/kernel/protocol.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { MachineClock } from '../clock.ts'
import { createSimGossip, type SimGossip } from '../ports/gossip.ts'
import type { SimNetwork } from '../ports/network.ts'
import { createSimTables } from '../ports/tables.ts'
import { Schedule } from '../schedule.ts'
import { hash32 } from '../streams.ts'
import type { World } from '../world.ts'

export const GOSSIP_PORT = 8301
const STORE_MS = 1
/** A turn on a busy thread begins so much later at most. */
const SOON_MS_MAX = 0.2

export type SimMemberOptions = {
  world: World
  network: SimNetwork
  name: string
  address: string
  messages: 'packed' | 'weighed' | 'shared'
  datacenter?: string
  /** It is a server, among those of all datacenters. */
  wan?: true
  /** What it knows when it is started for the first time. */
  members?: readonly MemberRecord[]
  /** How the actor behaves, if not as it is written. */
  wrap?(definition: AnyActor): AnyActor
  meets?(other: string): void
  sent?(message: object): void
  printed?(line: string): void
}

/** A machine on which nothing but the membership actor runs, so that there can be thousands of them. */
export class SimMember {
  readonly name: string
  readonly address: GossipAddress
  readonly args: MembershipArgs
  readonly clock: MachineClock
  gossip: SimGossip | undefined
  /** The actor's own state, to look into; undefined while the machine is off. */
  state: MembershipState | undefined
  /** Until when it does nothing, in the world's time. */
  stalledUntilMs = 0
  /** It goes, or has gone, by itself. */
  isLeaving = false
  readonly #options: SimMemberOptions
  readonly #kept = new Map<string, { kind: string; key: string; record: unknown }>()
  #host: Host | undefined
  #schedule: Schedule | undefined

  constructor(options: SimMemberOptions) {
    const { world, name, address, datacenter = 'dc1', members = [], wan } = options
    this.#options = options
    this.name = name
    this.address = { host: address, port: GOSSIP_PORT }
    this.clock = new MachineClock({ nowMs: () => world.nowMs })
    this.args = {
      enabled: true,
      name: wan ? `${name}.${datacenter}` : name,
      id: idOf(name),
      datacenter,
      bind: { address, port: GOSSIP_PORT },
      advertise: { address, port: GOSSIP_PORT },
      ...(wan && { wan }),
      tags: { role: wan ? 'consul' : 'node', dc: datacenter, id: idOf(name), vsn: '2', build: '0.1.0' },
      keys: [],
      rejoinsAfterLeave: false,
      members: members as MemberRecord[],
    }
  }

  get isUp(): boolean {
    return this.#host !== undefined
  }

  start(): void {
    if (this.#host !== undefined) return
    const { world, network, name, printed } = this.#options
    network.start(name)
    this.isLeaving = false
    const schedule = new Schedule(world, this.clock)
    this.#schedule = schedule
    const devices: Partial<Devices> = {
      [this.args.wan ? 'gossip-wan' : 'gossip']: this.#openGossip(schedule),
      store: this.#store(schedule),
    }
    const print = (level: LogLevel, from: string, line: string, facts?: Record<string, unknown>) =>
      printed?.(`${Math.round(world.nowMs)} ${name} [${level}] ${from}: ${line}${facts ? ` ${JSON.stringify(facts)}` : ''}`)
    const clock = {
      wallMs: () => this.clock.wallMs(),
      monotonicMs: () => this.clock.monotonicMs(),
      after: (ms: number, work: () => void) => schedule.after(ms, work),
    }
    const stream = world.streams.stream(`members/${name}/soon`)
    this.#host = new Host({
      node: name,
      thread: 0,
      ports: { clock, random: (stream) => world.streams.stream(`members/${name}/${stream}`), tables: EMPTY, devices, print },
      actors: [this.#definition()],
      place: () => 0,
      soon: (work) => schedule.later(stream.next() * SOON_MS_MAX, work),
      fatal: (why) => print('error', 'kernel', `broken promise: ${why}`),
    })
    this.#host.start(this.#ref.actor, '', this.args)
  }

  /** Ends at once. `silently`: nobody is told, as when the power is cut. */
  crash(how: 'aloud' | 'silently' = 'aloud'): void {
    this.#end()
    this.#options.network.crash(this.name, how)
  }

  /** Nothing runs on it for so long; its machine goes on, and what comes in waits. */
  stall(forMs: number): void {
    const untilMs = this.#options.world.nowMs + forMs
    this.stalledUntilMs = Math.max(this.stalledUntilMs, untilMs)
    this.#schedule?.pause(untilMs)
  }

  join(
    addresses: readonly GossipAddress[],
    done: (result: Result<{ joined: number; failed: { why: string }[] }>) => void = () => undefined,
  ): void {
    this.#host?.ask(this.#ref, 'join', { addresses: [...addresses] }, 20_000, done)
  }

  /** Goes, and its process ends once the others were told. */
  leave(): void {
    this.isLeaving = true
    const host = this.#host
    host?.ask(this.#ref, 'leave', null, 20_000, (result) => {
      if (isRefused(result) || this.#host !== host) return
      this.#end()
      this.#options.network.crash(this.name, 'aloud')
    })
  }

  get #ref(): Ref<MembershipProtocol> {
    return this.args.wan ? wanMembershipRef : membershipRef
  }

  ask: Host['ask'] = (...asked) => this.#host?.ask(...asked)
  follow: Host['follow'] = (...followed) => (this.#host as Host).follow(...followed)

  #definition(): AnyActor {
    const { wrap = (definition: AnyActor) => definition } = this.#options
    const definition = wrap((this.args.wan ? wanMembership : membership) as unknown as AnyActor)
    const init = (args: MembershipArgs, turn: unknown) => {
      this.state = (definition.init as unknown as (args: MembershipArgs, turn: unknown) => MembershipState)(args, turn)
      return this.state
    }
    return { ...definition, init } as unknown as AnyActor
  }

  #openGossip(schedule: Schedule): SimGossip {
    const { network, messages, meets, sent } = this.#options
    const later = (ms: number, work: () => void) => schedule.later(ms, work)
    const hooks = { ...(meets && { meets }), ...(sent && { sent }) }
    this.gossip = createSimGossip({ network, node: this.name, peer: peerOf(this.name), later, messages, ...hooks })
    return this.gossip
  }

  #store(schedule: Schedule): Devices['store'] {
    return {
      perform: (request, done) => {
        if (request.do === 'save') this.#kept.set(`${request.kind}/${request.key}`, request)
        if (request.do === 'remove') this.#kept.delete(`${request.kind}/${request.key}`)
        const records = request.do === 'load' ? [...this.#kept.values()] : []
        schedule.later(STORE_MS, () => done({ records }))
      },
    }
  }

  #end(): void {
    this.#schedule?.end()
    this.#host?.close()
    this.gossip?.close()
    this.#host = undefined
    this.#schedule = undefined
    this.gossip = undefined
    this.state = undefined
    this.stalledUntilMs = 0
  }
}

/** The peer that a member is. */
export function peerOf(name: string): string {
  return `peer-${name}`
}

/** The same for the same name. */
export function idOf(name: string): string {
  const hex = [1, 2, 3, 4].map((salt) => hash32(name, salt).toString(16).padStart(8, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
}

/** Members have no tables. */
const EMPTY = createSimTables({ after: () => undefined, drawCommitMs: () => 0, drawSurvivors: () => 0, shared: undefined })
