import { type Result, refuse } from '../../src/kernel/refusal.ts'
import type { Coordinate } from '../coordinates/tables.ts'
import { coordinateFault } from './coordinate.ts'
import type { KeyRequest, MemberRecord, Tags, Told } from './protocol.ts'
import { placeOf } from './ring.ts'
import { BODY_BYTES_MAX, weightOf } from './told.ts'

/** Of the messages below. Members with another one are refused. */
export const PROTOCOL_VERSION = 1
/** Records of one message; with the longest tags they stay below the 64 KB that a message may have. */
export const RECORDS_MAX = 64
export const RUMOURS_MAX = 24
/** Parts of the table that are compared with each other. */
export const SUMS = 64
const NAME_LENGTH_MAX = 128
/** As many as one agent may have at once. */
const KEYS_MAX = 8
/** Of all names and values together, as in Serf. */
export const TAGS_LENGTH_MAX = 512
export const VIA_MAX = 8

/** What members send each other. */
export type GossipMessage =
  /** The first one in a connection, from both sides. `wan`: in the pool of the servers of all datacenters. */
  | { do: 'hello'; version: number; datacenter: string; me: MemberRecord; wan?: true }
  /** In place of a hello, before hanging up. */
  | { do: 'refused'; why: string }
  /** A number for each part of the table of whoever asks: see `sumsOf`. */
  | { do: 'compare'; sums: number[] }
  /** Records of the parts that differ, in as many messages as it takes; `differing`: which parts these are, so that the other side sends
   * its own. In the last message of both sides together `differing` is empty. */
  | { do: 'records'; records: MemberRecord[]; isLast: boolean; differing: number[] }
  | { do: 'ping'; seq: number }
  | { do: 'ack'; seq: number }
  /** Asks somebody else to ping a member: `heard` or, in time, `unheard`. */
  | { do: 'probe'; seq: number; name: string; withinMs: number }
  | { do: 'heard'; seq: number }
  | { do: 'unheard'; seq: number }
  | { do: 'news'; rumours: Rumour[] }
  /** Where the other one is in the network, and how long the way is. */
  | { do: 'where'; seq: number }
  | { do: 'here'; seq: number; coordinate: Coordinate }
  /** What came of a question about keys. */
  | { do: 'keys'; id: string; keys: string[]; why: string }

/** `via`: the names of those who passed it on, whoever said it first in front. `saidMs`: the wall clock of that one, when it said so. */
export type Rumour = { via: readonly string[]; saidMs?: number } & News
export type News =
  | { is: 'member'; member: MemberRecord }
  /** `by` has got no answer from it, neither directly nor over others, nor have `accusers`. Only one that is loud is for all. What `by` says
   * later of the same member has a higher `number`. */
  | { is: 'accused'; name: string; incarnation: number; by: string; number: number; accusers: string[]; isLoud: boolean }
  /** It has answered after all. */
  | { is: 'withdrawn'; name: string; incarnation: number; by: string; number: number }
  /** The verdict, after these have accused it. */
  | { is: 'failed'; name: string; incarnation: number; by: string; accusers: string[] }
  /** For it to hear that `by` counts it as failed, although others do not. */
  | { is: 'disputed'; name: string; incarnation: number; by: string }
  /** To be forgotten up to this incarnation. */
  | { is: 'pruned'; name: string; incarnation: number; by: string }
  | { is: 'told'; told: Told }
  /** Every member does it, and answers `from`. */
  | { is: 'asked'; id: string; from: string; request: KeyRequest }

/** A message of a peer, every field of it as it must be. */
export function readMessage(message: object): Result<GossipMessage> {
  const fault = messageFault(message as Record<string, unknown>)
  return fault === undefined ? (message as GossipMessage) : refuse('invalid', fault)
}

/** What is published under the topic of the members. */
export function readRumours(message: object): Result<Rumour[]> {
  const { rumours } = message as Record<string, unknown>
  const fault = rumoursFault(rumours)
  return fault === undefined ? (rumours as Rumour[]) : refuse('invalid', fault)
}

/** Why tags cannot be told to others; undefined if they can. */
export function tagsFault(tags: unknown): string | undefined {
  if (typeof tags !== 'object' || tags === null || Array.isArray(tags)) return 'tags: must be an object'
  let length = 0
  for (const [name, value] of Object.entries(tags as Tags)) {
    if (typeof value !== 'string') return `tags.${name}: must be a text`
    length += name.length + value.length
  }
  return length <= TAGS_LENGTH_MAX ? undefined : `tags: ${length} characters, ${TAGS_LENGTH_MAX} are allowed`
}

/** Why something is no record of a member; undefined if it is one. */
export function recordFault(record: unknown): string | undefined {
  if (typeof record !== 'object' || record === null) return 'a member must be an object'
  const { name, id, peer, address, port, tags, incarnation, status, ltime, place } = record as Record<string, unknown>
  if (!isName(name)) return 'name: must be a name'
  if (typeof id !== 'string' || !UUID.test(id)) return 'id: must be a UUID'
  if (!isName(peer)) return 'peer: must be a name'
  if (!isName(address)) return 'address: must be a name'
  if (!isWhole(port) || port > 65_535) return 'port: must be a port'
  if (!isWhole(incarnation)) return 'incarnation: must be a whole number'
  if (!isWhole(ltime)) return 'ltime: must be a whole number'
  if (typeof status !== 'string' || !STATUSES.has(status)) return 'status: unknown'
  if (place !== placeOf(id)) return 'place: does not belong to the id'
  return tagsFault(tags)
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const ABOUT_ONE: ReadonlySet<string> = new Set(['accused', 'withdrawn', 'failed', 'disputed', 'pruned'] satisfies News['is'][])
const STATUSES: ReadonlySet<string> = new Set(['alive', 'leaving', 'failed', 'left'] satisfies MemberRecord['status'][])

function messageFault(message: Record<string, unknown>): string | undefined {
  switch (message['do']) {
    case 'hello':
      if (!isWhole(message['version'])) return 'version: must be a whole number'
      if (!isName(message['datacenter'])) return 'datacenter: must be a name'
      if (message['wan'] !== undefined && message['wan'] !== true) return 'wan: must be true'
      return recordFault(message['me'])
    case 'refused':
      return typeof message['why'] === 'string' ? undefined : 'why: must be a text'
    case 'compare':
      return isList(message['sums'], SUMS, isWhole) && message['sums'].length === SUMS ? undefined : `sums: must be ${SUMS} numbers`
    case 'records':
      if (typeof message['isLast'] !== 'boolean') return 'isLast: must be true or false'
      if (!isList(message['differing'], SUMS, (part) => isWhole(part) && part < SUMS)) return 'differing: must be numbers of parts'
      if (!isList(message['records'], RECORDS_MAX, isAnything)) return `records: must be a list of at most ${RECORDS_MAX}`
      return firstFault(message['records'], recordFault)
    case 'ping':
    case 'ack':
    case 'heard':
    case 'unheard':
    case 'where':
      return isWhole(message['seq']) ? undefined : 'seq: must be a whole number'
    case 'probe':
      if (!isWhole(message['seq'])) return 'seq: must be a whole number'
      if (!isWhole(message['withinMs'])) return 'withinMs: must be a whole number'
      return isName(message['name']) ? undefined : 'name: must be a name'
    case 'here':
      if (!isWhole(message['seq'])) return 'seq: must be a whole number'
      return coordinateFault(message['coordinate'])
    case 'keys':
      if (!isName(message['id'])) return 'id: must be a name'
      if (!isList(message['keys'], KEYS_MAX, isName)) return `keys: must be a list of at most ${KEYS_MAX}`
      return typeof message['why'] === 'string' ? undefined : 'why: must be a text'
    case 'news':
      return rumoursFault(message['rumours'])
    default:
      return `do: unknown message ${JSON.stringify(message['do'])?.slice(0, 40)}`
  }
}

function rumoursFault(rumours: unknown): string | undefined {
  if (!isList(rumours, RUMOURS_MAX, isAnything)) return `rumours: must be a list of at most ${RUMOURS_MAX}`
  return firstFault(rumours, rumourFault)
}

function rumourFault(rumour: unknown): string | undefined {
  if (typeof rumour !== 'object' || rumour === null) return 'a rumour must be an object'
  const { via, is, member, name, incarnation, by, accusers, isLoud, number, told, saidMs } = rumour as Record<string, unknown>
  if (!isList(via, VIA_MAX, isName)) return 'via: must be a list of names'
  if (saidMs !== undefined && !isWhole(saidMs)) return 'saidMs: must be a whole number'
  if (is === 'member') return recordFault(member)
  if (is === 'told') return toldFault(told)
  if (is === 'asked') return askedFault(rumour as Record<string, unknown>)
  if (typeof is !== 'string' || !ABOUT_ONE.has(is)) return 'is: unknown rumour'
  if (!isName(name)) return 'name: must be a name'
  if (!isWhole(incarnation)) return 'incarnation: must be a whole number'
  if (!isName(by)) return 'by: must be a name'
  if ((is === 'accused' || is === 'withdrawn') && !isWhole(number)) return 'number: must be a whole number'
  if (is === 'accused' && typeof isLoud !== 'boolean') return 'isLoud: must be true or false'
  if (is !== 'accused' && is !== 'failed') return undefined
  return isList(accusers, VIA_MAX, isName) ? undefined : 'accusers: must be a list of names'
}

function askedFault({ id, from, request }: Record<string, unknown>): string | undefined {
  if (!isName(id) || !isName(from)) return 'asked: id and from must be names'
  return keyRequestFault(request)
}

/** Why something is no question about keys; undefined if it is one. */
export function keyRequestFault(request: unknown): string | undefined {
  if (typeof request !== 'object' || request === null) return 'request: must be an object'
  const { do: what, key } = request as Record<string, unknown>
  if (what === 'list') return undefined
  if (what !== 'install' && what !== 'use' && what !== 'remove') return 'do: unknown request'
  return typeof key === 'string' && key.length <= NAME_LENGTH_MAX ? undefined : 'key: must be a text'
}

function toldFault(told: unknown): string | undefined {
  if (typeof told !== 'object' || told === null) return 'told: must be an object'
  const { id, topic, from, lamportTime, body } = told as Record<string, unknown>
  if (!isName(id) || !isName(topic) || !isName(from)) return 'told: id, topic and from must be names'
  if (!isWhole(lamportTime)) return 'lamportTime: must be a whole number'
  if (typeof body !== 'object' || body === null) return 'body: must be an object'
  return weightOf(body) <= BODY_BYTES_MAX ? undefined : `body: more than ${BODY_BYTES_MAX} bytes`
}

function firstFault(items: readonly unknown[], faultOf: (item: unknown) => string | undefined): string | undefined {
  for (const item of items) {
    const fault = faultOf(item)
    if (fault !== undefined) return fault
  }
  return undefined
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= NAME_LENGTH_MAX
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isList<T>(value: unknown, lengthMax: number, isItem: (item: unknown) => item is T): value is T[]
function isList(value: unknown, lengthMax: number, isItem: (item: unknown) => boolean): value is unknown[]
function isList(value: unknown, lengthMax: number, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length <= lengthMax && value.every(isItem)
}

function isAnything(_item: unknown): boolean {
  return true
}
