import type { MemberRecord } from '../../actors/membership/protocol.ts'
import { placeOf, ringOf } from '../../actors/membership/ring.ts'
import type { AnyActor } from '../../src/kernel/instance.ts'
import { EPOCH_MS } from '../clock.ts'
import { networkOf } from '../network-of.ts'
import type { SimNetwork } from '../ports/network.ts'
import type { Way } from '../ports/way.ts'
import { World } from '../world.ts'
import { GOSSIP_PORT, idOf, peerOf, SimMember } from './member.ts'

export type EstateOptions = {
  /** The world that they are in, or the seed of one of their own. */
  world: World | string
  count: number
  messages: 'packed' | 'weighed' | 'shared'
  /** They know each other from the beginning; else each is alone until it joins. */
  isFormed: boolean
  /** They are servers among those of all datacenters: the first half of dc1, the others of dc2. They are not formed. */
  wan?: true
  /** A word that their names begin with. Default: m. */
  prefix?: string
  /** How long a packet takes from one to another, in ms. Default: as in the network. */
  delayMs?(from: string, to: string): number
  /** What is wrong with every way between two of them. */
  way?: Partial<Way>
  wrap?(definition: AnyActor): AnyActor
  /** A message leaves. */
  sent?(member: string, message: object): void
  printed?(line: string): void
}

/** So many members on a network of their own. */
export class MemberEstate {
  readonly world: World
  readonly network: SimNetwork
  readonly members: SimMember[] = []
  readonly #byName = new Map<string, SimMember>()
  readonly #options: EstateOptions

  constructor(options: EstateOptions) {
    this.#options = options
    const world = typeof options.world === 'string' ? new World(options.world) : options.world
    this.world = world
    this.network = networkOf(world, options.delayMs)
    const names = Array.from({ length: options.count }, (_, at) => `${options.prefix ?? 'm'}${at + 1}`)
    const known = options.isFormed ? recordsOf(names) : []
    for (const name of names) this.#add(name, known)
  }

  /** Adds one that knows nobody, and starts it. */
  addNew(): SimMember {
    const member = this.#add(`${this.#options.prefix ?? 'm'}${this.members.length + 1}`, [])
    member.start()
    return member
  }

  get(name: string): SimMember | undefined {
    return this.#byName.get(name)
  }

  /** All that run. */
  up(): SimMember[] {
    return this.members.filter(({ isUp }) => isUp)
  }

  start(): void {
    for (const member of this.members) member.start()
  }

  run(forMs: number): void {
    this.world.runUntil(this.world.nowMs + forMs)
  }

  /** Lets time pass until something is so, at most so long. Answers how long it took, in ms; undefined: it was not so. */
  until(isSo: () => boolean, withinMs: number, stepMs = 10): number | undefined {
    const beganMs = this.world.nowMs
    while (!isSo()) {
      if (this.world.nowMs - beganMs >= withinMs) return undefined
      this.run(stepMs)
    }
    return this.world.nowMs - beganMs
  }

  /** From now on every way between two members is like this, also those that come to be. */
  disturb(way: Partial<Way> | undefined): void {
    this.#way = way
    for (const text of this.#met) {
      const [from = '', to = ''] = text.split('>')
      if (way === undefined) this.network.restore(from, to)
      else this.network.disturb(from, to, way)
    }
  }

  #way: Partial<Way> | undefined
  readonly #met = new Set<string>()

  #add(name: string, known: readonly MemberRecord[]): SimMember {
    const { messages, wrap, sent, printed, wan, count } = this.#options
    const { world, network } = this
    const datacenter = wan && this.members.length >= count / 2 ? 'dc2' : 'dc1'
    const address = addressOf(this.members.length)
    network.addNode(name, address)
    const member = new SimMember({
      world,
      network,
      name,
      address,
      messages,
      members: known,
      datacenter,
      meets: (other) => this.#meet(name, other),
      ...(wan && { wan }),
      ...(wrap && { wrap }),
      ...(sent && { sent: (message: object) => sent(name, message) }),
      ...(printed && { printed }),
    })
    this.members.push(member)
    this.#byName.set(name, member)
    return member
  }

  #meet(from: string, to: string): void {
    for (const pair of [`${from}>${to}`, `${to}>${from}`]) {
      if (this.#met.has(pair)) continue
      this.#met.add(pair)
      const [one = '', other = ''] = pair.split('>')
      if (this.#way !== undefined) this.network.disturb(one, other, this.#way)
    }
  }
}

/** What members that were started at the first moment say of themselves, in the order of the ring. */
function recordsOf(names: readonly string[]): MemberRecord[] {
  const records = names.map((name, at): MemberRecord => {
    const id = idOf(name)
    const tags = { role: 'node', dc: 'dc1', id, vsn: '2', build: '0.1.0' }
    const place = placeOf(id)
    const [address, port] = [addressOf(at), GOSSIP_PORT]
    return { name, id, peer: peerOf(name), address, port, tags, incarnation: EPOCH_MS, status: 'alive', ltime: 1, place }
  })
  const byName = new Map(records.map((record) => [record.name, record]))
  return ringOf(records).map((name) => byName.get(name) as MemberRecord)
}

function addressOf(at: number): string {
  return `10.${100 + Math.floor(at / 65_536)}.${Math.floor(at / 256) % 256}.${at % 256}`
}
