import { chosenPeer, isFromAbroad, NO_PATH, NO_SERVERS, readChosenPeer } from './kernel/far.ts'
import type { Host } from './kernel/host.ts'
import { type Result, refuse } from './kernel/refusal.ts'
import type { Role } from './placement.ts'

/** What a thread says to the one that has the links to other agents. Channels that a thread opens have odd numbers. */
export type ToLinks =
  /** `server`: which server was in use when a channel was opened to that, by its number. */
  { far: 'open'; channel: number; peer: string; server: number } | { far: 'batch'; channel: number; batch: Uint8Array<ArrayBuffer> }

/** What it hears. Channels that another agent has opened have even numbers. */
export type FromLinks =
  | { far: 'asked'; channel: number; peer: string }
  | { far: 'batch'; channel: number; batch: Uint8Array }
  | { far: 'lost'; channel: number; why: string }
  /** From now on another server of that datacenter is in use; 0: none. '' is the own datacenter. */
  | { far: 'server'; datacenter: string; server: number; why: string }

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
  /** The servers in use, by datacenter, and why there is none. */
  const servers = new Map<string, number>()
  const whys = new Map<string, string>()

  /** A channel that begins with its first batch. */
  function lazily(peer: string): (batch: Uint8Array<ArrayBuffer>) => void {
    const channel = (last += 2)
    const wanted = serverOf(peer)
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

  /** 0: there is none, or none is needed. */
  function serverOf(peer: string): number {
    const chosen = readChosenPeer(peer)
    return chosen === undefined ? 0 : (servers.get(chosen.datacenter) ?? 0)
  }

  function use({ datacenter, server, why }: Extract<FromLinks, { far: 'server' }>): void {
    servers.set(datacenter, server)
    whys.set(datacenter, why)
    for (const [peer, channel] of [...channels]) if (readChosenPeer(peer)?.datacenter === datacenter) lose(channel, why)
    if (server === 0) return
    for (const role of ASKED) host().connect(chosenPeer(datacenter, role), lazily(chosenPeer(datacenter, role)))
  }

  /** Why whoever is chosen in a datacenter cannot be asked. */
  function nobodyIn(datacenter: string): string {
    if (datacenter === '') return NO_SERVERS
    return whys.get(datacenter) || NO_PATH
  }

  return {
    reach(peer) {
      if (post === undefined) return refuse('gone', isFromAbroad(peer) ? NO_PATH : 'this agent has no links to others')
      const chosen = readChosenPeer(peer)
      if (chosen !== undefined && serverOf(peer) === 0) return refuse('gone', nobodyIn(chosen.datacenter))
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
          return use(message)
      }
    },
    attach(next) {
      post = next
    },
    detach(why) {
      post = undefined
      servers.clear()
      whys.clear()
      for (const channel of [...peers.keys()]) lose(channel, why)
    },
  }
}
