import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import { NOBODY_THERE } from '../../src/kernel/far.ts'
import type { LinksEvent } from '../../src/kernel/link-ports.ts'
import type { Cast, Subscriber } from '../../src/kernel/protocol.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import type { Coordinate } from '../coordinates/tables.ts'
import { type Member, membershipRef, wanMembershipRef } from '../membership/protocol.ts'
import { begin, type Choice, isOpen, know, newChoice, next, type Step, take } from '../router/choice.ts'
import { isThere, linkedOf, linkMember } from '../router/linked.ts'
import type { Datacenter, DatacenterServer, Datacenters, DatacentersArgs, DatacentersProtocol } from './protocol.ts'

/** How often it is asked where the others are. */
const PLACES_MS = 10_000
const ASK_WITHIN_MS = 5_000
/** Servers of this datacenter that are not among those of all are joined; those that cannot be, again after this, and then after longer. */
const FLOOD_MS_MIN = 2_000
const FLOOD_MS_MAX = 60_000
const JOIN_WITHIN_MS = 15_000

type DatacentersOwn = {
  members: Cast<{ members: Member[] }>
  neighbours: Cast<{ members: Member[] }>
  tried: Cast<{ datacenter: string; node: string; result: Result<object> }>
  link: Cast<LinksEvent>
  again: Cast<{ datacenter: string }>
  place: Cast<null>
  placed: Cast<{ result: Result<{ name: string; coordinate: Coordinate }[]> }>
  flood: Cast<null>
  flooded: Cast<{ result: Result<object> }>
}
type DatacentersState = {
  args: DatacentersArgs
  /** Servers of all datacenters, and agents of this one. */
  members: Member[]
  neighbours: Member[]
  /** Of each other datacenter. */
  choices: Map<string, Choice>
  places: Map<string, Coordinate>
  floodMs: number
  isFlooding: boolean
  followers: Subscriber<Datacenters>[]
  /** Of what followers are told. */
  version: number
}
type DatacentersTurn = Turn<DatacentersOwn>

/**
 * Knows the datacenters by the gossip of all servers, chooses a server of each to be asked, keeps to it and moves when it fails. Takes care that
 * all servers of this datacenter are in that gossip.
 */
export const datacenters = defineActor<DatacentersProtocol, DatacentersOwn, DatacentersState, DatacentersArgs>({
  name: 'datacenters',
  mailboxMax: 1_024,
  init(args, turn) {
    if (args.enabled) {
      turn.subscribe('members', wanMembershipRef, 'members', null, (members) => ({ name: 'members', request: { members } }))
      turn.subscribe('neighbours', membershipRef, 'members', null, (members) => ({ name: 'neighbours', request: { members } }))
      turn.timer('place', PLACES_MS, { name: 'place', request: null })
    }
    const nobody = { members: [], neighbours: [], choices: new Map(), places: new Map(), followers: [] }
    return { args, ...nobody, floodMs: FLOOD_MS_MIN, isFlooding: false, version: 1 }
  },
  on: {
    show: (state) => shown(state),

    all(state, _request, turn, subscriber) {
      state.followers.push(subscriber)
      turn.emit(subscriber, state.version, shown(state))
    },

    members(state, { members }, turn) {
      state.members = members
      const linked = linkedOf(members).map(linkMember)
      turn.act('links-wan', { do: 'members', members: linked }, { on: (event) => ({ name: 'link', request: event }) })
      for (const datacenter of othersOf(state)) choose(state, turn, datacenter)
      tell(state, turn)
      flood(state, turn)
    },

    neighbours(state, { members }, turn) {
      state.neighbours = members
      flood(state, turn)
    },

    tried(state, { datacenter, node, result }, turn) {
      const choice = state.choices.get(datacenter)
      if (choice?.trying !== node) return
      choice.trying = undefined
      if (isRefused(result)) {
        turn.print('warn', 'A server of another datacenter cannot be used', { server: node, error: result.why })
        return go(turn, datacenter, next(choice), result.why)
      }
      turn.print('info', 'A server of another datacenter is used from now on', { server: node })
      take(choice, node)
    },

    link(state, event, turn) {
      if (event.did === 'refused') {
        const { who, why, times } = event
        return turn.print('warn', 'A link was refused', { peer: who, error: why, times })
      }
      const { datacenter = '', node, why } = event
      const choice = state.choices.get(datacenter)
      if (choice === undefined || choice.used !== node) return
      turn.print('warn', 'The server in use of another datacenter is lost', { server: node, error: why })
      choice.used = undefined
      if (choice.trying === undefined) go(turn, datacenter, begin(choice), why)
    },

    again(state, { datacenter }, turn) {
      const choice = state.choices.get(datacenter)
      if (choice && choice.used === undefined && choice.trying === undefined) go(turn, datacenter, begin(choice), NOBODY_THERE)
    },

    place(_state, _request, turn) {
      turn.timer('place', PLACES_MS, { name: 'place', request: null })
      turn.call(wanMembershipRef, 'places', null, {
        withinMs: ASK_WITHIN_MS,
        then: (result) => ({ name: 'placed', request: { result } }),
      })
    },

    placed(state, { result }, turn) {
      if (isRefused(result)) return
      state.places = new Map(result.map(({ name, coordinate }) => [name, coordinate]))
      tell(state, turn)
    },

    flood: (state, _request, turn) => flood(state, turn),

    flooded(state, { result }, turn) {
      state.isFlooding = false
      if (isRefused(result)) turn.print('debug', 'Servers of this datacenter cannot be joined yet', { error: result.why })
      turn.timer('flood', state.floodMs, { name: 'flood', request: null })
      state.floodMs = Math.min(FLOOD_MS_MAX, state.floodMs * 2)
    },
  },
  left(state, subscriber) {
    state.followers = state.followers.filter(({ peer, feed }) => peer !== subscriber.peer || feed !== subscriber.feed)
  },
})

/** Other datacenters, those too that there were. */
function othersOf({ args, members, choices }: DatacentersState): Set<string> {
  return new Set([...choices.keys(), ...members.map(datacenterOf)].filter((name) => name !== '' && name !== args.datacenter))
}

function choose(state: DatacentersState, turn: DatacentersTurn, datacenter: string): void {
  const there = state.members.filter((member) => datacenterOf(member) === datacenter && member.status !== 'left')
  const choice = state.choices.get(datacenter) ?? newChoice()
  state.choices.set(datacenter, choice)
  const names = there.filter((member) => isThere(member) && member.status !== 'leaving' && member.peer !== '').map(({ name }) => name)
  const hasMore = know(choice, turn.random, names)
  if (names.length === 0) {
    choice.used = undefined
    choice.trying = undefined
    go(turn, datacenter, { do: 'none' }, there.length === 0 ? '' : NOBODY_THERE)
    if (there.length === 0) state.choices.delete(datacenter)
    return
  }
  if (isOpen(choice, hasMore)) go(turn, datacenter, begin(choice), NOBODY_THERE)
}

/** `why`: what is said to those who ask while there is no server in use. */
function go(turn: DatacentersTurn, datacenter: string, step: Step, why: string): void {
  switch (step.do) {
    case 'nothing':
      return
    case 'none':
      return turn.act('links-wan', { do: 'use-none', datacenter, why })
    case 'pause':
      turn.act('links-wan', { do: 'use-none', datacenter, why })
      return turn.timer(`again ${datacenter}`, step.forMs, { name: 'again', request: { datacenter } })
    case 'try': {
      const { node } = step
      turn.cancel(`again ${datacenter}`)
      turn.act(
        'links-wan',
        { do: 'use', node, datacenter },
        {
          then: (result) => ({ name: 'tried', request: { datacenter, node, result } }),
          on: (event) => ({ name: 'link', request: event }),
        },
      )
    }
  }
}

/** Servers of this datacenter that are not in the gossip of all are brought in. */
function flood(state: DatacentersState, turn: DatacentersTurn): void {
  if (state.isFlooding || state.members.length === 0) return
  const known = new Set(state.members.filter(isThere).map(({ name }) => name))
  const addresses = state.neighbours.flatMap(({ name, tags, status, isSelf, address }) => {
    const port = Number(tags['wan_join_port'] ?? 0)
    const isMissing = !isSelf && status === 'alive' && tags['role'] === 'consul' && !known.has(`${name}.${state.args.datacenter}`)
    return isMissing && port > 0 ? [{ host: address, port }] : []
  })
  if (addresses.length === 0) {
    state.floodMs = FLOOD_MS_MIN
    return turn.cancel('flood')
  }
  state.isFlooding = true
  turn.call(
    wanMembershipRef,
    'join',
    { addresses },
    { withinMs: JOIN_WITHIN_MS, then: (result) => ({ name: 'flooded', request: { result } }) },
  )
}

function tell(state: DatacentersState, turn: DatacentersTurn): void {
  state.version++
  for (const follower of state.followers) turn.emit(follower, state.version, shown(state))
}

function shown({ args, members, places }: DatacentersState): Datacenters {
  const found = new Map<string, Datacenter>([[args.datacenter, { name: args.datacenter, servers: [] }]])
  if (members.length === 0) found.get(args.datacenter)?.servers.push(selfOf(args))
  for (const member of members) {
    const datacenter = datacenterOf(member)
    if (datacenter === '' || member.status === 'left') continue
    const { name, address, port, status } = member
    const coordinate = places.get(name)
    const server = { node: name.slice(0, -datacenter.length - 1), name, address, port, status, ...(coordinate && { coordinate }) }
    const entry = found.get(datacenter) ?? { name: datacenter, servers: [] }
    entry.servers.push(server)
    found.set(datacenter, entry)
  }
  return { datacenters: [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1)) }
}

function selfOf({ node, datacenter, address, port }: DatacentersArgs): DatacenterServer {
  return { node, name: `${node}.${datacenter}`, address, port, status: 'alive' }
}

/** '' for what is no server of any. */
function datacenterOf({ name, tags }: Member): string {
  const datacenter = tags['dc'] ?? ''
  return tags['role'] === 'consul' && name.endsWith(`.${datacenter}`) ? datacenter : ''
}
