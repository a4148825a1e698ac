import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import type { Cast, Subscriber } from '../../src/kernel/protocol.ts'
import { authorize } from '../authorize.ts'
import type { About, DecisionsProtocol, RefusedRow } from './protocol.ts'
import { add, type Rows, rowsAbout } from './rows.ts'

type DecisionsOwn = { tell: Cast<null> }
type Follower = { about: About; subscriber: Subscriber<readonly RefusedRow[]>; told: number }
type DecisionsState = { rows: Rows; followers: Follower[]; telling: boolean }

/** Followers hear of a flood at most so often. */
const TELL_EVERY_MS = 100

/** Keeps who was refused on this agent. */
export const decisions = defineActor<DecisionsProtocol, DecisionsOwn, DecisionsState>({
  name: 'decisions',
  mailboxMax: 65_536,
  // The index of an empty feed is 1: 0 stands for not to wait.
  init: () => ({ rows: { byKey: new Map(), index: 1 }, followers: [], telling: false }),
  on: {
    refused(state, refused, turn) {
      add(state.rows, refused)
      tellSoon(state, turn)
    },

    add(state, { refused, token }, turn) {
      for (const { side, source, destination } of refused) {
        const name = side === 'inbound' ? destination : source
        const denied = authorize(turn.view, token, { resource: 'service', name, access: 'write' })
        if (denied) return denied
      }
      for (const one of refused) add(state.rows, { ...one, atMs: turn.nowMs })
      tellSoon(state, turn)
      return null
    },

    list({ rows }, about, turn) {
      return visible(rows, about, turn)
    },

    decisions(state, about, turn, subscriber) {
      const follower: Follower = { about, subscriber, told: 0 }
      state.followers.push(follower)
      tell(state, follower, turn)
    },

    tell(state, _request, turn) {
      state.telling = false
      for (const follower of state.followers) tell(state, follower, turn)
    },
  },

  left(state, { peer, feed }) {
    state.followers = state.followers.filter(({ subscriber }) => subscriber.peer !== peer || subscriber.feed !== feed)
  },
})

function tellSoon(state: DecisionsState, turn: Turn<DecisionsOwn>): void {
  if (state.telling || state.followers.length === 0) return
  state.telling = true
  turn.timer('tell', TELL_EVERY_MS, { name: 'tell', request: null })
}

/** Only what is new. */
function tell({ rows }: DecisionsState, follower: Follower, turn: Turn<DecisionsOwn>): void {
  const found = visible(rows, follower.about, turn)
  const index = found.at(-1)?.index ?? 1
  if (index <= follower.told) return
  follower.told = index
  turn.emit(follower.subscriber, index, found)
}

/** What somebody may know: both services are read. */
function visible(rows: Rows, { source, destination, token }: About, { view }: Turn<DecisionsOwn>): RefusedRow[] {
  const mayRead = (name: string) => name === '' || !authorize(view, token, { resource: 'service', name, access: 'read' })
  return rowsAbout(rows, source, destination).filter((row) => mayRead(row.source) && mayRead(row.destination))
}
