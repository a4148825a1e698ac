import { isRefused, type Result } from '../kernel/refusal.ts'
import { type HttpClient, parseJson } from './http.ts'

/** What /v1/tribune/gossip answers. Rates in a second; `null`: not known yet. */
export type Gossip = {
  Node: string
  HealthScore: number
  Connections: number
  Rates: GossipFigures | null
  Totals: GossipFigures | null
  Spread: { Rumours: number; MedianMs: number; P99Ms: number; StepsMax: number } | null
  Members: GossipMember[]
}
export type GossipFigures = { MessagesOut: number; BytesOut: number; MessagesIn: number; BytesIn: number }
/** In the order of the ring. */
export type GossipMember = {
  Name: string
  Address: string
  Port: number
  Status: string
  Incarnation: number
  Place: number
  IsSelf: boolean
  IsWatched: boolean
}

/** One row of /v1/tribune/gossip/trace. */
export type GossipEntry = {
  Number: number
  At: string
  What: string
  Member: string
  Incarnation: number
  By: string
  Via: string[]
  Why: string
}

export type Looked<Value> = { value: Value; index: number }

/** Asks for something that may be waited for: `index` 0 is not to wait. */
export async function look<Value>(
  http: HttpClient,
  path: string,
  params: Record<string, string | undefined>,
  { index, wait, signal }: { index: number; wait: string; signal: AbortSignal | undefined },
): Promise<Result<Looked<Value>>> {
  const waiting = index === 0 ? {} : { index: String(index), wait }
  const reply = await http.request('GET', path, { params: { ...params, ...waiting }, ...(signal && { signal }) })
  if (isRefused(reply)) return reply
  const body = parseJson<Value>(reply.body.toString('utf8'), path)
  return isRefused(body) ? body : { value: body.value, index: Number(reply.headers['x-consul-index'] ?? 0) }
}
