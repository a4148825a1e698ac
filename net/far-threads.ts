import { NO_SERVERS, serverPeer, serverRole } from '../src/kernel/far.ts'
import type { Host } from '../src/kernel/host.ts'
import { type Result, refuse } from '../src/kernel/refusal.ts'
import type { Role } from '../src/placement.ts'

/** What a thread says to the one that has the links to other agents. Channels that a thread opens have odd numbers. */
export type ToLinks =
  /** `server`: which server was in use when a channel was opened to that, by its number. */
  { far: 'open'; channel: number; peer: string; server: number } | { far: 'batch'; channel: number; batch: Uint8Array<ArrayBuffer> }

/** What it hears. Channels that another agent has opened have even numbers. */
export type FromLinks =
  | { far: 'asked'; channel: number; peer: string }
  | { far: 'batch'; channel: number; batch: Uint8Array }
  | { far: 'lost'; channel: number; why: string }
  /** From now on another server is in use; 0: none. */
  | { far: 'server'; server: number; why: string }

export type FarThread = {
  /** A way to a peer on another agent, opened with the first batch. */
  reach(peer: string): Result<(batch: Uint8Array<ArrayBuffer>) => void>
  take(message: FromLinks): void
  /** Where the links are. */
  attach(post: (message: ToLinks) => void): void
  /** Whoever had the links is gone, and all links with it. */
  detach(why: string): void
}

/** Roles of a server's threads that feeds come from: these are linked at once. */
const ASKED: readonly Role[] = ['state', 'edge']

/** The end of all links to other agents on one thread. */
export function createFarThread(host: () => Pick<Host, 'connect' | 'disconnect' | 'receive'>): FarThread {
  const peers = new Map<number, string>()
  const channels = new Map<string, number>()
  let post: ((message: ToLinks) => void) | undefined
  let last = -1
  let server = 0

  /** A channel that begins with its first batch. */
  function lazily(peer: string): (batch: Uint8Array<ArrayBuffer>) => void {
    const channel = (last += 2)
    const wanted = server
    let isOpen = false
    note(channel, peer)
    return (batch) => {
      if (!peers.has(channel)) return
      if (!isOpen) post?.({ far: 'open', channel, peer, server: wanted })
      isOpen = true
      post?.({ far: 'batch', channel, batch })
    }
  }

  function note(channel: number, peer: string): void {
    peers.set(channel, peer)
    channels.set(peer, channel)
  }

  function lose(channel: number, why: string): void {
    const peer = peers.get(channel)
    if (peer === undefined) return
    peers.delete(channel)
    if (channels.get(peer) !== channel) return
    channels.delete(peer)
    host().disconnect(peer, why)
  }

  function use(next: number, why: string): void {
    server = next
    for (const [peer, channel] of [...channels]) if (serverRole(peer) !== undefined) lose(channel, why)
    if (next !== 0) for (const role of ASKED) host().connect(serverPeer(role), lazily(serverPeer(role)))
  }

  return {
    reach(peer) {
      if (post === undefined) return refuse('gone', 'this agent has no links to others')
      if (serverRole(peer) !== undefined && server === 0) return refuse('gone', NO_SERVERS)
      return lazily(peer)
    },
    take(message) {
      switch (message.far) {
        case 'asked': {
          const { channel, peer } = message
          note(channel, peer)
          return host().connect(peer, (batch) => {
            if (peers.has(channel)) post?.({ far: 'batch', channel, batch })
          })
        }
        case 'batch': {
          const peer = peers.get(message.channel)
          if (peer !== undefined) host().receive(peer, message.batch)
          return
        }
        case 'lost':
          return lose(message.channel, message.why)
        case 'server':
          return use(message.server, message.why)
      }
    },
    attach(next) {
      post = next
    },
    detach(why) {
      post = undefined
      server = 0
      for (const channel of [...peers.keys()]) lose(channel, why)
    },
  }
}
