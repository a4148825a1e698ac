import type { Stream } from '@libp2p/interface'
import { askingPeer, readChosenPeer, readFarPeer } from '../../src/kernel/far.ts'
import type { LinkMember, LinksEvent, LinksOutcome, LinksRequest } from '../../src/kernel/link-ports.ts'
import type { Device, GossipAddress } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { Layout } from '../../src/placement.ts'
import type { FromLinks, ToLinks } from '../far-threads.ts'
import { createComplaints } from './complaints.ts'
import { type Frame, type FrameOptions, type FrameStream, frameStream } from './frames.ts'

export type LinksOptions = FrameOptions & {
  node: string
  /** Which of this agent's threads has which role. */
  layout: Layout
  /** A stream to another agent, over a connection of its own. Refused with `gone`. */
  open(peer: string, address: GossipAddress): Promise<Result<Stream>>
  /** What somebody who asks here is called. Default: an agent of this datacenter. */
  asking?: typeof askingPeer
  monotonicMs?: () => number
  /** A stream may come before it is told that its peer is a member. */
  strangerMs?: number
}

export type Links = Device<LinksRequest, LinksOutcome, LinksEvent> & {
  /** A stream that another agent has opened. */
  accept(peer: string, stream: Stream): void
  /** A thread of this agent, from now on. */
  attach(thread: number, post: (message: FromLinks) => void): void
  /** A thread of this agent is gone. */
  detach(thread: number, why: string): void
  take(thread: number, message: ToLinks): void
  close(): void
}

/** `local`: under which number the thread here knows it. `number`: that on the wire, given by the side that opened it. */
type Channel = {
  thread: number
  local: number
  number: number
  isOwn: boolean
  /** The datacenter of which whichever server is in use was wanted; undefined if that agent was. */
  chosen: string | undefined
  session: Session | undefined
  waiting: Uint8Array[]
}
type Session = { member: LinkMember; stream: FrameStream; own: Map<number, Channel>; theirs: Map<number, Channel> }
type Stranger = { stream: Stream; timer: NodeJS.Timeout }

const STRANGER_MS = 3_000
const STRANGERS_MAX = 64
/** Whoever opens more than this is cut off: each of its threads needs a few. */
const CHANNELS_MAX = 1_024

/** Carries batches between threads of this agent and those of others, over one stream for each pair of agents. */
export function createLinks({
  node,
  layout,
  open,
  asking = askingPeer,
  monotonicMs = () => performance.now(),
  strangerMs = STRANGER_MS,
  ...frames
}: LinksOptions): Links {
  let members = new Map<string, LinkMember>()
  let byPeer = new Map<string, LinkMember>()
  const sessions = new Set<Session>()
  const opening = new Map<string, Promise<Result<Session>>>()
  const strangers = new Map<string, Stranger>()
  const threads = new Map<number, (message: FromLinks) => void>()
  const channels = new Map<string, Channel>()
  let tell: (event: LinksEvent) => void = () => undefined
  const complain = createComplaints((complaint) => tell({ did: 'refused', ...complaint }), monotonicMs)
  /** The servers in use by datacenter, '' being the own one; the newest choices; and why there is none. */
  const used = new Map<string, { number: number; session: Session }>()
  const choices = new Map<string, number>()
  const missing = new Map<string, string>()
  let uses = 0
  let numbers = 0
  let asked = 0
  let turn = 0
  let isClosed = false

  // ---------------------------------------------------------------- other agents

  function begin(member: LinkMember, stream: Stream): Session {
    const session: Session = {
      member,
      own: new Map(),
      theirs: new Map(),
      stream: frameStream(stream, { frame: (frame) => heard(session, frame), ended: (why) => ended(session, why) }, frames),
    }
    sessions.add(session)
    return session
  }

  function ended(session: Session, why: string): void {
    if (!sessions.delete(session)) return
    for (const channel of [...session.own.values(), ...session.theirs.values()]) drop(channel, why)
    for (const [datacenter, { session: before }] of [...used]) {
      if (before !== session) continue
      useNobody(datacenter, why)
      tell({ did: 'lost', node: session.member.node, why, ...(datacenter !== '' && { datacenter }) })
    }
  }

  async function sessionWith(member: LinkMember): Promise<Result<Session>> {
    for (const session of sessions) if (session.member.peer === member.peer) return session
    const already = opening.get(member.peer)
    if (already) return already
    const begun = open(member.peer, { host: member.host, port: member.port })
      .then((stream): Result<Session> => {
        if (isRefused(stream)) return stream
        const known = byPeer.get(member.peer)
        if (known !== undefined && !isClosed) return begin(known, stream)
        stream.abort(new Error('it is no member any more'))
        return refuse('gone', `${member.node} is no member any more`)
      })
      .finally(() => opening.delete(member.peer))
    opening.set(member.peer, begun)
    return begun
  }

  function accept(peer: string, stream: Stream): void {
    const member = byPeer.get(peer)
    if (isClosed) return stream.abort(new Error('this agent ends'))
    if (member) return void begin(member, stream)
    if (strangers.has(peer) || strangers.size >= STRANGERS_MAX) return turnAway(peer, stream)
    const timer = setTimeout(() => {
      strangers.delete(peer)
      turnAway(peer, stream)
    }, strangerMs)
    strangers.set(peer, { stream, timer })
  }

  function turnAway(peer: string, stream: Stream): void {
    complain(peer, 'it wants a link and is no member')
    frameStream(stream, { frame: () => undefined, ended: () => undefined }).bye('you are no member that I know of')
  }

  function know(list: readonly LinkMember[]): void {
    members = new Map(list.map((member) => [member.node, member]))
    byPeer = new Map(list.map((member) => [member.peer, member]))
    for (const session of [...sessions]) {
      if (byPeer.get(session.member.peer)?.node !== session.member.node)
        session.stream.bye('you are no member any more', 'it is no member any more')
    }
    for (const [peer, { stream, timer }] of [...strangers]) {
      if (!byPeer.has(peer)) continue
      clearTimeout(timer)
      strangers.delete(peer)
      accept(peer, stream)
    }
  }

  function heard(session: Session, frame: Frame): void {
    switch (frame.is) {
      case 'open':
        return opened(session, frame)
      case 'batch': {
        const channel = (frame.byOpener ? session.theirs : session.own).get(frame.channel)
        if (channel) post(channel.thread, { far: 'batch', channel: channel.local, batch: frame.batch })
        return
      }
      case 'close': {
        const channel = (frame.byOpener ? session.theirs : session.own).get(frame.channel)
        if (channel) drop(channel, frame.why)
        return
      }
      case 'bye':
        return
    }
  }

  function opened(session: Session, { channel: number, thread: from, role }: Extract<Frame, { is: 'open' }>): void {
    const { member, stream, theirs } = session
    const fault = theirs.has(number) ? 'it opens a channel twice' : theirs.size >= CHANNELS_MAX ? 'it opens too many channels' : undefined
    if (fault !== undefined) {
      complain(member.node, fault)
      return stream.bye(fault)
    }
    const fit = layout.flatMap((roles, thread) => ((roles as readonly string[]).includes(role) && threads.has(thread) ? [thread] : []))
    const thread = fit[turn++ % fit.length]
    if (thread === undefined)
      return stream.send({ is: 'close', channel: number, byOpener: false, why: `${node} has nobody for ${role} now` })
    const local = (asked += 2)
    const channel: Channel = { thread, local, number, isOwn: false, chosen: undefined, session, waiting: [] }
    theirs.set(number, channel)
    channels.set(keyOf(thread, local), channel)
    post(thread, { far: 'asked', channel: local, peer: asking(member.node, from, local) })
  }

  // ---------------------------------------------------------------- threads of this agent

  function take(thread: number, message: ToLinks): void {
    if (message.far === 'open') return openFor(thread, message)
    const channel = channels.get(keyOf(thread, message.channel))
    if (channel?.session) channel.session.stream.send(batchOf(channel, message.batch))
    else channel?.waiting.push(message.batch)
  }

  function openFor(thread: number, { channel: local, peer, server }: Extract<ToLinks, { far: 'open' }>): void {
    const chosen = readChosenPeer(peer)
    const channel: Channel = {
      thread,
      local,
      number: ++numbers,
      isOwn: true,
      chosen: chosen?.datacenter,
      session: undefined,
      waiting: [],
    }
    channels.set(keyOf(thread, local), channel)
    if (chosen !== undefined) {
      const found = used.get(chosen.datacenter)
      if (found?.number !== server) return drop(channel, 'another server is used')
      return carry(channel, found.session, chosen.role)
    }
    const far = readFarPeer(peer)
    const member = far && members.get(far.node)
    if (!member) return drop(channel, `no member ${far?.node ?? peer}`)
    void sessionWith(member).then((session) => {
      if (channels.get(keyOf(thread, local)) !== channel) return
      if (isRefused(session)) drop(channel, session.why)
      else carry(channel, session, far.role)
    })
  }

  function carry(channel: Channel, session: Session, role: string): void {
    if (!sessions.has(session)) return drop(channel, 'the connection ended')
    channel.session = session
    session.own.set(channel.number, channel)
    session.stream.send({ is: 'open', channel: channel.number, thread: channel.thread, role })
    for (const batch of channel.waiting.splice(0)) session.stream.send(batchOf(channel, batch))
  }

  /** Forgets a channel and says so to the thread here. */
  function drop(channel: Channel, why: string): void {
    forget(channel)
    post(channel.thread, { far: 'lost', channel: channel.local, why })
  }

  function forget({ session, isOwn, number, thread, local }: Channel): void {
    if (session) (isOwn ? session.own : session.theirs).delete(number)
    channels.delete(keyOf(thread, local))
  }

  function post(thread: number, message: FromLinks): void {
    threads.get(thread)?.(message)
  }

  // ---------------------------------------------------------------- the server in use

  async function use(name: string, datacenter: string): Promise<Result<LinksOutcome>> {
    const choice = ++uses
    choices.set(datacenter, choice)
    const member = members.get(name)
    if (!member) return refuse('missing', `no member ${name}`)
    const session = await sessionWith(member)
    if (isRefused(session)) return session
    if (choices.get(datacenter) !== choice) return refuse('conflict', 'another server was chosen meanwhile')
    if (!sessions.has(session)) return refuse('gone', 'the connection ended')
    const before = used.get(datacenter)?.session
    if (before === session) return {}
    used.set(datacenter, { number: choice, session })
    sayServer(datacenter, choice, `${name} is used from now on`)
    if (before) leave(before, datacenter)
    return {}
  }

  function useNobody(datacenter: string, why: string): void {
    choices.set(datacenter, ++uses)
    const before = used.get(datacenter)
    if (before === undefined && (datacenter === '' || missing.get(datacenter) === why)) return
    used.delete(datacenter)
    sayServer(datacenter, 0, why)
    if (before) leave(before.session, datacenter)
  }

  /** Ends what was asked of a server as the one in use. Its threads have been told. */
  function leave(session: Session, datacenter: string): void {
    for (const channel of [...session.own.values()]) {
      if (channel.chosen !== datacenter) continue
      forget(channel)
      session.stream.send({ is: 'close', channel: channel.number, byOpener: true, why: 'another server is used' })
    }
    if (session.own.size + session.theirs.size === 0) session.stream.bye('it is not needed any more')
  }

  function sayServer(datacenter: string, server: number, why: string): void {
    if (server === 0) missing.set(datacenter, why)
    else missing.delete(datacenter)
    for (const thread of threads.keys()) post(thread, { far: 'server', datacenter, server, why })
  }

  return {
    accept,
    take,
    attach(thread, give) {
      threads.set(thread, give)
      for (const [datacenter, { number: server }] of used) give({ far: 'server', datacenter, server, why: '' })
      for (const [datacenter, why] of missing) give({ far: 'server', datacenter, server: 0, why })
    },
    detach(thread, why) {
      threads.delete(thread)
      for (const channel of [...channels.values()]) {
        if (channel.thread !== thread) continue
        forget(channel)
        channel.session?.stream.send({ is: 'close', channel: channel.number, byOpener: channel.isOwn, why })
      }
    },
    perform(request, done, event) {
      tell = event
      switch (request.do) {
        case 'members':
          know(request.members)
          return done({})
        case 'use':
          return void use(request.node, request.datacenter ?? '').then(done)
        case 'use-none':
          useNobody(request.datacenter ?? '', request.why ?? 'no server is used')
          return done({})
      }
    },
    close() {
      isClosed = true
      for (const { timer } of strangers.values()) clearTimeout(timer)
      for (const { stream } of [...sessions]) stream.bye('this agent ends')
    },
  }
}

function batchOf({ number, isOwn }: Channel, batch: Uint8Array): Frame {
  return { is: 'batch', channel: number, byOpener: isOwn, batch }
}

function keyOf(thread: number, local: number): string {
  return `${thread}/${local}`
}
