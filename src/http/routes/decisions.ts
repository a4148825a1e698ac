import { decisionsRef, type Occurrence, REFUSED_KINDS, type RefusedRow, type Told } from '../../../actors/decisions/protocol.ts'
import { isRefused, type Result, refuse } from '../../kernel/refusal.ts'
import { waitOf } from '../blocking.ts'
import { decodeFields } from '../decode-body.ts'
import { goTime } from '../go-time.ts'
import { jsonOf } from '../parameters.ts'
import { question, type Route } from '../route.ts'

/** GET /v1/tribune/decisions?source=&destination=: who was refused on this agent and why, the newest last. Blocks like a read. */
export const decisionsRoute: Route = {
  method: 'GET',
  path: '/v1/tribune/decisions',
  async run({ query, token }, context) {
    const wait = waitOf(query, context.settings)
    if (!('waitMs' in wait)) return wait
    const about = { source: query.get('source') ?? '', destination: query.get('destination') ?? '', token }
    // An index of an earlier life of the agent is not waited for.
    const isWanted = (_rows: readonly RefusedRow[], index: number) => index !== wait.index
    const found = await context.awaited(decisionsRef, 'decisions', about, isWanted, wait.waitMs)
    if (!found) return { status: 503, text: 'the decisions of this agent cannot be had now' }
    return { headers: { 'X-Consul-Index': String(found.index) }, json: found.value.map(shownDecision) }
  },
}

export function shownDecision({ side, source, destination, kind, cause, count, firstMs, lastMs, newest, index }: RefusedRow): object {
  return {
    Side: side,
    Source: source,
    Destination: destination,
    Kind: kind,
    Cause: cause,
    Count: count,
    First: goTime(firstMs),
    Last: goTime(lastMs),
    Newest: newest.map(shownOccurrence),
    Index: index,
  }
}

function shownOccurrence({ atMs, uri, serial, from }: Occurrence): object {
  return { At: goTime(atMs), URI: uri, SerialNumber: serial, From: from }
}

const TOLD_MAX = 100
const COUNT_MAX = 1_000_000

/** PUT /v1/tribune/decisions: what the data plane of somebody else has refused, or an application that is in the mesh by itself. A list with
 * fields as GET shows them; the time is now. */
export const decisionsPutRoute: Route = {
  method: 'PUT',
  path: '/v1/tribune/decisions',
  ask({ body, token }) {
    const decoded = jsonOf(body)
    if (isRefused(decoded)) return { status: 400, text: `Bad request: ${decoded.why}` }
    const list = decoded.value
    if (!Array.isArray(list) || list.length === 0 || list.length > TOLD_MAX)
      return { status: 400, text: `Bad request: must be a list of 1 to ${TOLD_MAX} decisions` }
    const refused: Told[] = []
    for (const [position, item] of list.entries()) {
      const told = toldOf(item)
      if (isRefused(told)) return { status: 400, text: `Bad request: [${position}]: ${told.why}` }
      refused.push(told)
    }
    return question(decisionsRef, 'add', { refused, token })
  },
  reply: () => ({}),
}

function toldOf(item: unknown): Result<Told> {
  const decoded = decodeFields(item, {
    Side: 'string',
    Source: 'string',
    Destination: 'string',
    Kind: 'string',
    Cause: 'string',
    Count: 'number',
    URI: 'string',
    SerialNumber: 'string',
    From: 'string',
  })
  if (isRefused(decoded)) return decoded
  const { Side: side, Source: source = '', Destination: destination = '', Cause: cause = '', Count: count = 1 } = decoded
  const kind = REFUSED_KINDS.find((one) => one === decoded.Kind)
  if (side !== 'inbound' && side !== 'outbound') return refuse('invalid', 'Side: must be "inbound" or "outbound"')
  if (kind === undefined) return refuse('invalid', `Kind: must be one of ${REFUSED_KINDS.join(', ')}`)
  if (destination === '') return refuse('invalid', 'Destination: is missing')
  if (side === 'outbound' && source === '') return refuse('invalid', 'Source: is missing')
  if (cause === '') return refuse('invalid', 'Cause: is missing')
  if (!Number.isInteger(count) || count < 1 || count > COUNT_MAX)
    return refuse('invalid', `Count: must be a whole number from 1 to ${COUNT_MAX}`)
  const { URI: uri = '', SerialNumber: serial = '', From: from = '' } = decoded
  return { side, source, destination, kind, cause, count, uri, serial, from }
}
