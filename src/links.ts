import { createComplaints } from './complaints.ts'
import type { FromLinks, ToLinks } from './far-threads.ts'
import { askingPeer, readChosenPeer, readFarPeer } from './kernel/far.ts'
import type { LinkMember, LinksEvent, LinksOutcome, LinksRequest } from './kernel/link-ports.ts'
import type { Device, GossipAddress } from './kernel/ports.ts'
import { isRefused, type Result, refuse } from './kernel/refusal.ts'
import type { Layout } from './placement.ts'

/** What two agents say to each other. `byOpener`: whether it comes from the side that has opened the channel. */
export type Frame =
  | { is: 'open'; channel: number; thread: number; role: string }
  | { is: 'batch'; channel: number; byOpener: boolean; batch: Uint8Array }
  | { is: 'close'; channel: number; byOpener: boolean; why: string }
  /** The whole link ends, and why. */
  | { is: 'bye'; why: string }

export type FrameStream = {
  send(frame: Frame): void
  /** Ends it, after the other side was told why. `here`: why, for this side; the same if not given. */
  bye(why: string, here?: string): void
}

export type FrameEvents = {
  frame(frame: Frame): void
  /** Once, when the stream has ended, by whomever. */
  ended(why: string): void
}

/** A way to another agent on which nothing was said yet. */
export type LinkStream = {
  /** Takes it into use. Called once, and nothing else then. */
  begin(events: FrameEvents): FrameStream
  /** Ends it without a word. */
  abort(why: string): void
}

export type LinksOptions = {
  node: string
  /** Which of this agent's threads has which role. */
  layout: Layout
  /** A stream to another agent, over a connection of its own. Refused with `gone`. */
  open(peer: string, address: GossipAddress, done: (stream: Result<LinkStream>) => void): void
  /** Calls `work` once, `ms` from now. The answer cancels it. */
  after(ms: number, work: () => void): () => void
  /** What somebody who asks here is called. Default: an agent of this datacenter. */
  asking?: typeof askingPeer
  monotonicMs(): number
  /** A stream may come before it is told that its peer is a member. */
  strangerMs?: number
}

export type Links = Device<LinksRequest, LinksOutcome, LinksEvent> & {
  /** A stream that another agent has opened. */
  accept(peer: string, stream: LinkStream): void
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
type Stranger = { stream: LinkStream; forget: () => void }

/** A batch of messages, all of its pieces together. */
export const BATCH_BYTES_MAX = 33_554_432
const STRANGER_MS = 3_000
const STRANGERS_MAX = 64
/** Whoever opens more than this is cut off: each of its threads needs a few. */
const CHANNELS_MAX = 1_024

/** Carries batches between threads of this agent and those of others, over one stream for each pair of agents. */
export function createLinks({
  node,
  layout,
  open,
  after,
  asking = askingPeer,
  monotonicMs,
  strangerMs = STRANGER_MS,
}: LinksOptions): Links {
  let members = new Map<string, LinkMember>()
  let byPeer = new Map<string, LinkMember>()
  const sessions = new Set<Session>()
  const opening = new Map<string, ((session: Result<Session>) => void)[]>()
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

  function begin(member: LinkMember, stream: LinkStream): Session {
    const session: Session = {
      member,
      own: new Map(),
      theirs: new Map(),
      stream: stream.begin({ frame: (frame) => heard(session, frame), ended: (why) => ended(session, why) }),
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

  function sessionWith(member: LinkMember, done: (session: Result<Session>) => void): void {
    for (const session of sessions) if (session.member.peer === member.peer) return done(session)
    const waiting = opening.get(member.peer)
    if (waiting) return void waiting.push(done)
    const all = [done]
    opening.set(member.peer, all)
    open(member.peer, { host: member.host, port: member.port }, (stream) => {
      opening.delete(member.peer)
      const session = isRefused(stream) ? stream : beginWith(member, stream)
      for (const tell of all) tell(session)
    })
  }

  function beginWith(member: LinkMember, stream: LinkStream): Result<Session> {
    const known = byPeer.get(member.peer)
    if (known !== undefined && !isClosed) return begin(known, stream)
    stream.abort('it is no member any more')
    return refuse('gone', `${member.node} is no member any more`)
  }

  function accept(peer: string, stream: LinkStream): void {
    const member = byPeer.get(peer)
    if (isClosed) return stream.abort('this agent ends')
    if (member) return void begin(member, stream)
    if (strangers.has(peer) || strangers.size >= STRANGERS_MAX) return turnAway(peer, stream)
    const forget = after(strangerMs, () => {
      strangers.delete(peer)
      turnAway(peer, stream)
    })
    strangers.set(peer, { stream, forget })
  }

  function turnAway(peer: string, stream: LinkStream): void {
    complain(peer, 'it wants a link and is no member')
    stream.begin({ frame: () => undefined, ended: () => undefined }).bye('you are no member that I know of')
  }

  function know(list: readonly LinkMember[]): void {
    members = new Map(list.map((member) => [member.node, member]))
    byPeer = new Map(list.map((member) => [member.peer, member]))
    for (const session of [...sessions]) {
      if (byPeer.get(session.member.peer)?.node !== session.member.node)
        session.stream.bye('you are no member any more', 'it is no member any more')
    }
    for (const [peer, { stream, forget }] of [...strangers]) {
      if (!byPeer.has(peer)) continue
      forget()
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
    sessionWith(member, (session) => {
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

  function use(name: string, datacenter: string, done: (outcome: Result<LinksOutcome>) => void): void {
    const choice = ++uses
    choices.set(datacenter, choice)
    const member = members.get(name)
    if (!member) return done(refuse('missing', `no member ${name}`))
    sessionWith(member, (session) => done(isRefused(session) ? session : chosen(name, datacenter, choice, session)))
  }

  function chosen(name: string, datacenter: string, choice: number, session: Session): Result<LinksOutcome> {
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
          return use(request.node, request.datacenter ?? '', done)
        case 'use-none':
          useNobody(request.datacenter ?? '', request.why ?? 'no server is used')
          return done({})
      }
    },
    close() {
      isClosed = true
      for (const { forget } of strangers.values()) forget()
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

/** Why a batch is not sent. */
export function tooLarge({ byteLength }: Uint8Array): string {
  return `a batch of ${byteLength} bytes, ${BATCH_BYTES_MAX} are allowed`
}
