import { isRefused } from '../../src/kernel/refusal.ts'
import { connectionsOf } from '../connections.ts'
import { ms, oneOf, upstream, upstreamName } from '../fields.ts'
import { defineWorkload } from '../kind.ts'
import type { SimSocket } from '../ports/socket.ts'
import type { Run } from '../run.ts'

/** How a program ends: it says what it has to say and ends; it ends its side at once and listens on; it breaks off; it goes on
 * saying something until it ends. */
const how = oneOf('ends', 'ends', 'half-closes', 'resets', 'talks')
const TALK_EVERY_MS = 500

export const traffic = defineWorkload({
  name: 'traffic',
  about: 'a program opens a connection to its upstream and keeps it open for a while',
  perMinute: 40,
  marks: [{ name: 'bytes through two sidecars', events: 40 }],
  fields: { upstream, how, forMs: ms(100, 20_000) },
  apply: (run, { node, upstream, how, forMs }) => dial(run, node, upstream, how, forMs),
})

export const crowd = defineWorkload({
  name: 'traffic.crowd',
  about: 'a program opens many connections to its upstream at once',
  perMinute: 1,
  fields: { upstream, forMs: ms(100, 5_000) },
  apply(run, { node, upstream, forMs }) {
    for (let count = 0; count < CROWD; count++) dial(run, node, upstream, 'ends', forMs)
    run.reach('many connections at once')
  },
})

const CROWD = 25

function dial(run: Run, node: string, pair: string, how: string, forMs: number): void {
  const found = run.cluster.estate.upstreams.find((one) => one.node === node && upstreamName(one.source, one.destination) === pair)
  if (!found || !run.up(node)) return
  const { source, destination, address, port } = found
  const greeting = connectionsOf(run).dialled({ source, destination, atMs: run.world.nowMs, hasLeaf: true })
  run.cluster.network.dial(node, { host: address, port }, (socket) => {
    if (isRefused(socket)) return run.reach('connection refused by the machine')
    socket.handlers = {
      data: () => run.reach('bytes through two sidecars'),
      closed: (ended) => run.reach(`connection ${ended}`),
    }
    socket.resume()
    socket.write(greeting)
    if (how === 'half-closes') socket.end()
    if (how === 'talks') talk(run, socket, greeting, run.world.nowMs + forMs)
    else run.world.after(forMs, () => (how === 'resets' ? socket.reset() : socket.end()))
  })
}

function talk(run: Run, socket: SimSocket, greeting: Uint8Array, untilMs: number): void {
  run.world.after(TALK_EVERY_MS, () => {
    if (!socket.isOpen) return
    if (run.world.nowMs >= untilMs) return socket.end()
    socket.write(greeting)
    talk(run, socket, greeting, untilMs)
  })
}
