import type { SessionCreate } from '../../actors/sessions/commands.ts'
import type { ServiceCheck, SessionBehavior } from '../../actors/sessions/tables.ts'
import { parseDuration } from '../config/durations.ts'
import { isRefused, type Refusal, type Result, refuse } from '../kernel/refusal.ts'
import { decodeBody } from './decode-body.ts'
import { Misfit, readFields } from './loose-body.ts'

/** A session as a body asks for it, with what Consul fills in; `undecodable` follows `Request decode failed: `. Source: http-api §7. */
export function sessionOf(body: Buffer, ownNode: string): Omit<SessionCreate, 'id'> | { undecodable: string } | Refusal {
  const read = body.byteLength === 0 ? {} : decodeBody(body, FIELDS)
  if (isRefused(read)) return { undecodable: read.why }
  const lockDelayMs = read.LockDelay === undefined ? LOCK_DELAY_MS : delayOf(read.LockDelay)
  if (isRefused(lockDelayMs)) return { undecodable: lockDelayMs.why }
  const lists = checksOf(read)
  if (isRefused(lists)) return { undecodable: lists.why }
  const { Node: node = ownNode, Name: name = '', Behavior: behavior = 'release', TTL: ttl = '' } = read
  if (node === '') return refuse('conflict', 'Must provide Node')
  if (behavior !== '' && !isBehavior(behavior)) return refuse('conflict', `Invalid Behavior setting '${behavior}'`)
  const ttlMs = ttl === '' ? 0 : parseDuration(ttl)
  if (isRefused(ttlMs)) return refuse('conflict', `Session TTL '${ttl}' invalid: ${ttlMs.why}`)
  return { name, node, lockDelayMs, behavior: behavior === '' ? 'release' : behavior, ttl, ttlMs, ...lists }
}

const LOCK_DELAY_MS = 15_000
/** Numbers below this are seconds, others nanoseconds. */
const NANOSECONDS_FROM = 1_000_000
/** A duration has 64 bits of nanoseconds. */
const DELAY_MS_MAX = 2 ** 63 / 1e6
const SERF_HEALTH = 'serfHealth'

const FIELDS = {
  ID: 'string',
  Name: 'string',
  Node: 'string',
  LockDelay: 'any',
  Behavior: 'string',
  TTL: 'string',
  NodeChecks: 'list',
  ServiceChecks: 'list',
  Checks: 'list',
  CreateIndex: 'ignored',
  ModifyIndex: 'ignored',
} as const

function isBehavior(text: string): text is SessionBehavior {
  return text === 'release' || text === 'delete'
}

/** In ms. */
function delayOf(value: unknown): Result<number> {
  if (typeof value === 'string') return parseDuration(value)
  if (typeof value !== 'number') return 0
  const delayMs = value < NANOSECONDS_FROM ? value * 1_000 : value / 1e6
  return Math.abs(delayMs) <= DELAY_MS_MAX ? delayMs : refuse('invalid', `LockDelay is out of range: ${value}`)
}

type Lists = Pick<SessionCreate, 'nodeChecks' | 'serviceChecks' | 'checks'>

/** `Checks` is what node checks were called before; it counts where they are not given. */
function checksOf(given: { NodeChecks?: unknown[]; ServiceChecks?: unknown[]; Checks?: unknown[] }): Result<Lists> {
  try {
    const checks = given.Checks ? textsOf(given.Checks, 'Checks') : null
    const nodeChecks = given.NodeChecks ? textsOf(given.NodeChecks, 'NodeChecks') : (checks ?? [SERF_HEALTH])
    const serviceChecks = given.ServiceChecks?.map((item, position) => serviceCheckOf(item, position)) ?? null
    return { nodeChecks, serviceChecks, checks }
  } catch (error) {
    if (error instanceof Misfit) return refuse('invalid', error.message)
    throw error
  }
}

function textsOf(list: unknown[], at: string): string[] {
  return readFields({ [at]: list }, '').list(at)
}

function serviceCheckOf(item: unknown, position: number): ServiceCheck {
  const fields = readFields(item, `ServiceChecks[${position}]`)
  return { id: fields.text('ID'), namespace: fields.text('Namespace') }
}
