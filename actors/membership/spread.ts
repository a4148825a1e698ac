import { type News, RUMOURS_MAX, type Rumour, VIA_MAX } from './messages.ts'
import { type MembershipState, type MembershipTurn, networkOf, send } from './state.ts'

/** The topic in which members publish what must not get lost. */
export const TOPIC = 'tribune/members/1'

/** What becomes known within this time goes out together. */
const FLUSH_MS = 20
/** For one slow peer; the oldest are dropped, and the next comparison makes up for them. */
const WAITING_MAX = 1_024

/** Passes on what came over `via` and from the peer `from`; [] and '' for what this agent says first. */
export function passOn(state: MembershipState, turn: MembershipTurn, news: News, via: readonly string[], from: string): void {
  const rumour = rumourOf(state, turn, news, via)
  for (const [peer, connection] of state.connections) {
    if (peer === from || connection.name === undefined) continue
    connection.out.push(rumour)
    if (connection.out.length > WAITING_MAX) {
      connection.out.shift()
      turn.count('membership.rumours.dropped')
    }
  }
  if (state.isFlushing) return
  state.isFlushing = true
  turn.timer('flush', FLUSH_MS, { name: 'flush', request: null })
}

/** Says something first: to those whom it is connected with, and what must not get lost also to all at once by publishing it. */
export function announce(state: MembershipState, turn: MembershipTurn, news: News): void {
  passOn(state, turn, news, [], '')
  if (state.connections.size > 0 && isWeighty(news))
    turn.act(networkOf(turn), { do: 'publish', topic: TOPIC, message: { rumours: [rumourOf(state, turn, news, [])] } })
}

/** Says something to some members, and passes it on to them, as far as there are connections. */
export function tellSome(
  state: MembershipState,
  turn: MembershipTurn,
  news: News,
  via: readonly string[],
  names: ReadonlySet<string>,
): void {
  const from = via.at(-1)
  const rumour = rumourOf(state, turn, news, via)
  for (const [peer, { name }] of state.connections) {
    if (name !== undefined && name !== from && names.has(name)) send(turn, peer, { do: 'news', rumours: [rumour] })
  }
}

export function flush(state: MembershipState, turn: MembershipTurn): void {
  state.isFlushing = false
  for (const [peer, connection] of state.connections) {
    if (connection.out.length === 0) continue
    const rumours = connection.out
    connection.out = []
    for (let at = 0; at < rumours.length; at += RUMOURS_MAX) send(turn, peer, { do: 'news', rumours: rumours.slice(at, at + RUMOURS_MAX) })
  }
}

/** Whoever says it first says when. */
function rumourOf({ self }: MembershipState, turn: MembershipTurn, news: News, via: readonly string[]): Rumour {
  const said = via.length === 0 ? { saidMs: Math.max(0, Math.floor(turn.nowMs)) } : {}
  return { ...news, ...said, via: via.length < VIA_MAX ? [...via, self.name] : via }
}

/** Accusations and refutations come again if they get lost, and there may be many at once. */
function isWeighty(news: News): boolean {
  return news.is === 'failed' || news.is === 'told' || news.is === 'asked' || (news.is === 'member' && news.member.status !== 'alive')
}
