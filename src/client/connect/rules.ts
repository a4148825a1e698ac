import { type Decision, decide, type Rule } from '../../../actors/intentions/decide.ts'
import { indexed, json, reads } from '../reads.ts'
import type { Authorization, Intention } from '../shapes.ts'
import type { Transport } from '../transport.ts'
import type { Log } from './events.ts'
import { keepFollowing } from './keep.ts'
import type { Peer } from './peer.ts'

/** Who may connect to a service, judged here by the newest intentions. */
export type Rules = {
  readonly ready: Promise<void>
  /** What the intentions say; what the agent says where none matches and what holds then is not known yet. Never rejects. */
  judge(peer: Peer): Verdict | Promise<Verdict>
  /** Grows whenever the intentions change. */
  readonly changes: number
  /** Calls whenever the intentions change, for whoever serves as the instance `id`: it closes what they forbid, and says how many that
   * were. The answer ends it. */
  onChange(id: string, changed: () => Promise<number>): () => void
  /** The newest intentions by which everything has been closed that they forbid. */
  inForce(): InForce
  /** Calls whenever that changes. The answer ends it. */
  onEnforced(enforced: () => void): () => void
  readonly ended: Promise<unknown>
}
/** `index`: of the intentions. `tookMs`: from hearing of them until the last connection was closed. `closed`: how many, by instance. */
export type InForce = { readonly index: number; readonly tookMs: number; readonly closed: ReadonlyMap<string, number> }
/** `wasAsked`: of the agent, which has a record of it then. */
export type Verdict = Pick<Decision, 'allowed' | 'reason'> & { wasAsked?: true }

/** The agent answers at once or not at all, and a caller waits. */
const ASK_MS = 5_000

/**
 * Follows the intentions on a service. A change of them is in force here one notice later: some milliseconds, and not before the
 * agent can be reached again when it cannot.
 */
export function followRules(transport: Transport, service: string, signal: AbortSignal, log: Log): Rules {
  let rules: Rule[] = []
  /** What holds where no intention matches: the agents' default, which lasts as long as they run. */
  let defaultAllow: boolean | undefined
  let isInterrupted = false
  let changes = 0
  let inForce: InForce & { change: number } = { index: 0, tookMs: 0, closed: new Map(), change: 0 }
  const told = new Map<() => Promise<number>, string>()
  const toldEnforced = new Set<() => void>()
  const enforce = async (index: number) => {
    const change = ++changes
    const beganMs = performance.now()
    const counts = await Promise.all([...told].map(async ([changed, id]) => [id, await changed()] as const))
    // What came meanwhile is in force already, and more than this.
    if (change < inForce.change) return
    const closed = new Map<string, number>()
    for (const [id, count] of counts) closed.set(id, (closed.get(id) ?? 0) + count)
    inForce = { index, tookMs: Math.ceil(performance.now() - beganMs), closed, change }
    for (const tell of toldEnforced) tell()
  }
  const following = keepFollowing(transport, indexed(reads.intentionsMatching('destination', service)), {
    signal,
    failed(error) {
      isInterrupted = true
      log({ did: 'failed', what: 'intentions', error })
    },
    took({ index, value }) {
      rules = value.map(ruleOf)
      // An agent that was away may have been started with another default.
      if (isInterrupted) defaultAllow = undefined
      isInterrupted = false
      void enforce(index)
    },
    same({ index }) {
      if (index !== inForce.index) void enforce(index)
    },
  })
  const asked = async ({ uri, serial }: Peer): Promise<Authorization> => {
    const body = { Target: service, ClientCertURI: uri, ClientCertSerial: serial }
    return json(await transport.request('POST', '/v1/agent/connect/authorize', { body, signal, timeoutMs: ASK_MS }))
  }
  const ask = async (peer: Peer): Promise<Verdict> => {
    try {
      const { Authorized: allowed, Reason: reason } = await asked(peer)
      if (!reason.startsWith(MATCHED)) defaultAllow = allowed
      return { allowed, reason, wasAsked: true }
    } catch (error) {
      return { allowed: false, reason: `${NOT_ASKED}: ${error instanceof Error ? error.message : String(error)}` }
    }
  }
  return {
    ready: following.first,
    ended: following.ended,
    judge(peer) {
      const decision = decide(rules, peer.service, service, defaultAllow ?? false)
      return decision.rule === undefined && defaultAllow === undefined ? ask(peer) : decision
    },
    get changes() {
      return changes
    },
    onChange(id, changed) {
      told.set(changed, id)
      return () => told.delete(changed)
    },
    inForce: () => inForce,
    onEnforced(enforced) {
      toldEnforced.add(enforced)
      return () => toldEnforced.delete(enforced)
    },
  }
}

/** How a reason begins when an intention decided. */
const MATCHED = 'Matched '
const NOT_ASKED = 'the agent could not be asked'

/** What a refusal with this reason is in the agent's record of decisions, as its sidecars put it. */
export function recordedAs(reason: string): { kind: 'intention' | 'default' | 'not-ready'; cause: string } {
  if (reason.startsWith(MATCHED)) return { kind: 'intention', cause: reason.replace(/^Matched L\d intention: /, '') }
  return { kind: reason.startsWith(NOT_ASKED) ? 'not-ready' : 'default', cause: reason }
}

function ruleOf({ ID = '', SourceName: source, DestinationName: destination, Action, Permissions }: Intention): Rule {
  // Whoever does not look into requests denies what has permissions.
  const permissions = Permissions?.length ? { permissions: Permissions.map(() => ({ Action: 'deny' as const, HTTP: {} })) } : {}
  return { id: ID, source, destination, action: Action ?? 'deny', ...permissions }
}
