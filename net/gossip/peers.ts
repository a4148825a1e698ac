import { isIP } from 'node:net'
import { type GossipSub, gossipsub } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import type { Connection, Libp2p, PrivateKey, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { GossipAddress, GossipFigures } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { MESSAGE_BYTES_MAX, packMessage, readMessages, sendMessage, unpackMessage } from './messages.ts'
import type { createNetwork } from './network-keys.ts'

export type PeersOptions = {
  privateKey: PrivateKey
  /** An IP address; 0.0.0.0 or :: for all. Port 0 lets the system choose. */
  address: string
  port: number
  network: ReturnType<typeof createNetwork>
  events: PeerEvents
}

/** Peers by their ids, as text. */
export type PeerEvents = {
  /** From now on it can be sent to. `address`: that of the other end of the connection. */
  connected(peer: string, address: GossipAddress): void
  disconnected(peer: string, why: string): void
  message(peer: string, message: object): void
  /** A peer has opened a stream for a link between agents. */
  link(peer: string, stream: Stream): void
  /** `from`: who published it, proven by its signature. */
  published(from: string, topic: string, message: object): void
  /** A peer did or sent what nobody may. */
  garbage(peer: string, why: string): void
}

export type Peers = {
  readonly peer: string
  readonly port: number
  /** A connection to whoever is there, the standing one if there is one. Tries one address after the other. */
  dial(addresses: readonly GossipAddress[]): Promise<Result<string>>
  hangUp(peer: string, why: string): Result<null>
  send(peer: string, message: object): Result<null>
  /** Refused with `busy` when the queues to its neighbours are full. */
  publish(topic: string, message: object): Promise<Result<null>>
  joinTopic(topic: string): Result<null>
  figures(): GossipFigures
  /** A stream for a link between agents, over a connection of its own, so that large answers keep no small message waiting. It ends with that. */
  openLink(peer: string, address: GossipAddress): Promise<Result<Stream>>
  close(): Promise<void>
}

const PROTOCOL = '/tribune/messages/1'
const LINKS_PROTOCOL = '/tribune/links/1'
const DIAL_MS_MAX = 10_000
const STREAM_MS_MAX = 5_000
const PART_MS_MAX = 1_000
/** Whoever connects and opens no stream of ours is cut off after this. */
const SILENT_MS_MAX = 10_000
/** More connections than this are refused: each member keeps to a few neighbours, and a server has a link with each client that uses it. */
const CONNECTIONS_MAX = 8_192
/** From one address in one second: agents on one machine join together. */
const INBOUND_PER_SECOND_MAX = 100
const INBOUND_PENDING_MAX = 64
const QUEUED_BYTES_MAX = 1_048_576

type Standing = { stream: Stream; connection: Connection }

/** Opens this agent's end of the network. Refused with `conflict` when it cannot listen there. */
export async function openPeers({ privateKey, address, port, network, events }: PeersOptions): Promise<Result<Peers>> {
  const node = await createLibp2p({
    privateKey,
    start: false,
    addresses: { listen: [multiaddrOf({ host: address, port })] },
    transports: [tcp({ backlog: INBOUND_PENDING_MAX, maxConnections: CONNECTIONS_MAX })],
    connectionProtector: network.protector,
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    connectionManager: {
      maxConnections: CONNECTIONS_MAX,
      inboundConnectionThreshold: INBOUND_PER_SECOND_MAX,
      maxIncomingPendingConnections: INBOUND_PENDING_MAX,
      dialTimeout: DIAL_MS_MAX,
      reconnectRetries: 0,
    },
    services: {
      identify: identify({ runOnConnectionOpen: true }),
      pubsub: gossipsub({
        allowPublishToZeroTopicPeers: true,
        emitSelf: false,
        doPX: false,
        fallbackToFloodsub: false,
        maxInboundDataLength: MESSAGE_BYTES_MAX,
        maxOutboundBufferSize: QUEUED_BYTES_MAX,
        globalSignaturePolicy: 'StrictSign',
      }),
    },
  })
  const standing = new Map<string, Standing>()
  /** Opening a stream, by peer: one at a time. */
  const opening = new Map<string, Promise<Result<string>>>()
  const reasons = new Map<string, string>()
  /** Connections over which messages go, and those that are for links. */
  const talking = new WeakSet<Connection>()
  const linking = new WeakSet<Connection>()
  let closing = false
  const counted: GossipFigures = { messagesOut: 0, bytesOut: 0, messagesIn: 0, bytesIn: 0 }

  function sent(bytes: number): void {
    counted.messagesOut++
    counted.bytesOut += bytes
  }

  function received(bytes: number): void {
    counted.messagesIn++
    counted.bytesIn += bytes
  }

  /** The stream over which this agent sends to a peer. */
  function stand(connection: Connection): Promise<Result<string>> {
    const peer = connection.remotePeer.toString()
    if (!linking.has(connection)) talking.add(connection)
    if (standing.has(peer)) return Promise.resolve(peer)
    const already = opening.get(peer)
    if (already !== undefined) return already
    const begun = open(peer, connection).finally(() => opening.delete(peer))
    opening.set(peer, begun)
    return begun
  }

  async function open(peer: string, connection: Connection): Promise<Result<string>> {
    try {
      const stream = await connection.newStream(PROTOCOL, { signal: AbortSignal.timeout(STREAM_MS_MAX) })
      stream.addEventListener('close', () => fallen(peer, stream))
      standing.set(peer, { stream, connection })
      events.connected(peer, addressOf(connection.remoteAddr))
      return peer
    } catch (error) {
      const why = messageOf(error)
      if (connection.status === 'open') events.garbage(peer, `it takes no messages: ${why}`)
      end(connection, 'it takes no messages')
      return refuse('gone', why)
    }
  }

  /** Goes on over another connection to that peer if there is one. */
  function fallen(peer: string, stream: Stream): void {
    const before = standing.get(peer)
    if (before?.stream !== stream) return
    standing.delete(peer)
    const why = reasons.get(peer) ?? 'the connection ended'
    reasons.delete(peer)
    events.disconnected(peer, why)
    // Later: this may be in the middle of the connection's own end.
    setImmediate(() => {
      end(before.connection, 'its stream of messages ended')
      const other = closing
        ? undefined
        : node.getConnections(before.connection.remotePeer).find((one) => one.status === 'open' && talking.has(one))
      if (other !== undefined) void stand(other)
    })
  }

  function receive(stream: Stream, connection: Connection): void {
    const peer = connection.remotePeer.toString()
    if (!closing) void stand(connection)
    readMessages(stream, {
      message(bytes) {
        received(bytes.length)
        const message = unpackMessage(bytes)
        if (isRefused(message)) events.garbage(peer, message.why)
        else events.message(peer, message)
      },
      fault(why) {
        events.garbage(peer, why)
        end(connection, why)
      },
    })
  }

  /** A connection for a link ends with that. */
  function carry(stream: Stream, connection: Connection): void {
    linking.add(connection)
    stream.addEventListener('close', () => {
      if (!talking.has(connection)) setImmediate(() => end(connection, 'its link ended'))
    })
  }

  async function openLink(peer: string, address: GossipAddress): Promise<Result<Stream>> {
    const signal = AbortSignal.timeout(DIAL_MS_MAX)
    let connection: Connection | undefined
    try {
      connection = await node.dial(multiaddr(`${multiaddrOf(address)}/p2p/${peer}`), { signal, force: true })
      linking.add(connection)
      const stream = await connection.newStream(LINKS_PROTOCOL, { signal })
      carry(stream, connection)
      return stream
    } catch (error) {
      if (connection && !talking.has(connection)) end(connection, 'it takes no link')
      return refuse('gone', `${shown(address)}: ${messageOf(error)}`)
    }
  }

  await node.handle(PROTOCOL, receive, { maxInboundStreams: 2, maxOutboundStreams: 2 })
  await node.handle(LINKS_PROTOCOL, (stream, connection) => {
    carry(stream, connection)
    events.link(connection.remotePeer.toString(), stream)
  })
  node.addEventListener('connection:open', ({ detail: connection }) => {
    if (connection.direction === 'outbound') return
    const timer = setTimeout(() => {
      if (!talking.has(connection) && !linking.has(connection)) end(connection, 'it has opened no stream')
    }, SILENT_MS_MAX)
    timer.unref()
  })
  node.services.pubsub.addEventListener('message', ({ detail }) => {
    if (detail.type !== 'signed') return
    const from = detail.from.toString()
    received(detail.data.length)
    const message = unpackMessage(detail.data)
    if (isRefused(message)) events.garbage(from, message.why)
    else events.published(from, detail.topic, message)
  })
  try {
    await node.start()
  } catch (error) {
    await node.stop()
    return refuse('conflict', `gossip cannot listen on ${address} port ${port}: ${messageOf(error)}`)
  }

  return {
    peer: node.peerId.toString(),
    port: node.getMultiaddrs().map(addressOf)[0]?.port ?? port,
    dial: (addresses) => dial(node, addresses, stand, linking),
    openLink,
    hangUp(peer, why) {
      if (!standing.has(peer)) return refuse('gone', `there is no connection to ${peer}`)
      reasons.set(peer, why)
      for (const connection of node.getConnections(peerIdFromString(peer))) if (talking.has(connection)) void part(connection, why)
      return null
    },
    send(peer, message) {
      const found = standing.get(peer)
      if (found === undefined) return refuse('gone', `there is no connection to ${peer}`)
      const packed = packMessage(message)
      if (isRefused(packed)) return packed
      const result = sendMessage(found.stream, packed)
      if (!isRefused(result)) sent(packed.length)
      return result
    },
    publish: (topic, message) => publish(node, topic, message, sent),
    joinTopic(topic) {
      node.services.pubsub.subscribe(topic)
      return null
    },
    figures: () => ({ ...counted }),
    async close() {
      closing = true
      await node.stop()
    },
  }
}

/** Ends a connection after what was sent over it. */
async function part(connection: Connection, why: string): Promise<void> {
  try {
    await connection.close({ signal: AbortSignal.timeout(PART_MS_MAX) })
  } catch (error) {
    end(connection, `${why}: ${messageOf(error)}`)
  }
}

function end(connection: Connection, why: string): void {
  if (connection.status === 'open' || connection.status === 'closing') connection.abort(new Error(why))
}

type Node = Libp2p<{ identify: Identify; pubsub: GossipSub }>

async function dial(
  node: Node,
  addresses: readonly GossipAddress[],
  stand: (connection: Connection) => Promise<Result<string>>,
  linking: WeakSet<Connection>,
): Promise<Result<string>> {
  const whys: string[] = []
  for (const address of addresses) {
    try {
      const to = multiaddr(multiaddrOf(address))
      // A connection for a link to the same place would be taken for the one that is asked for.
      const force = node.getConnections().some((one) => linking.has(one) && one.remoteAddr.equals(to))
      const connection = await node.dial(to, { signal: AbortSignal.timeout(DIAL_MS_MAX), force })
      const peer = await stand(connection)
      if (!isRefused(peer)) return peer
      whys.push(`${shown(address)}: ${peer.why}`)
    } catch (error) {
      whys.push(`${shown(address)}: ${messageOf(error)}`)
    }
  }
  return refuse('gone', whys.join('; ') || 'no address is given')
}

async function publish(node: Node, topic: string, message: object, sent: (bytes: number) => void): Promise<Result<null>> {
  const packed = packMessage(message)
  if (isRefused(packed)) return packed
  try {
    await node.services.pubsub.publish(topic, packed)
    sent(packed.length)
    return null
  } catch (error) {
    return refuse('busy', messageOf(error))
  }
}

/** The innermost reasons, each once: libp2p wraps what each address answered. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return [...new Set(error.errors.map(messageOf))].join('; ')
  return error instanceof Error ? error.message : String(error)
}

function multiaddrOf({ host, port }: GossipAddress): string {
  const family = isIP(host)
  return family === 0 ? `/dns/${host}/tcp/${port}` : `/ip${family}/${host}/tcp/${port}`
}

function addressOf(address: Multiaddr): GossipAddress {
  const parts = address.getComponents()
  const host = parts.find(({ name }) => name === 'ip4' || name === 'ip6')?.value ?? ''
  return { host, port: Number(parts.find(({ name }) => name === 'tcp')?.value ?? 0) }
}

function shown({ host, port }: GossipAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
