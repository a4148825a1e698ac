import type { PrivateKey, Stream } from '@libp2p/interface'
import { createComplaints } from '../../src/complaints.ts'
import type { Device, GossipAddress, GossipEvent, GossipOutcome, GossipRequest } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { Peers } from './peers.ts'

export type GossipOptions = {
  /** Where this agent's key is kept; undefined: it is a new peer with each device. */
  dataDirectory: string | undefined
  /** The file of that key. Default: that of the pool of the datacenter. */
  identityName?: string
  /** Takes streams for links that peers open. Default: they are refused. */
  acceptLink?: (peer: string, stream: Stream) => void
  /** For how often somebody is complained about; any start. */
  monotonicMs?: () => number
}

export type GossipDevice = Device<GossipRequest, GossipOutcome, GossipEvent> & {
  /** A stream for a link to another agent, over a connection of its own. */
  openLink(peer: string, address: GossipAddress): Promise<Result<Stream>>
  /** Ends every connection. */
  close(): Promise<void>
}

type Open = { peers: Peers; changeKeys(keys: readonly string[]): Result<null> }

/** The network of agents over libp2p: TCP, Noise, yamux and gossipsub. All of that is loaded by the first `listen`. */
export function createGossip({
  dataDirectory,
  identityName,
  acceptLink,
  monotonicMs = () => performance.now(),
}: GossipOptions): GossipDevice {
  let open: Open | undefined
  /** Follows every opening and closing that was asked for: one at a time, in order. */
  let turn: Promise<void> = Promise.resolve()
  /** How many of them are under way. What is asked for meanwhile waits. */
  let turns = 0
  let identity: Promise<PrivateKey> | undefined
  /** Of how many openings: only the newest is heard. */
  let openings = 0

  async function listen(request: Asked<'listen'>, event: (event: GossipEvent) => void): Promise<Result<Open>> {
    const [{ openIdentity }, { createNetwork }, { openPeers }] = await Promise.all([
      import('./identity.ts'),
      import('./network-keys.ts'),
      import('./peers.ts'),
    ])
    const complain = createComplaints((complaint) => event({ did: 'refused', ...complaint }), monotonicMs)
    const network = createNetwork(complain)
    const changed = network.replace(request.keys)
    if (isRefused(changed)) return changed
    // What could not be read may have been restored.
    identity ??= openIdentity(dataDirectory, identityName).catch((error: unknown) => {
      identity = undefined
      throw error
    })
    const peers = await openPeers({
      ...request,
      privateKey: await identity,
      network,
      events: {
        connected: (peer, address) => event({ did: 'connected', peer, address }),
        disconnected: (peer, why) => event({ did: 'disconnected', peer, why }),
        link: acceptLink ?? ((_peer, stream) => stream.abort(new Error('this agent has no links'))),
        message: (from, message) => event({ did: 'message', from, message }),
        published: (from, topic, message) => event({ did: 'published', from, topic, message }),
        garbage: complain,
      },
    })
    return isRefused(peers) ? peers : { peers, changeKeys: network.replace }
  }

  function begin(request: Asked<'listen'>, event: (event: GossipEvent) => void): Promise<Result<GossipOutcome>> {
    const opening = ++openings
    const opened = turn.then(async (): Promise<Result<GossipOutcome>> => {
      await end()
      const result = await listen(request, (one) => {
        if (opening === openings) event(one)
      }).catch((error: unknown) => refuse('conflict', error instanceof Error ? error.message : String(error)))
      if (isRefused(result)) return result
      open = result
      return { peer: result.peers.peer, port: result.peers.port }
    })
    void take(opened)
    return opened
  }

  async function end(): Promise<void> {
    const before = open
    open = undefined
    await before?.peers.close()
  }

  function take(work: Promise<unknown>): Promise<void> {
    turns++
    turn = work.then(() => {
      turns--
    })
    return turn
  }

  const perform: GossipDevice['perform'] = (request, done, event) => {
    if (request.do === 'listen') return later(begin(request, event), done)
    if (turns > 0) return void turn.then(() => perform(request, done, event))
    if (open === undefined) return done(refuse('gone', 'gossip does not listen'))
    const { peers, changeKeys } = open
    switch (request.do) {
      case 'dial':
        return later(
          peers.dial(request.addresses).then((peer) => (isRefused(peer) ? peer : { peer })),
          done,
        )
      case 'hang-up':
        return done(settled(peers.hangUp(request.peer, request.why)))
      case 'send':
        return done(settled(peers.send(request.peer, request.message)))
      case 'join-topic':
        return done(settled(peers.joinTopic(request.topic)))
      case 'publish':
        return later(peers.publish(request.topic, request.message).then(settled), done)
      case 'figures':
        return done({ figures: peers.figures() })
      case 'keys':
        return done(settled(changeKeys(request.keys)))
    }
  }

  return {
    perform,
    openLink: async (peer, address) => open?.peers.openLink(peer, address) ?? refuse('gone', 'gossip does not listen'),
    close() {
      openings++
      return take(turn.then(end))
    },
  }
}

type Asked<Do extends GossipRequest['do']> = Extract<GossipRequest, { do: Do }>

function settled(result: Result<null>): Result<GossipOutcome> {
  return isRefused(result) ? result : {}
}

function later(outcome: Promise<Result<GossipOutcome>>, done: (outcome: Result<GossipOutcome>) => void): void {
  void outcome.then(done)
}
