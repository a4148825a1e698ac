import type { ProxyStatus } from '../../actors/proxy/protocol.ts'
import type { HttpClient } from '../cli/http.ts'
import { keepTelling } from '../client/connect/report.ts'
import { isRefused } from '../kernel/refusal.ts'

/** What a proxy has in force, as `PUT /v1/tribune/report/` takes it. */
export type InForceBody = {
  TrustedRoots: readonly string[]
  RootsIndex: number
  LeafSerialNumber: string
  LeafValidAfter: string
  LeafValidBefore: string
  IntentionIndex: number
  EnforcedMs: number
  ClosedConnections: number
}

export type ReportOptions = {
  http: HttpClient
  /** Of the proxy's own service with the agent. */
  proxyId: string
  signal: AbortSignal
  /** Of several failures in a row, the first. */
  failed(why: string): void
}

const END_WITHIN_MS = 1_000
/** Of an agent that has no such service yet, or of one of Consul. */
const UNKNOWN_THERE = [404, 405]

/** Tells the agent what a proxy of this process has in force, until the signal comes; then that it ends. */
export class ForceReport {
  readonly #options: ReportOptions
  readonly #path: string
  #body: InForceBody | undefined
  #changed: () => void = () => undefined
  #telling: Promise<void> | undefined

  constructor(options: ReportOptions) {
    this.#options = options
    this.#path = `/v1/tribune/report/${options.proxyId}`
  }

  /** It holds for every new connection and for those that are open. */
  holds(body: InForceBody): void {
    if (JSON.stringify(body) === JSON.stringify(this.#body)) return
    this.#body = body
    this.#changed()
    this.#telling ??= this.#keep()
  }

  /** After the signal. */
  async end(): Promise<void> {
    if (!this.#telling) return
    await this.#telling
    await this.#options.http.request('DELETE', this.#path, { signal: AbortSignal.timeout(END_WITHIN_MS) })
  }

  #keep(): Promise<void> {
    const { http, signal, failed } = this.#options
    const unknown = new Error('the agent does not know of it')
    const tell = async () => {
      const reply = await http.request('PUT', this.#path, { body: { ...this.#body }, signal, also: UNKNOWN_THERE })
      if (isRefused(reply)) throw new Error(reply.why)
      if (UNKNOWN_THERE.includes(reply.status)) throw unknown
    }
    const changes = [
      (changed: () => void) => {
        this.#changed = changed
        return () => undefined
      },
    ]
    const complain = (error: unknown) => {
      if (error !== unknown) failed(error instanceof Error ? error.message : String(error))
    }
    return keepTelling(signal, tell, { changes, failed: complain }).ended
  }
}

/** Undefined while it takes no connections of the mesh. */
export function inForceBody(status: ProxyStatus): InForceBody | undefined {
  const { phase, port, bundle, leafSerial } = status
  if (phase !== 'listening' || port === 0 || leafSerial === '' || bundle.length === 0) return undefined
  return {
    TrustedRoots: bundle,
    RootsIndex: status.rootsIndex,
    LeafSerialNumber: leafSerial,
    LeafValidAfter: new Date(status.leafIssuedMs).toISOString(),
    LeafValidBefore: new Date(status.leafValidUntilMs).toISOString(),
    IntentionIndex: status.intentionIndex,
    EnforcedMs: status.enforcedMs,
    ClosedConnections: status.closedConnections,
  }
}
