/**
 * The network of agents: peers, connections and bytes. It decides nothing. A peer is named by its id, which is proven by its key in every
 * connection; this agent's own key is kept by the device. Messages are plain objects of at most 64 KB. What is sent arrives once and in
 * order, unless the connection ends: then what was under way is lost. Events go to the `event` function that came with `listen`.
 */
export type GossipRequest =
  /** Opens this agent's end, on an IP address (0.0.0.0 or :: for all). `keys`: those of the private network, 16, 24 or 32 bytes in
   * Base64, the one in use first; none for a network that is open to all. Port 0 lets the system choose. The outcome carries `peer`
   * (its own) and `port`. Asked again it begins anew: all connections end, and only the new request hears of events. `conflict`: the
   * port is taken. Everything else is refused with `gone` before. */
  | { do: 'listen'; address: string; port: number; keys: string[] }
  /** Connects to whoever is there, trying one address after the other; to a peer that is connected already, nothing happens. The
   * outcome carries `peer`. `gone` with each address and what was wrong there, a key that differs, too. */
  | { do: 'dial'; addresses: GossipAddress[] }
  /** Ends the connection to a peer after what was sent before. `why` goes to the log of whoever asked. */
  | { do: 'hang-up'; peer: string; why: string }
  /** `gone`: there is no connection. `busy`: too much waits for this peer already. Done says nothing of its arrival. */
  | { do: 'send'; peer: string; message: object }
  /** From now on, what others publish in this topic is told. */
  | { do: 'join-topic'; topic: string }
  /** To all peers that have joined the topic, passed on by them to theirs. Not to itself. May be lost. */
  | { do: 'publish'; topic: string; message: object }
  /** Other keys of the private network for all later connections, in place of those before. Connections that are open stay. Two peers
   * connect when they have a key in common, whichever is in use. An agent with a data directory has them again when it is started
   * again, whatever keys `listen` is given then. `invalid` if one is no key, `busy` if they cannot be kept. */
  | { do: 'keys'; keys: string[] }
  /** How much has passed since `listen`. */
  | { do: 'figures' }
/** Messages to and from peers, and what was published by this agent or told to it; their bytes, packed, without what the network adds. */
export type GossipFigures = { messagesOut: number; bytesOut: number; messagesIn: number; bytesIn: number }
/** `host`: an IP address or a name. */
export type GossipAddress = { host: string; port: number }
/** Each request fills what it is asked for. */
export type GossipOutcome = {
  peer?: string
  port?: number
  /** Of `listen`: those that hold, if not those that were given. */
  keys?: string[]
  figures?: GossipFigures
}
export type GossipEvent =
  /** By either side. It can be sent to from now on. `address`: the other end of the connection, so after having been dialled its port
   * is not one that it listens on. */
  | { did: 'connected'; peer: string; address: GossipAddress }
  | { did: 'disconnected'; peer: string; why: string }
  | { did: 'message'; from: string; message: object }
  /** `from`: who published it, proven by a signature. */
  | { did: 'published'; from: string; topic: string; message: object }
  /** Somebody was refused, or what a peer sent was dropped. `who` is a peer or, before it was known, an IP address. Said at most once a
   * minute for each; `times`: how often since it was said last. */
  | { did: 'refused'; who: string; why: string; times: number }
