import type { Turn } from '../../src/kernel/actor.ts'
import type { MeshEvent } from '../../src/kernel/ports.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { type Decision, decide, ruleText } from '../intentions/decide.ts'
import { parseIdentity } from '../spiffe.ts'
import { measureLater, metricOf } from './metrics.ts'
import { pairOf } from './pairs.ts'
import { proxyHeader } from './proxy-header.ts'
import { kindOf, loudness, tellRefused } from './refusals.ts'
import { type Inbound, type ProxyOwn, type ProxyState, PUBLIC } from './state.ts'

/** Lets a connection of the mesh through to the application, or refuses it with one line in the log. */
export function admit(state: ProxyState, event: Extract<MeshEvent, { did: 'accepted' }>, turn: Turn<ProxyOwn>): void {
  const { connection, from, to = '', peer, handshakeMs } = event
  const { inbound } = state.args
  const identity = parseIdentity(peer?.uri ?? '')
  if (!inbound || isRefused(identity) || identity.kind !== 'service') {
    const { uri = '', serial = '' } = peer ?? {}
    const cause = 'its identity is not that of a service'
    tellRefused(state, turn, { side: 'inbound', kind: 'identity', cause, uri, serial, from })
    return turnAway(state, connection, { source: peer?.uri ?? 'nobody', serial, from }, cause, turn)
  }
  const { service: source, trustDomain } = identity
  const entry: Inbound = { source, trustDomain, uri: peer?.uri ?? '', serial: peer?.serial ?? '', from, closing: false, ...NOTHING }
  const decision = judge(state, entry)
  const pair = pairOf(state, 'from', source)
  if (!decision.allowed) {
    pair.refused++
    tellJudged(state, entry, decision, turn)
    return turnAway(state, connection, entry, ruleOf(decision), turn)
  }
  pair.accepted++
  pair.open++
  state.accepted++
  state.inbound.set(connection, entry)
  measureLater(state, turn)
  turn.count('proxy.inbound.connections')
  if (handshakeMs !== undefined) turn.measure(metricOf(state, turn.self.key, 'inbound', 'handshake_time', pair.service), handshakeMs)
  turn.act(
    'mesh',
    {
      do: 'connect',
      connection,
      host: inbound.localHost,
      port: inbound.localPort,
      ...(inbound.localSocketPath !== '' && { socketPath: inbound.localSocketPath }),
      withinMs: inbound.connectWithinMs,
      ...(inbound.sendProxy && { greeting: proxyHeader({ from, to, uri: entry.uri }) }),
    },
    { then: (outcome) => ({ name: 'asked', request: { connection, outcome } }) },
  )
}

/** Somebody did not get as far as showing who it is, or came when there were too many. */
export function handshakeFailed(
  state: ProxyState,
  door: number,
  { why, from, serial }: Extract<MeshEvent, { did: 'handshake-failed' }>,
  turn: Turn<ProxyOwn>,
): void {
  const { service } = state.args
  if (door !== PUBLIC) return turn.print('warn', 'Could not accept a connection of the application', { source: service, error: why })
  const isLimit = TOO_MANY.test(why)
  const onlyLooked = ONLY_LOOKED.test(why)
  turn.count('proxy.inbound.handshake_failed')
  if (!onlyLooked)
    tellRefused(state, turn, { side: 'inbound', kind: isLimit ? 'limit' : 'handshake', cause: why, serial: serial ?? '', from })
  if (isLimit) state.refused++
  const level = onlyLooked ? 'debug' : isLimit ? loudness(state, 'limit', 'warn', turn.nowMs) : 'warn'
  turn.print(level, isLimit ? 'Refused a connection' : 'Handshake failed', { from, destination: service, error: why, serial })
}

/** How the mesh reports somebody who only looked whether the port is open, as health checks do. */
const ONLY_LOOKED = /^the (connection was closed|TLS handshake took too long)/
const TOO_MANY = /^too many connections/
const NOTHING = { receivedBytes: 0, sentBytes: 0 }

/** Judges by new intentions from now on. They are in force once the last connection that they forbid is closed. */
export function enforce(state: ProxyState, index: number, turn: Turn<ProxyOwn>): void {
  const { sinceMs = turn.nowMs, closed = 0 } = state.enforcing ?? {}
  const before = state.closedByIntentions
  const left = new Set(judgeAgain(state, turn))
  state.enforcing = { index, sinceMs, left, closed: closed + state.closedByIntentions - before }
  settleEnforced(state, turn)
}

/** A connection is closed, both legs. Answers whether newer intentions are in force thereby. */
export function connectionEnded(state: ProxyState, connection: number, turn: Turn<ProxyOwn>): boolean {
  return state.enforcing?.left.delete(connection) === true && settleEnforced(state, turn)
}

function settleEnforced(state: ProxyState, turn: Turn<ProxyOwn>): boolean {
  if (!state.enforcing || state.enforcing.left.size > 0) return false
  const { index, sinceMs, closed } = state.enforcing
  state.enforced = { intentionIndex: index, enforcedMs: Math.max(0, turn.nowMs - sinceMs), closedConnections: closed }
  state.enforcing = undefined
  return true
}

/** Closes every open connection that the present intentions and roots do not allow. Answers all that are not allowed. */
export function judgeAgain(state: ProxyState, turn: Turn<ProxyOwn>): number[] {
  const forbidden: number[] = []
  for (const [connection, entry] of state.inbound) {
    const decision = judge(state, entry)
    if (decision.allowed) continue
    forbidden.push(connection)
    if (entry.closing) continue
    entry.closing = true
    state.closedByIntentions++
    turn.count('proxy.inbound.closed_by_intentions')
    const rule = ruleOf(decision)
    tellJudged(state, entry, decision, turn)
    turn.print('warn', 'Closed a connection that is no longer allowed', factsOf(state, entry, rule))
    turn.act('mesh', { do: 'close', connection, why: rule })
  }
  return forbidden
}

/** The application could not be reached for somebody who was let in. */
export function applicationAbsent(state: ProxyState, connection: number, why: string, turn: Turn<ProxyOwn>): void {
  const entry = state.inbound.get(connection)
  if (!entry || entry.closing) return
  entry.closing = true
  const { source, uri, serial, from } = entry
  tellRefused(state, turn, { side: 'inbound', kind: 'application', cause: why, source, uri, serial, from })
  turn.print('error', 'Could not reach the local application', { source: entry.source, service: state.args.service, error: why })
  turn.act('mesh', { do: 'close', connection, why })
}

function judge(state: ProxyState, { source, trustDomain }: Inbound): Decision {
  const { bundle, intentions, args } = state
  if (!bundle || !intentions) return { allowed: false, reason: 'the intentions are not known yet' }
  if (trustDomain.toLowerCase() !== bundle.trustDomain) {
    return { allowed: false, reason: `Identity from an external trust domain: ${trustDomain}` }
  }
  return decide(intentions.list, source, args.service, intentions.defaultAllow)
}

function turnAway(
  state: ProxyState,
  connection: number,
  who: Pick<Inbound, 'source' | 'serial' | 'from'>,
  rule: string,
  turn: Turn<ProxyOwn>,
): void {
  state.refused++
  turn.count('proxy.inbound.refused')
  turn.print('warn', 'Refused a connection', factsOf(state, who, rule))
  turn.act('mesh', { do: 'close', connection, why: rule })
}

function tellJudged(
  state: ProxyState,
  { source, trustDomain, uri, serial, from }: Inbound,
  decision: Decision,
  turn: Turn<ProxyOwn>,
): void {
  const kind = kindOf(state, trustDomain, decision)
  tellRefused(state, turn, { side: 'inbound', kind, cause: ruleOf(decision), source, uri, serial, from })
}

function ruleOf({ rule, reason }: Decision): string {
  return rule ? ruleText(rule) : reason
}

function factsOf(
  { args }: ProxyState,
  { source, serial, from }: Pick<Inbound, 'source' | 'serial' | 'from'>,
  rule: string,
): Record<string, unknown> {
  return { source, destination: args.service, rule, serial, from }
}
