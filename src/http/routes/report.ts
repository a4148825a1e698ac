import { type LeafFacts, leafRef } from '../../../actors/leaf/protocol.ts'
import { localRef } from '../../../actors/local/protocol.ts'
import { proxiesRef } from '../../../actors/proxies/protocol.ts'
import type { InForce } from '../../../actors/proxy/protocol.ts'
import { RISK_FROM } from '../../../actors/reports/expiry.ts'
import { parseDuration } from '../../config/durations.ts'
import { isRefused, type Result, refuse } from '../../kernel/refusal.ts'
import type { EdgeContext } from '../context.ts'
import { decodeBody } from '../decode-body.ts'
import type { Route } from '../route.ts'

const WITHIN_MS_USUAL = 30_000
const WITHIN_MS_MIN = 5_000
const WITHIN_MS_MAX = 600_000
const ROOTS_MAX = 64
const ROOT_ID_LENGTH_MAX = 256
const PROCESS = /^[\w.-]{0,64}$/
const SERIAL = /^[0-9a-f]{2}(:[0-9a-f]{2}){0,31}$/

/** PUT /v1/tribune/report/:service-id: an application that is in the mesh by itself, or a proxy that the agent does not run, says what it has
 * in force, and again before `TTL` is over. It has to be registered with this agent: as native, or as a proxy. */
export const reportRoute: Route = {
  method: 'PUT',
  path: '/v1/tribune/report/*id',
  async run({ rest: serviceId, body, token }, context) {
    const written = reportOf(body)
    if (isRefused(written)) return { status: 400, text: `Bad request: ${written.why}` }
    const teller = await tellerOf(serviceId, context)
    if (isRefused(teller)) return teller
    const { service } = teller
    const { process, withinMs, open, leaf, ...rest } = written
    const facts = await context.asked(leafRef, 'find', { service, serial: leaf.serial })
    if (isRefused(facts)) return facts
    const certificate = leafOf(leaf, facts)
    if (isRefused(certificate)) return { status: 400, text: `Bad request: ${certificate.why}` }
    const told = { serviceId, ...teller, process, withinMs, open, inForce: { ...rest, ...certificate } }
    const taken = await context.asked(proxiesRef, 'applicationTells', { ...told, token })
    return isRefused(taken) ? taken : {}
  },
  statusOf: { conflict: 409 },
}

/** DELETE /v1/tribune/report/:service-id?process=: it ends, or does not tell any more. Done too if it never told. */
export const reportEndRoute: Route = {
  method: 'DELETE',
  path: '/v1/tribune/report/*id',
  async run({ rest: serviceId, query, token }, context) {
    const process = query.get('process') ?? ''
    if (!PROCESS.test(process)) return { status: 400, text: `Invalid process: ${PROCESS_RULE}` }
    const found = await context.asked(localRef, 'service', { serviceId })
    if (isRefused(found)) return found
    // What was told of a service goes with it.
    if (!found.service) return {}
    const { name, proxy } = found.service.definition
    const service = proxy?.destinationServiceName ?? name
    const ended = await context.asked(proxiesRef, 'applicationEnds', { serviceId, service, process, token })
    return isRefused(ended) ? ended : {}
  },
}

const PROCESS_RULE = 'must be up to 64 letters, digits and ._-'

type Written = Omit<InForce, keyof Certificate> & {
  process: string
  withinMs: number
  open: number
  leaf: WrittenLeaf
}
type Certificate = Pick<InForce, 'leafSerial' | 'leafKeyId' | 'leafIssuedMs' | 'leafRenewAtMs' | 'leafWhy' | 'leafValidUntilMs'>
/** 0 where a time is not given. */
type WrittenLeaf = { serial: string; validAfterMs: number; validBeforeMs: number }

function reportOf(body: Buffer): Result<Written> {
  const decoded = decodeBody(body, {
    Process: 'string',
    TTL: 'string',
    TrustedRoots: 'list',
    RootsIndex: 'number',
    LeafSerialNumber: 'string',
    LeafValidAfter: 'string',
    LeafValidBefore: 'string',
    IntentionIndex: 'number',
    EnforcedMs: 'number',
    ClosedConnections: 'number',
    ConnectionsOpen: 'number',
  })
  if (isRefused(decoded)) return decoded
  const { Process: process = '', TTL: ttl, TrustedRoots: bundle = [], LeafSerialNumber: serial = '' } = decoded
  const validAfterMs = timeOf('LeafValidAfter', decoded.LeafValidAfter)
  const validBeforeMs = timeOf('LeafValidBefore', decoded.LeafValidBefore)
  const withinMs = ttl === undefined ? WITHIN_MS_USUAL : withinOf(ttl)
  const { RootsIndex = 0, IntentionIndex, EnforcedMs = 0, ClosedConnections = 0, ConnectionsOpen = 0 } = decoded
  if (IntentionIndex === undefined) return refuse('invalid', 'IntentionIndex: is missing')
  const counts = { RootsIndex, IntentionIndex, EnforcedMs, ClosedConnections, ConnectionsOpen }
  const odd = Object.entries(counts).find(([, count]) => !Number.isSafeInteger(count) || count < 0)
  if (odd) return refuse('invalid', `${odd[0]}: ${odd[1]} is no whole number from 0 on`)
  if (!PROCESS.test(process)) return refuse('invalid', `Process: ${PROCESS_RULE}`)
  if (!SERIAL.test(serial))
    return refuse('invalid', 'LeafSerialNumber: must be bytes in lower-case hex with colons between, as the leaf has it')
  if (!isRootList(bundle)) return refuse('invalid', `TrustedRoots: must be the IDs of 1 to ${ROOTS_MAX} roots`)
  if (isRefused(validAfterMs)) return validAfterMs
  if (isRefused(validBeforeMs)) return validBeforeMs
  if (isRefused(withinMs)) return withinMs
  return {
    process,
    withinMs,
    rootsIndex: RootsIndex,
    bundle: [...new Set(bundle)].sort(),
    leaf: { serial, validAfterMs, validBeforeMs },
    intentionIndex: IntentionIndex,
    enforcedMs: EnforcedMs,
    closedConnections: ClosedConnections,
    open: ConnectionsOpen,
  }
}

function isRootList(list: readonly unknown[]): list is string[] {
  const isId = (id: unknown) => typeof id === 'string' && id !== '' && id.length <= ROOT_ID_LENGTH_MAX
  return list.length > 0 && list.length <= ROOTS_MAX && list.every(isId)
}

function timeOf(field: string, text: string | undefined): Result<number> {
  const ms = text === undefined ? 0 : Date.parse(text)
  return Number.isNaN(ms) ? refuse('invalid', `${field}: ${JSON.stringify(text)} is no time`) : ms
}

function withinOf(text: string): Result<number> {
  const ms = parseDuration(text)
  if (isRefused(ms)) return refuse('invalid', `TTL: ${ms.why}`)
  return ms >= WITHIN_MS_MIN && ms <= WITHIN_MS_MAX ? Math.round(ms) : refuse('invalid', `TTL: ${text} is not from 5s to 10m`)
}

type Teller = { service: string; kind: 'native' | 'proxy' }

/** Of which service an application or a proxy of this agent tells. */
async function tellerOf(serviceId: string, { asked }: EdgeContext): Promise<Result<Teller>> {
  const found = await asked(localRef, 'service', { serviceId })
  if (isRefused(found)) return found
  if (!found.service) return refuse('missing', `unknown service ID: ${serviceId}`)
  const { name, kind, connect, proxy } = found.service.definition
  if (connect?.native) return { service: name, kind: 'native' }
  if (kind === 'connect-proxy' && proxy && !proxy.reports) return { service: proxy.destinationServiceName, kind: 'proxy' }
  return refuse('invalid', `service ${JSON.stringify(serviceId)} is neither registered with Connect.Native nor a proxy of its own`)
}

/** The agent knows more of a leaf that it gave than whoever shows it. Of another one, it cannot say who signed it. */
function leafOf({ serial, validAfterMs, validBeforeMs }: WrittenLeaf, facts: LeafFacts | null): Result<Certificate> {
  const times = facts ?? claimedTimes(serial, validAfterMs, validBeforeMs)
  if (isRefused(times)) return times
  return {
    leafSerial: serial,
    leafKeyId: times.signingKeyId,
    leafIssuedMs: times.issuedMs,
    leafRenewAtMs: times.renewAtMs,
    leafWhy: times.renewalWhy,
    leafValidUntilMs: times.validBeforeMs,
  }
}

function claimedTimes(serial: string, validAfterMs: number, validBeforeMs: number): Result<LeafFacts> {
  const missing = validAfterMs === 0 ? 'LeafValidAfter' : validBeforeMs === 0 ? 'LeafValidBefore' : undefined
  if (missing) return refuse('invalid', `${missing}: is missing, and this agent does not know the certificate ${serial}`)
  if (validBeforeMs <= validAfterMs) return refuse('invalid', 'LeafValidBefore: is not after LeafValidAfter')
  const renewAtMs = Math.round(validAfterMs + RISK_FROM * (validBeforeMs - validAfterMs))
  return { signingKeyId: '', issuedMs: validAfterMs, renewAtMs, validBeforeMs, renewalWhy: '' }
}
