import { type Decision, decide, type Rule } from '../../../actors/intentions/decide.ts'
import { json, reads } from '../reads.ts'
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
  /** Calls whenever the intentions change. The answer ends it. */
  onChange(changed: () => void): () => void
  /** Lets the agent know of a refusal, so that its record of decisions has it; of each caller one at a time. */
  record(peer: Peer): void
  readonly ended: Promise<unknown>
}
export type Verdict = Pick<Decision, 'allowed' | 'reason'>

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
  const told = new Set<() => void>()
  const recording = new Set<string>()
  const following = keepFollowing(transport, reads.intentionsMatching('destination', service), {
    signal,
    failed(error) {
      isInterrupted = true
      log({ did: 'failed', what: 'intentions', error })
    },
    took(intentions) {
      rules = intentions.map(ruleOf)
      // An agent that was away may have been started with another default.
      if (isInterrupted) defaultAllow = undefined
      isInterrupted = false
      for (const tell of told) tell()
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
      return { allowed, reason }
    } catch (error) {
      return { allowed: false, reason: `the agent could not be asked: ${error instanceof Error ? error.message : String(error)}` }
    }
  }
  return {
    ready: following.first,
    ended: following.ended,
    judge(peer) {
      const decision = decide(rules, peer.service, service, defaultAllow ?? false)
      return decision.rule === undefined && defaultAllow === undefined ? ask(peer) : decision
    },
    onChange(changed) {
      told.add(changed)
      return () => told.delete(changed)
    },
    record(peer) {
      if (recording.has(peer.uri)) return
      recording.add(peer.uri)
      asked(peer)
        .catch((error: unknown) => {
          if (!signal.aborted) log({ did: 'failed', what: 'intentions', error })
        })
        .finally(() => recording.delete(peer.uri))
    },
  }
}

/** How the agent's reason begins when an intention decided. */
const MATCHED = 'Matched '

function ruleOf({ ID = '', SourceName: source, DestinationName: destination, Action, Permissions }: Intention): Rule {
  // Whoever does not look into requests denies what has permissions.
  const permissions = Permissions?.length ? { permissions: Permissions.map(() => ({ Action: 'deny' as const, HTTP: {} })) } : {}
  return { id: ID, source, destination, action: Action ?? 'deny', ...permissions }
}
