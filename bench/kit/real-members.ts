import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { membership } from '../../actors/membership/index.ts'
import { type Member, type MembershipArgs, type MembershipHealth, membershipRef } from '../../actors/membership/protocol.ts'
import { TOPIC } from '../../actors/membership/spread.ts'
import { realClock, realRandom } from '../../net/clock.ts'
import { createGossip } from '../../net/gossip/index.ts'
import { memoryStore } from '../../net/store.ts'
import { Host } from '../../src/kernel/host.ts'
import type { AnyActor } from '../../src/kernel/instance.ts'
import type { Ports } from '../../src/kernel/ports.ts'
import { isRefused } from '../../src/kernel/refusal.ts'

/** What an agent has for gossip and nothing else of it: the actor, the device, real sockets. */
export type RealMember = {
  readonly name: string
  /** On 127.0.0.1. */
  readonly port: number
  /** All that it knows of, with itself. */
  members(): readonly Member[]
  /** Says anything to all members that it knows of and is connected with, and to everybody else, whether it is true or not. */
  claim(rumour: object): void
  join(port: number): Promise<void>
  health(): Promise<MembershipHealth>
  close(): Promise<void>
}

const HOST = '127.0.0.1'
const WITHIN_MS = 60_000

/** Listens on a port that is free. `keys`: of the private network. */
export async function startMember(name: string, keys: string[] = []): Promise<RealMember> {
  const gossip = createGossip({ dataDirectory: undefined })
  const ports: Ports = {
    clock: realClock,
    random: () => realRandom,
    tables: { view: () => ({ get: () => undefined, range: () => [] }) },
    devices: { gossip, store: memoryStore() },
    print: () => undefined,
  }
  const fatal = (why: string) => {
    throw new Error(`${name}: ${why}`)
  }
  const host = new Host({
    node: name,
    thread: 0,
    ports,
    actors: [membership as unknown as AnyActor],
    place: () => 0,
    soon: setImmediate,
    fatal,
  })
  let known: readonly Member[] = []
  const listens = Promise.withResolvers<Member>()
  host.follow(membershipRef, 'members', null, (members) => {
    known = members as Member[]
    const self = known.find(({ isSelf }) => isSelf)
    if (self && self.port !== 0) listens.resolve(self)
  })
  host.start('membership', '', argsOf(name, keys))
  const { port } = await listens.promise
  return {
    name,
    port,
    members: () => known,
    claim(rumour) {
      const message = { rumours: [{ via: [name], ...rumour }] }
      gossip.perform({ do: 'publish', topic: TOPIC, message }, ignored, ignored)
      for (const { peer, isSelf } of known) {
        if (!isSelf) gossip.perform({ do: 'send', peer, message: { do: 'news', ...message } }, ignored, ignored)
      }
    },
    async join(to) {
      const joined = await host.asked(membershipRef, 'join', { addresses: [{ host: HOST, port: to }] }, WITHIN_MS)
      if (isRefused(joined)) throw new Error(`${name}: ${joined.why}`)
      const [failed] = joined.failed
      if (failed) throw new Error(`${name}: ${failed.why}`)
    },
    async health() {
      const health = await host.asked(membershipRef, 'health', null, WITHIN_MS)
      if (isRefused(health)) throw new Error(`${name}: ${health.why}`)
      return health
    },
    async close() {
      host.close()
      await gossip.close()
    },
  }
}

function argsOf(name: string, keys: string[]): MembershipArgs {
  return {
    enabled: true,
    name,
    id: randomUUID(),
    datacenter: 'dc1',
    bind: { address: HOST, port: 0 },
    advertise: { address: HOST, port: 0 },
    tags: { role: 'node', dc: 'dc1' },
    keys,
    rejoinsAfterLeave: false,
  }
}

function ignored(): void {
  // Nobody waits for what is claimed, and who is not connected is not told.
}

/** Bytes that have passed the loopback interface of this network namespace. */
export function loopbackBytes(): number {
  const line = readFileSync('/proc/net/dev', 'utf8')
    .split('\n')
    .find((one) => one.trim().startsWith('lo:'))
  return Number(line?.trim().split(/[:\s]+/)[1] ?? 0)
}
