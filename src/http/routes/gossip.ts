import { localRef } from '../../../actors/local/protocol.ts'
import {
  type Member,
  type MembershipHealth,
  membershipRef,
  type Recorded,
  type TraceEntry,
  wanMembershipRef,
} from '../../../actors/membership/protocol.ts'
import { placeOf } from '../../../actors/membership/ring.ts'
import { parseDuration } from '../../config/durations.ts'
import type { GossipFigures } from '../../kernel/ports.ts'
import { isRefused } from '../../kernel/refusal.ts'
import { waitOf } from '../blocking.ts'
import type { EdgeContext } from '../context.ts'
import { goTime } from '../go-time.ts'
import { question, type Route } from '../route.ts'

const RECORD_MS = 60_000
/** More is refused by whoever records. */
const RECORD_MS_MAX = 600_000
/** What the answer may take once a recording is over. */
const RECORDED_MS = 15_000

/** GET /v1/tribune/gossip[?wan]: the members as this agent sees them, in the order of the ring, and how gossip is here. Blocks until a member changes. */
export const gossipRoute: Route = {
  method: 'GET',
  path: '/v1/tribune/gossip',
  async run({ query }, context) {
    const wait = waitOf(query, context.settings)
    if (!('waitMs' in wait)) return wait
    // An index of an earlier life of the agent is not waited for.
    const isWanted = (_members: readonly Member[], index: number) => wait.index === 0 || shownIndex(index) !== wait.index
    const pool = await poolOf(query, context)
    if ('status' in pool) return pool
    const found = await context.awaited(pool, 'members', null, isWanted, wait.waitMs)
    const health = await context.asked(pool, 'health', null)
    if (!found) return { status: 503, text: 'the members cannot be had now' }
    if (isRefused(health)) return health
    return {
      headers: { 'X-Consul-Index': String(shownIndex(found.index)) },
      json: shownGossip(nameIn(found.value, context.settings.node), found.value, health),
    }
  },
}

/** GET /v1/tribune/gossip/trace?member=[&wan]: what became known here of accusations and verdicts, the newest last. Blocks like a read. */
export const gossipTraceRoute: Route = {
  method: 'GET',
  path: '/v1/tribune/gossip/trace',
  async run({ query }, context) {
    const wait = waitOf(query, context.settings)
    if (!('waitMs' in wait)) return wait
    const member = query.get('member') ?? ''
    const isWanted = (_entries: readonly TraceEntry[], index: number) => wait.index === 0 || shownIndex(index) !== wait.index
    const pool = await poolOf(query, context)
    if ('status' in pool) return pool
    const found = await context.awaited(pool, 'traced', { member }, isWanted, wait.waitMs)
    if (!found) return { status: 503, text: 'the trace of gossip cannot be had now' }
    return { headers: { 'X-Consul-Index': String(shownIndex(found.index)) }, json: found.value.map(shownEntry) }
  },
}

/** PUT /v1/tribune/gossip/record?for=60s[&wan]: answers, when the time is over, with all that membership heard and did here, a line of JSON each. */
export const gossipRecordRoute: Route = {
  method: 'PUT',
  path: '/v1/tribune/gossip/record',
  ask({ query }, { isClient }) {
    const text = query.get('for') ?? ''
    const forMs = text === '' ? RECORD_MS : parseDuration(text)
    if (isRefused(forMs)) return { status: 400, text: `for: ${forMs.why}` }
    if (query.has('wan') && isClient) return NOT_HERE
    return question(
      query.has('wan') ? wanMembershipRef : membershipRef,
      'record',
      { forMs },
      Math.min(Math.max(0, forMs), RECORD_MS_MAX) + RECORDED_MS,
    )
  },
  reply: ({ lines, ended }: Recorded) => ({
    headers: { 'X-Tribune-Ended': ended },
    text: `${lines.join('\n')}\n`,
    type: 'application/x-ndjson',
  }),
  statusOf: { conflict: 409 },
}

export const gossipRoutes: readonly Route[] = [gossipRoute, gossipTraceRoute, gossipRecordRoute]

const NOT_HERE = { status: 400, text: 'wan: only servers know the servers of all datacenters' }

/** `wan`: the servers of all datacenters, of whom only servers know. */
async function poolOf(query: URLSearchParams, { asked }: EdgeContext): Promise<typeof membershipRef | { status: number; text: string }> {
  if (!query.has('wan')) return membershipRef
  const facts = await asked(localRef, 'facts', null)
  if (isRefused(facts)) return { status: 503, text: facts.why }
  return facts.server ? wanMembershipRef : NOT_HERE
}

function shownGossip(node: string, members: readonly Member[], { score, connections, watched, rates, totals, spread }: MembershipHealth) {
  const rows = members.map((member) => ({ member, place: placeOf(member.id) }))
  rows.sort((a, b) => a.place - b.place || (a.member.name < b.member.name ? -1 : 1))
  return {
    Node: node,
    HealthScore: score,
    Connections: connections,
    Rates: shownFigures(rates),
    Totals: shownFigures(totals),
    Spread: spread ? { Rumours: spread.rumours, MedianMs: spread.medianMs, P99Ms: spread.mostMs, StepsMax: spread.stepsMax } : null,
    Members: rows.map(({ member, place }) => shownMember(member, place, watched.includes(member.name))),
  }
}

/** What this agent is called in the pool. */
function nameIn(members: readonly Member[], node: string): string {
  return members.find(({ isSelf }) => isSelf)?.name ?? node
}

/** Never 0: nobody could wait for what comes after that. */
function shownIndex(index: number): number {
  return index + 1
}

function shownFigures(figures: GossipFigures | undefined): object | null {
  if (figures === undefined) return null
  const { messagesOut, bytesOut, messagesIn, bytesIn } = figures
  return { MessagesOut: tenths(messagesOut), BytesOut: tenths(bytesOut), MessagesIn: tenths(messagesIn), BytesIn: tenths(bytesIn) }
}

function shownMember({ name, id, peer, address, port, tags, incarnation, status, isSelf }: Member, place: number, isWatched: boolean) {
  return {
    Name: name,
    ID: id,
    Peer: peer,
    Address: address,
    Port: port,
    Tags: tags,
    Status: status,
    Incarnation: incarnation,
    Place: place,
    IsSelf: isSelf,
    IsWatched: isWatched,
  }
}

function shownEntry({ number, atMs, what, member, incarnation, by, via, why }: TraceEntry): object {
  return { Number: number, At: goTime(atMs), What: what, Member: member, Incarnation: incarnation, By: by, Via: via, Why: why }
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10
}
