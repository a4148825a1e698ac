import type { Stream } from '@libp2p/interface'
import { realClock, realRandom } from '../../net/clock.ts'
import { createGossip } from '../../net/gossip/index.ts'
import { createLinks, type Links } from '../../net/gossip/links.ts'
import { networkOf } from '../../sim/network-of.ts'
import { createSimLinks } from '../../sim/ports/links.ts'
import { World } from '../../sim/world.ts'
import { createFarThread } from '../../src/far-threads.ts'
import { defineActor } from '../../src/kernel/actor.ts'
import { serverPeer } from '../../src/kernel/far.ts'
import { Host } from '../../src/kernel/host.ts'
import type { AnyActor } from '../../src/kernel/instance.ts'
import type { LinkMember, LinksEvent, LinksOutcome, LinksRequest } from '../../src/kernel/link-ports.ts'
import type { Clock } from '../../src/kernel/ports.ts'
import { type Call, type Feed, LATER, refOf, type Subscriber } from '../../src/kernel/protocol.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { type Layout, placeFar } from '../../src/placement.ts'
import { Lookout } from '../net/mesh/kit.ts'

type EchoProtocol = {
  echo: Call<{ bytes: Uint8Array }, { bytes: Uint8Array; by: string }>
  never: Call<null, null>
  secret: Call<null, null>
  count: Feed<null, number>
}
/** It is placed where the key/value store is. */
export const echoRef = refOf<EchoProtocol>('kv')
const echo = defineActor<EchoProtocol, Record<never, never>, { readers: Subscriber[] }>({
  name: 'kv',
  mailboxMax: 100_000,
  remote: ['echo', 'never', 'count'],
  init: () => ({ readers: [] }),
  on: {
    echo: (_state, { bytes }, turn) => ({ bytes, by: turn.node }),
    never: () => LATER,
    secret: () => null,
    count(state, _request, turn, subscriber) {
      state.readers.push(subscriber)
      turn.emit(subscriber, state.readers.length, state.readers.length)
    },
  },
})

export type LinkedAgent = {
  readonly node: string
  readonly host: Host
  readonly member: LinkMember
  readonly events: LinksEvent[]
  ask(request: LinksRequest): Promise<Result<LinksOutcome>>
  /** Ends without a word to anybody but the system. */
  close(): Promise<void>
}
/** `raw`: a raw stream to another agent. */
export type RealAgent = LinkedAgent & { raw(to: LinkedAgent): Promise<Stream> }
export type AgentOptions = { pingMs?: number; silenceMsMax?: number; strangerMs?: number }

/** Agents of one thread each, with all that is between two of them. `c…` are clients. */
export type LinkedAgents<Agent extends LinkedAgent = LinkedAgent> = {
  start(node: string, options?: AgentOptions): Promise<Agent>
  /** Nothing gets through between two of them any more. Only where the network is simulated. */
  cut?(a: string, b: string): void
  lookout: Lookout
  close(): Promise<void>
}

export const arms: { name: string; make(): LinkedAgents }[] = [
  { name: 'libp2p', make: linkedAgents },
  { name: 'simulated', make: simulatedAgents },
]

const LAYOUT: Layout = [['main', 'state', 'edge', 'mesh', 'gossip']]
export const ADDRESS = '127.0.0.1'
const PORT = 8_301

export function linkedAgents(): LinkedAgents<RealAgent> {
  const lookout = new Lookout()
  const all: LinkedAgent[] = []
  return {
    lookout,
    async start(node, options = {}) {
      const gossip = createGossip({ dataDirectory: undefined, acceptLink: (peer, stream) => links.accept(peer, stream) })
      const links: Links = createLinks({ node, layout: LAYOUT, open: gossip.openLink, ...options })
      const { host, events, ask } = agentOf(node, links, realClock, setImmediate, lookout)
      const listening = await new Promise<{ peer?: string; port?: number }>((resolve, reject) => {
        gossip.perform(
          { do: 'listen', address: ADDRESS, port: 0, keys: [] },
          (outcome) => (isRefused(outcome) ? reject(new Error(outcome.why)) : resolve(outcome)),
          () => undefined,
        )
      })
      const agent: RealAgent = {
        node,
        host,
        events,
        ask,
        member: { node, peer: listening.peer ?? '', host: ADDRESS, port: listening.port ?? 0 },
        async raw({ member }) {
          const stream = await gossip.openLink(member.peer, member)
          if (isRefused(stream)) throw new Error(stream.why)
          return stream
        },
        async close() {
          links.close()
          host.close()
          await gossip.close()
        },
      }
      all.push(agent)
      return agent
    },
    async close() {
      await Promise.all(all.map((agent) => agent.close()))
    },
  }
}

/** Agents of a simulated network whose time passes at its own pace while the test waits. */
export function simulatedAgents(): LinkedAgents {
  const world = new World('links')
  const network = networkOf(world)
  const lookout = new Lookout()
  const all: LinkedAgent[] = []
  let isOver = false
  const pass = () => {
    if (isOver) return
    world.runUntil(world.nowMs + 1)
    setImmediate(pass)
  }
  setImmediate(pass)
  const clock: Clock = {
    wallMs: () => world.nowMs,
    monotonicMs: () => world.nowMs,
    after: (ms, work) => world.after(ms, work),
  }
  return {
    lookout,
    cut(a, b) {
      network.cut(a, b)
      network.cut(b, a)
    },
    async start(node, options = {}) {
      const host10 = `10.0.0.${all.length + 1}`
      network.addNode(node, host10)
      const peer = `peer of ${node}`
      const timing = { after: clock.after, monotonicMs: clock.monotonicMs, ...options }
      const links = createSimLinks({ network, node, peer, port: PORT, layout: LAYOUT, ...timing })
      const { host, events, ask } = agentOf(node, links, clock, (work) => void world.after(0, work), lookout)
      const agent: LinkedAgent = {
        node,
        host,
        events,
        ask,
        member: { node, peer, host: host10, port: PORT },
        async close() {
          links.close()
          host.close()
          network.crash(node)
        },
      }
      all.push(agent)
      return agent
    },
    async close() {
      isOver = true
    },
  }
}

type ThreadsEnd = Pick<Links, 'perform' | 'attach' | 'take'>

function agentOf(node: string, links: ThreadsEnd, clock: Clock, soon: (work: () => void) => void, lookout: Lookout) {
  const far = createFarThread(() => host)
  links.attach(0, (message) => soon(() => far.take(message)))
  far.attach((message) => soon(() => links.take(0, message)))
  const host: Host = new Host({
    node,
    thread: 0,
    ports: {
      clock,
      random: () => realRandom,
      tables: { view: () => ({ get: () => undefined, range: () => [] }) },
      devices: {},
      print: () => undefined,
    },
    actors: [echo as unknown as AnyActor],
    place: () => (node.startsWith('c') ? serverPeer('state') : 0),
    far: placeFar,
    reach: far.reach,
    soon,
    fatal(why) {
      throw new Error(why)
    },
  })
  if (!node.startsWith('c')) host.start('kv', '', null)
  const events: LinksEvent[] = []
  const ask: LinkedAgent['ask'] = (request) =>
    new Promise((resolve) => {
      links.perform(request, resolve, (event) => {
        events.push(event)
        lookout.changed()
      })
    })
  return { host, events, ask }
}
