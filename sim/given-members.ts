import type { Member, MemberStatus } from '../actors/membership/protocol.ts'
import type { Turn } from '../src/kernel/actor.ts'
import type { AnyActor, AnyHandler } from '../src/kernel/instance.ts'
import type { Cast, Subscriber } from '../src/kernel/protocol.ts'
import type { Agent } from './estate.ts'
import { linksPortOf, peerOf } from './node-links.ts'
import type { World } from './world.ts'

/** Others know of a machine that has stopped after this long. */
const FAILED_AFTER_MS = 3_000
/** Changes are told within this. */
const LOOK_EVERY_MS = 500

/** What the actor keeps of those who follow it. */
type Following = { followers: { subscriber: Subscriber<Member[]> }[] }
type GivenTurn = Turn<{ given: Cast<null> }>

/** Who belongs to a simulated cluster, as its agents are told: finding that out is simulated by sim/members/. */
export class GivenMembers {
  readonly #agents: readonly Agent[]
  readonly #world: World
  readonly #status = new Map<string, MemberStatus>()
  readonly #lives = new Map<string, number>()
  #version = 1

  constructor(agents: readonly Agent[], world: World) {
    this.#agents = agents
    this.#world = world
  }

  began(name: string): void {
    this.#lives.set(name, (this.#lives.get(name) ?? 0) + 1)
    this.#become(name, 'alive')
  }

  /** A machine has stopped, or its agent has ended. */
  ended(name: string): void {
    const life = this.#lives.get(name)
    this.#world.after(FAILED_AFTER_MS, () => {
      if (this.#lives.get(name) === life) this.#become(name, 'failed')
    })
  }

  /** The actor of membership of one agent, which is told who there is in place of asking others. */
  into(definition: AnyActor, self: string): AnyActor {
    if (definition.name !== 'membership') return definition
    const told = { version: 0 }
    const wait = (turn: unknown) => (turn as GivenTurn).timer('given', LOOK_EVERY_MS, { name: 'given', request: null })
    const given: AnyHandler = (state, _request, turn) => {
      wait(turn)
      if (told.version === this.#version) return
      told.version = this.#version
      for (const { subscriber } of (state as Following).followers) (turn as GivenTurn).emit(subscriber, this.#version, this.#members(self))
    }
    const members: AnyHandler = (state, _request, turn, from) => {
      const { followers } = state as Following
      if (followers.length === 0) wait(turn)
      const subscriber = from as Subscriber<Member[]>
      followers.push({ subscriber })
      ;(turn as GivenTurn).emit(subscriber, this.#version, this.#members(self))
    }
    return { ...definition, on: { ...(definition.on as Record<string, AnyHandler>), members, given } as AnyActor['on'] }
  }

  #become(name: string, status: MemberStatus): void {
    if (this.#status.get(name) === status) return
    this.#status.set(name, status)
    this.#version++
  }

  #members(self: string): Member[] {
    return this.#agents.map(({ name, address, config }) => ({
      name,
      id: config.node.id,
      peer: peerOf(name),
      address,
      port: linksPortOf(config),
      tags: { role: config.server ? 'consul' : 'node', dc: config.datacenter },
      incarnation: 1,
      status: this.#status.get(name) ?? 'alive',
      statusLtime: 1,
      isSelf: name === self,
    }))
  }
}
