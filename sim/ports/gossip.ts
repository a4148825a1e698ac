import { Packr } from 'msgpackr'
import { readGossipKey } from '../../src/gossip-key.ts'
import type { Device, GossipAddress, GossipEvent, GossipFigures, GossipOutcome, GossipRequest } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { travelled } from '../../src/kernel/wire.ts'
import type { SimNetwork } from './network.ts'
import type { SimSocket } from './socket.ts'

export type SimGossipOptions = {
  network: SimNetwork
  node: string
  /** Its own id, proven to everybody. */
  peer: string
  /** Calls `work` once on the thread of the device, `ms` from now. */
  later(ms: number, work: () => void): void
  /** `packed`: everything makes the journey through the codec. `weighed`: only its size is taken. `shared`: neither, for many members. */
  messages: 'packed' | 'weighed' | 'shared'
  /** A connection may come to be between this node and another one. */
  meets?(other: string): void
  /** A message leaves. */
  sent?(message: object): void
}

export type SimGossip = Device<GossipRequest, GossipOutcome, GossipEvent> & {
  /** Counted at the sender, what is passed on for others too. Bytes: packed, with the frames around them, without TCP's. */
  readonly sent: { messages: number; bytes: number }
  readonly connections: number
  /** Ends without a word, as when the process is killed. */
  close(): void
}

/** What peers say to each other before they are peers, and then. */
type Frame =
  | { is: 'identity'; peer: string; keys: readonly string[] }
  | { is: 'message'; message: object; bytes: number }
  | { is: 'published'; id: string; from: string; topic: string; message: object; bytes: number }

/** A frame before its message was weighed. */
type Written = Omit<Extract<Frame, { is: 'message' }>, 'bytes'> | Omit<Extract<Frame, { is: 'published' }>, 'bytes'>

type Standing = { sockets: SimSocket[]; dialled: Set<string> }

const DIAL_MS_MAX = 10_000
const MESSAGE_BYTES_MAX = 65_536
/** Length, yamux and noise around one message. */
const FRAME_BYTES = 4 + 12 + 18
const SEEN_MAX = 8_192
const NOTHING: GossipFigures = { messagesOut: 0, bytesOut: 0, messagesIn: 0, bytesIn: 0 }
const packr = new Packr({ useRecords: false, moreTypes: false })

/** The network of agents in simulated time, over TCP of the simulated network. What is published floods over all connections. */
export function createSimGossip({ network, node, peer: own, later, messages, meets, sent: told }: SimGossipOptions): SimGossip {
  const standing = new Map<string, Standing>()
  const topics = new Set<string>()
  const seen = new Set<string>()
  const sent = { messages: 0, bytes: 0 }
  const counted: GossipFigures = { ...NOTHING }
  let keys: readonly string[] = []
  let event: ((event: GossipEvent) => void) | undefined
  let unlisten: (() => void) | undefined
  let published = 0
  let life = 0

  function listen(
    { address, port, keys: given }: Extract<GossipRequest, { do: 'listen' }>,
    on: (event: GossipEvent) => void,
  ): Result<GossipOutcome> {
    close()
    Object.assign(counted, NOTHING)
    const bad = keyFault(given)
    if (bad !== undefined) return refuse('invalid', bad)
    keys = given
    const listening = network.listen(node, address, port, (socket) => greet(socket, undefined, () => undefined))
    if (isRefused(listening)) return listening
    unlisten = listening.close
    event = on
    return { peer: own, port: listening.port }
  }

  /** Says who this is, and learns who the other end is. `settled` is called once. */
  function greet(socket: SimSocket, dialled: string | undefined, settled: (outcome: Result<GossipOutcome>) => void): void {
    const born = life
    let peer: string | undefined
    meets?.(socket.remote.node)
    socket.handlers = {
      hello: (content) =>
        later(0, () => {
          if (born !== life) return
          const frame = content as Frame
          if (peer !== undefined) return take(peer, frame)
          if (frame.is !== 'identity') return socket.reset()
          const fault = frame.peer === own ? 'it is this agent itself' : keysFault(keys, frame.keys)
          if (fault !== undefined) {
            const why = strangeness(keys, frame.keys)
            if (dialled === undefined && why !== undefined) event?.({ did: 'refused', who: socket.remote.address, why, times: 1 })
            settled(refuse('gone', fault))
            return socket.end()
          }
          peer = frame.peer
          stand(peer, socket, dialled)
          settled({ peer })
        }),
      end: () => socket.end(),
      closed: (how) =>
        later(0, () => {
          if (born !== life) return
          if (peer === undefined) settled(refuse('gone', `the connection ended: ${how}`))
          else fall(peer, socket, `the connection ended: ${how}`)
        }),
    }
    socket.resume()
    const identity: Frame = { is: 'identity', peer: own, keys }
    socket.hello(identity)
  }

  function dial(addresses: readonly GossipAddress[], done: (outcome: Result<GossipOutcome>) => void, whys: string[] = []): void {
    const [address, ...rest] = addresses
    if (address === undefined) return done(refuse('gone', whys.join('; ') || 'no address is given'))
    const text = `${address.host}:${address.port}`
    for (const [peer, { dialled }] of standing) if (dialled.has(text)) return done({ peer })
    const born = life
    let isOver = false
    const settled = (outcome: Result<GossipOutcome>) => {
      if (isOver || born !== life) return
      isOver = true
      if (isRefused(outcome)) dial(rest, done, [...whys, `${text}: ${outcome.why}`])
      else done(outcome)
    }
    const giveUp = network.dial(node, address, (socket) =>
      later(0, () => {
        if (isRefused(socket)) settled(socket)
        else if (isOver || born !== life) socket.reset()
        else if (socket.isOpen) greet(socket, text, settled)
        else settled(refuse('gone', 'connection reset by peer'))
      }),
    )
    later(DIAL_MS_MAX, () => {
      if (isOver) return
      giveUp()
      settled(refuse('gone', 'i/o timeout'))
    })
  }

  function stand(peer: string, socket: SimSocket, dialled: string | undefined): void {
    const found = standing.get(peer) ?? { sockets: [], dialled: new Set() }
    standing.set(peer, found)
    found.sockets.push(socket)
    if (dialled !== undefined) found.dialled.add(dialled)
    if (found.sockets.length === 1) connected(peer, socket)
  }

  function connected(peer: string, { remote: { address: host, port } }: SimSocket): void {
    event?.({ did: 'connected', peer, address: { host, port } })
  }

  /** Goes on over another connection with that peer if there is one. */
  function fall(peer: string, socket: SimSocket, why: string): void {
    const found = standing.get(peer)
    const at = found?.sockets.indexOf(socket) ?? -1
    if (found === undefined || at < 0) return
    found.sockets.splice(at, 1)
    if (found.sockets.length === 0) standing.delete(peer)
    if (at > 0) return
    event?.({ did: 'disconnected', peer, why })
    if (found.sockets[0] !== undefined) connected(peer, found.sockets[0])
  }

  function hangUp(peer: string, why: string): Result<GossipOutcome> {
    const found = standing.get(peer)
    if (found === undefined) return refuse('gone', `there is no connection to ${peer}`)
    standing.delete(peer)
    for (const socket of found.sockets) socket.end()
    event?.({ did: 'disconnected', peer, why })
    return {}
  }

  function write(peer: string, frame: Written): Result<GossipOutcome> {
    const socket = standing.get(peer)?.sockets[0]
    if (!socket?.isOpen) return refuse('gone', `there is no connection to ${peer}`)
    const bytes = messages === 'shared' ? 0 : packr.pack(frame.message).byteLength
    if (bytes > MESSAGE_BYTES_MAX) return tooLarge(bytes)
    sent.messages++
    sent.bytes += bytes + FRAME_BYTES
    counted.messagesOut++
    counted.bytesOut += bytes
    told?.(frame.message)
    const written: Frame = { ...frame, bytes, message: messages === 'packed' ? travelled(frame.message) : frame.message }
    socket.hello(written)
    return {}
  }

  function take(from: string, frame: Frame): void {
    if (frame.is === 'message') received(frame.bytes)
    if (frame.is === 'message') event?.({ did: 'message', from, message: frame.message })
    if (frame.is !== 'published' || isSeen(frame.id)) return
    for (const peer of standing.keys()) if (peer !== from) write(peer, frame)
    if (!topics.has(frame.topic)) return
    received(frame.bytes)
    event?.({ did: 'published', from: frame.from, topic: frame.topic, message: frame.message })
  }

  function received(bytes: number): void {
    counted.messagesIn++
    counted.bytesIn += bytes
  }

  function isSeen(id: string): boolean {
    if (seen.has(id)) return true
    seen.add(id)
    if (seen.size > SEEN_MAX) seen.delete(seen.values().next().value as string)
    return false
  }

  function publish(topic: string, message: object): Result<GossipOutcome> {
    const bytes = messages === 'shared' ? 0 : packr.pack(message).byteLength
    if (bytes > MESSAGE_BYTES_MAX) return tooLarge(bytes)
    const id = `${own}/${life}/${++published}`
    seen.add(id)
    for (const peer of standing.keys()) write(peer, { is: 'published', id, from: own, topic, message })
    return {}
  }

  function close(): void {
    life++
    unlisten?.()
    unlisten = undefined
    event = undefined
    for (const { sockets } of standing.values()) for (const socket of sockets) socket.vanish()
    standing.clear()
  }

  return {
    sent,
    get connections() {
      return standing.size
    },
    close,
    perform(request, done, on) {
      const soon = (outcome: Result<GossipOutcome>) => later(0, () => done(outcome))
      if (request.do === 'listen') return soon(listen(request, on))
      if (event === undefined) return soon(refuse('gone', 'it does not listen'))
      switch (request.do) {
        case 'dial':
          return dial(request.addresses, soon)
        case 'hang-up':
          return soon(hangUp(request.peer, request.why))
        case 'send':
          return done(write(request.peer, { is: 'message', message: request.message }))
        case 'join-topic':
          topics.add(request.topic)
          return soon({})
        case 'publish':
          return soon(publish(request.topic, request.message))
        case 'figures':
          return soon({ figures: { ...counted } })
        case 'keys': {
          const bad = keyFault(request.keys)
          if (bad === undefined) keys = request.keys
          return soon(bad === undefined ? {} : refuse('invalid', bad))
        }
      }
    },
  }
}

function tooLarge(bytes: number): Result<GossipOutcome> {
  return refuse('invalid', `a message has ${bytes} bytes, ${MESSAGE_BYTES_MAX} are allowed`)
}

function keyFault(keys: readonly string[]): string | undefined {
  const bad = keys.map(readGossipKey).find((read) => typeof read === 'string')
  return bad === undefined ? undefined : `no key: ${bad}`
}

/** Why somebody who has dialled is refused, in words for this agent's log. */
function strangeness(own: readonly string[], other: readonly string[]): string | undefined {
  if (keysFault(own, other) === undefined) return undefined
  if (other.length === 0) return 'it has no key'
  return own.length === 0 ? 'it has a key, and this agent has none' : 'it has none of the keys of this agent'
}

/** What whoever has dialled is told. */
function keysFault(own: readonly string[], other: readonly string[]): string | undefined {
  if (own.length === 0 && other.length === 0) return undefined
  if (own.length === 0) return 'its gossip is encrypted, and this agent has no key: "encrypt" is missing here'
  if (other.length === 0) return 'its gossip is not encrypted, and that of this agent is: "encrypt" is missing there'
  return own.some((key) => other.includes(key)) ? undefined : 'it has none of the keys of this agent: "encrypt" differs'
}
