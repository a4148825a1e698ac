import { type Call, type Feed, refOf } from '../../src/kernel/protocol.ts'
import type { Token } from '../authorize.ts'

/** User events: short words that anybody may send to all agents of a datacenter. Nothing is kept over a restart, and nobody
 * promises an order. */
export type EventsProtocol = {
  /** Answered once the event is on its way. `conflict`: a filter is wrong, or it is too long. */
  fire: Call<EventFire & { token: Token }, { id: string }>
  /** The newest events that concerned this agent, with one name or (name '') any, the oldest first. */
  recent: Feed<{ name: string; token: Token }, RecentEvents>
}

export const eventsRef = refOf<EventsProtocol>('events')

/** Filters are regular expressions in Go's syntax, '' for none; an event concerns an agent only if all of them match. */
export type EventFire = {
  name: string
  payload: Uint8Array
  /** The node's name. */
  nodeFilter: string
  /** The id of one of the agent's services. */
  serviceFilter: string
  /** A tag of that service. */
  tagFilter: string
}

export type UserEvent = EventFire & {
  id: string
  version: number
  /** Orders events as far as they know of each other. */
  lamportTime: number
}

export type RecentEvents = {
  events: readonly UserEvent[]
  /** Names the newest event: not the same for another one, and of no order. 1 if there is none. Source: http-api §0.1. */
  index: bigint
}

/** Both halves of the 128 bits of the newest event's id, one laid over the other. */
export function eventIndex(events: readonly Pick<UserEvent, 'id'>[]): bigint {
  const digits = events.at(-1)?.id.replaceAll('-', '')
  return digits === undefined ? 1n : BigInt(`0x${digits.slice(0, 16)}`) ^ BigInt(`0x${digits.slice(16)}`)
}
