import type { Stream } from '@libp2p/interface'
import { realClock, realRandom } from '../../net/clock.ts'
import { createFarThread } from '../../net/far-threads.ts'
import type { FrameOptions } from '../../net/gossip/frames.ts'
import { createGossip } from '../../net/gossip/index.ts'
import { createLinks, type Links } from '../../net/gossip/links.ts'
import { defineActor } from '../../src/kernel/actor.ts'
import { serverPeer } from '../../src/kernel/far.ts'
import { Host } from '../../src/kernel/host.ts'
import type { AnyActor } from '../../src/kernel/instance.ts'
import type { LinkMember, LinksEvent, LinksOutcome, LinksRequest } from '../../src/kernel/link-ports.ts'
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
  /** A raw stream to another agent. */
  raw(to: LinkedAgent): Promise<Stream>
  /** Ends without a word to anybody but the system. */
  close(): Promise<void>
}

const LAYOUT: Layout = [['main', 'state', 'edge', 'mesh', 'gossip']]
export const ADDRESS = '127.0.0.1'

/** Agents of one thread each, with all that is between two of them. `c…` are clients. */
export function linkedAgents(): {
  start(node: string, options?: FrameOptions & { strangerMs?: number }): Promise<LinkedAgent>
  lookout: Lookout
  close(): Promise<void>
} {
  const lookout = new Lookout()
  const all: LinkedAgent[] = []
  return {
    lookout,
    async start(node, options = {}) {
      const gossip = createGossip({ dataDirectory: undefined, acceptLink: (peer, stream) => links.accept(peer, stream) })
      const links: Links = createLinks({ node, layout: LAYOUT, open: gossip.openLink, ...options })
      const far = createFarThread(() => host)
      links.attach(0, (message) => setImmediate(far.take, message))
      far.attach((message) => setImmediate(links.take, 0, message))
      const host: Host = new Host({
        node,
        thread: 0,
        ports: {
          clock: realClock,
          random: () => realRandom,
          tables: { view: () => ({ get: () => undefined, range: () => [] }) },
          devices: {},
          print: () => undefined,
        },
        actors: [echo as unknown as AnyActor],
        place: () => (node.startsWith('c') ? serverPeer('state') : 0),
        far: placeFar,
        reach: far.reach,
        soon: setImmediate,
        fatal(why) {
          throw new Error(why)
        },
      })
      const events: LinksEvent[] = []
      if (!node.startsWith('c')) host.start('kv', '', null)
      const listening = await new Promise<{ peer?: string; port?: number }>((resolve, reject) => {
        gossip.perform(
          { do: 'listen', address: ADDRESS, port: 0, keys: [] },
          (outcome) => (isRefused(outcome) ? reject(new Error(outcome.why)) : resolve(outcome)),
          () => undefined,
        )
      })
      const agent: LinkedAgent = {
        node,
        host,
        events,
        member: { node, peer: listening.peer ?? '', host: ADDRESS, port: listening.port ?? 0 },
        ask: (request) =>
          new Promise((resolve) => {
            links.perform(request, resolve, (event) => {
              events.push(event)
              lookout.changed()
            })
          }),
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
