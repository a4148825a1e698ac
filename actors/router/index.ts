import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import type { LinksEvent } from '../../src/kernel/link-ports.ts'
import type { Cast, Subscriber } from '../../src/kernel/protocol.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { shuffled } from '../../src/kernel/shuffled.ts'
import { type Member, membershipRef } from '../membership/protocol.ts'
import type { RouterArgs, RouterProtocol, Routes } from './protocol.ts'

/** Once all servers were tried in vain, they are tried again after this, and then after longer and longer. */
const RETRY_MS_MIN = 500
const RETRY_MS_MAX = 10_000
/** How long a server is kept although there are new ones. Source: internals §RPC. */
const REBALANCE_MS_MIN = 120_000
const REBALANCE_MS_MAX = 180_000
/** So many clients a second may come to one server because of that. */
const REBALANCES_PER_SECOND = 64

type RouterOwn = {
  members: Cast<{ members: Member[] }>
  tried: Cast<{ node: string; result: Result<object> }>
  link: Cast<LinksEvent>
  again: Cast<null>
  rebalance: Cast<null>
}
type RouterState = {
  args: RouterArgs
  /** Servers in the order in which they are tried; the one in use is among them. */
  servers: string[]
  members: number
  used: string | undefined
  trying: string | undefined
  /** Still to be tried before there is a pause. */
  left: number
  pauseMs: number
  isPausing: boolean
  /** A server has come since one was chosen: without that all are used alike already. */
  hasGained: boolean
  followers: Subscriber<Routes>[]
  /** Of what followers are told. */
  version: number
}
type RouterTurn = Turn<RouterOwn>

/** Lets members have links with this agent. On a client it chooses a server, keeps to it and moves when it fails. */
export const router = defineActor<RouterProtocol, RouterOwn, RouterState, RouterArgs>({
  name: 'router',
  mailboxMax: 1_024,
  init(args, turn) {
    if (args.enabled) {
      turn.subscribe('members', membershipRef, 'members', null, (members) => ({ name: 'members', request: { members } }))
      if (!args.server) wait(turn, 0, 0)
    }
    const none = { used: undefined, trying: undefined, left: 0, pauseMs: RETRY_MS_MIN, isPausing: false }
    return { args, servers: [], members: 0, ...none, hasGained: false, followers: [], version: 1 }
  },
  on: {
    show: (state) => routesOf(state),

    used(state, _request, turn, subscriber) {
      state.followers.push(subscriber)
      turn.emit(subscriber, state.version, routesOf(state))
    },

    members(state, { members }, turn) {
      const there = members.filter(({ status }) => status !== 'failed' && status !== 'left')
      const linked = there.filter(({ isSelf, peer }) => !isSelf && peer !== '')
      turn.act(
        'links',
        { do: 'members', members: linked.map(({ name, peer, address, port }) => ({ node: name, peer, host: address, port })) },
        { on: (event) => ({ name: 'link', request: event }) },
      )
      if (state.args.server) return
      state.members = there.length
      const servers = linked.filter((member) => isServer(state, member)).map(({ name }) => name)
      const hasMore = know(state, turn, servers)
      if (state.trying !== undefined || (state.used !== undefined && servers.includes(state.used))) return
      if (hasMore || !state.isPausing) begin(state, turn)
    },

    tried(state, { node, result }, turn) {
      if (state.trying !== node) return
      state.trying = undefined
      if (isRefused(result)) {
        turn.print('warn', 'A server cannot be used', { server: node, error: result.why })
        return next(state, turn)
      }
      turn.print('info', 'A server is used from now on', { server: node })
      state.used = node
      state.left = 0
      state.pauseMs = RETRY_MS_MIN
      tell(state, turn)
    },

    link(state, event, turn) {
      if (event.did === 'refused') {
        const { who, why, times } = event
        return turn.print('warn', 'A link was refused', { peer: who, error: why, times })
      }
      if (event.node !== state.used) return
      turn.print('warn', 'The server in use is lost', { server: event.node, error: event.why })
      state.used = undefined
      tell(state, turn)
      if (state.trying === undefined) begin(state, turn)
    },

    again(state, _request, turn) {
      if (state.used === undefined && state.trying === undefined) begin(state, turn)
    },

    rebalance(state, _request, turn) {
      wait(turn, state.members, state.servers.length)
      if (!state.hasGained || state.used === undefined || state.trying !== undefined) return
      state.hasGained = false
      state.servers = shuffled(state.servers, () => turn.random.next())
      if (state.servers[0] === state.used) return
      state.left = 1
      next(state, turn)
    },
  },
  left(state, subscriber) {
    state.followers = state.followers.filter(({ peer, feed }) => peer !== subscriber.peer || feed !== subscriber.feed)
  },
})

/** New servers take a random place among the others, which keep theirs. Answers whether there are any. */
function know(state: RouterState, turn: RouterTurn, names: readonly string[]): boolean {
  const known = new Set(state.servers)
  state.servers = state.servers.filter((name) => names.includes(name))
  for (const name of names) {
    if (known.has(name)) continue
    state.servers.splice(turn.random.int(0, state.servers.length), 0, name)
    if (state.used !== undefined) state.hasGained = true
  }
  return names.some((name) => !known.has(name))
}

/** Tries all servers, one after the other. */
function begin(state: RouterState, turn: RouterTurn): void {
  turn.cancel('again')
  state.isPausing = false
  state.left = state.servers.length
  next(state, turn)
}

function next(state: RouterState, turn: RouterTurn): void {
  const node = state.servers[0]
  if (node === undefined) return state.used === undefined ? turn.act('links', { do: 'use-none' }) : undefined
  if (state.left === 0) {
    if (state.used !== undefined) return
    state.isPausing = true
    turn.timer('again', state.pauseMs, { name: 'again', request: null })
    state.pauseMs = Math.min(RETRY_MS_MAX, state.pauseMs * 2)
    return
  }
  state.left--
  state.servers = [...state.servers.slice(1), node]
  state.trying = node
  turn.act(
    'links',
    { do: 'use', node },
    {
      then: (result) => ({ name: 'tried', request: { node, result } }),
      on: (event) => ({ name: 'link', request: event }),
    },
  )
}

function wait(turn: RouterTurn, members: number, servers: number): void {
  const scaledMs = (members / (REBALANCES_PER_SECOND * Math.max(1, servers))) * 1_000
  const afterMs = Math.max(scaledMs, turn.random.int(REBALANCE_MS_MIN, REBALANCE_MS_MAX))
  turn.timer('rebalance', Math.round(afterMs), { name: 'rebalance', request: null })
}

function tell(state: RouterState, turn: RouterTurn): void {
  state.version++
  for (const follower of state.followers) turn.emit(follower, state.version, routesOf(state))
}

function routesOf({ used, servers }: RouterState): Routes {
  return { used: used ?? '', servers: [...servers] }
}

function isServer({ args }: RouterState, { tags, status }: Member): boolean {
  return tags['role'] === 'consul' && tags['dc'] === args.datacenter && status !== 'leaving'
}
