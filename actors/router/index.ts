import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import type { LinksEvent } from '../../src/kernel/link-ports.ts'
import type { Cast, Subscriber } from '../../src/kernel/protocol.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { type Member, membershipRef } from '../membership/protocol.ts'
import { begin, type Choice, isOpen, know, newChoice, next, rebalance, type Step, take } from './choice.ts'
import { isThere, linkedOf, linkMember } from './linked.ts'
import type { RouterArgs, RouterProtocol, Routes } from './protocol.ts'

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
  members: number
  choice: Choice
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
    return { args, members: 0, choice: newChoice(), followers: [], version: 1 }
  },
  on: {
    show: (state) => routesOf(state),

    used(state, _request, turn, subscriber) {
      state.followers.push(subscriber)
      turn.emit(subscriber, state.version, routesOf(state))
    },

    members(state, { members }, turn) {
      const linked = linkedOf(members)
      turn.act('links', { do: 'members', members: linked.map(linkMember) }, { on: (event) => ({ name: 'link', request: event }) })
      if (state.args.server) return
      state.members = members.filter(isThere).length
      const servers = linked.filter((member) => isServer(state, member)).map(({ name }) => name)
      const hasMore = know(state.choice, turn.random, servers)
      if (isOpen(state.choice, hasMore)) go(turn, begin(state.choice))
    },

    tried(state, { node, result }, turn) {
      const { choice } = state
      if (choice.trying !== node) return
      choice.trying = undefined
      if (isRefused(result)) {
        turn.print('warn', 'A server cannot be used', { server: node, error: result.why })
        return go(turn, next(choice))
      }
      turn.print('info', 'A server is used from now on', { server: node })
      take(choice, node)
      tell(state, turn)
    },

    link(state, event, turn) {
      if (event.did === 'refused') {
        const { who, why, times } = event
        return turn.print('warn', 'A link was refused', { peer: who, error: why, times })
      }
      const { choice } = state
      if (event.node !== choice.used) return
      turn.print('warn', 'The server in use is lost', { server: event.node, error: event.why })
      choice.used = undefined
      tell(state, turn)
      if (choice.trying === undefined) go(turn, begin(choice))
    },

    again({ choice }, _request, turn) {
      if (choice.used === undefined && choice.trying === undefined) go(turn, begin(choice))
    },

    rebalance(state, _request, turn) {
      wait(turn, state.members, state.choice.servers.length)
      go(turn, rebalance(state.choice, turn.random))
    },
  },
  left(state, subscriber) {
    state.followers = state.followers.filter(({ peer, feed }) => peer !== subscriber.peer || feed !== subscriber.feed)
  },
})

function go(turn: RouterTurn, step: Step): void {
  switch (step.do) {
    case 'nothing':
      return
    case 'none':
      return turn.act('links', { do: 'use-none' })
    case 'pause':
      return turn.timer('again', step.forMs, { name: 'again', request: null })
    case 'try': {
      const { node } = step
      turn.cancel('again')
      turn.act(
        'links',
        { do: 'use', node },
        {
          then: (result) => ({ name: 'tried', request: { node, result } }),
          on: (event) => ({ name: 'link', request: event }),
        },
      )
    }
  }
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

function routesOf({ choice: { used, servers } }: RouterState): Routes {
  return { used: used ?? '', servers: [...servers] }
}

function isServer({ args }: RouterState, { tags, status }: Member): boolean {
  return tags['role'] === 'consul' && tags['dc'] === args.datacenter && status !== 'leaving'
}
