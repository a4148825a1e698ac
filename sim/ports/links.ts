import type { GossipAddress } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { createLinks, type LinkStream, type Links } from '../../src/links.ts'
import type { Layout } from '../../src/placement.ts'
import { type LinkTiming, SimLinkStream } from './link-stream.ts'
import type { SimNetwork } from './network.ts'
import type { SimSocket } from './socket.ts'

export type SimLinksOptions = LinkTiming & {
  network: SimNetwork
  node: string
  /** Its own id, proven to everybody. */
  peer: string
  /** Where others reach it, on all addresses of its machine. */
  port: number
  layout: Layout
  strangerMs?: number
}

const DIAL_MS_MAX = 10_000

/** Links between agents in simulated time: what real agents say to each other, over TCP of the simulated network. */
export function createSimLinks({ network, node, peer: own, port, layout, strangerMs, ...timing }: SimLinksOptions): Links {
  const { after, monotonicMs } = timing
  const links = createLinks({ node, layout, open, after, monotonicMs, ...(strangerMs !== undefined && { strangerMs }) })
  const listening = network.listen(node, '', port, (socket) =>
    greet(socket, (met) => !isRefused(met) && links.accept(met.peer, met.stream)),
  )

  function open(peer: string, address: GossipAddress, done: (stream: Result<LinkStream>) => void): void {
    let isOver = false
    const settle = (stream: Result<LinkStream>) => {
      if (isOver) return
      isOver = true
      done(stream)
    }
    const giveUp = network.dial(node, address, (socket) =>
      after(0, () => {
        if (isRefused(socket)) return settle(socket)
        if (isOver) return socket.reset()
        greet(socket, (met) => {
          if (isRefused(met)) return settle(met)
          if (isOver) return met.stream.abort('nobody waits for it')
          if (met.peer === peer) return settle(met.stream)
          met.stream.abort('it is another agent')
          settle(refuse('gone', `${address.host}:${address.port} is another agent`))
        })
      }),
    )
    after(DIAL_MS_MAX, () => {
      giveUp()
      settle(refuse('gone', 'i/o timeout'))
    })
  }

  /** Both ends say who they are. `met` is called once. */
  function greet(socket: SimSocket, met: (other: Result<{ peer: string; stream: SimLinkStream }>) => void): void {
    const stream = new SimLinkStream(socket, timing, (other) => met(isRefused(other) ? other : { peer: other.peer, stream }))
    stream.identify(own)
  }

  return {
    ...links,
    close() {
      links.close()
      if (!isRefused(listening)) listening.close()
    },
  }
}
