import { formatDuration } from '../../src/config/durations.ts'
import type { PlanEvent } from '../plan.ts'

/** What events are called in a sentence, as in "unreachable after losing agent n2". */
const PHRASES: Readonly<Record<string, (event: PlanEvent, nodes: readonly string[]) => string>> = {
  'actor-crash': ({ node, actor }) => `the actor ${actor} on ${node} crashing`,
  'ca.abort': () => 'the change of the root being taken back',
  'ca.leaf-life': ({ leafTtl }) => `certificates living for ${leafTtl}`,
  'ca.plan': () => 'a change of the root being rehearsed',
  'ca.rotate': ({ authority }) => `the root changing to ${authority}`,
  'client-actor-crash': ({ node, actor }) => `the actor ${actor} on ${node} crashing`,
  'clock-jump': ({ node, byMs }) =>
    `the clock of ${node} being wrong by ${formatDuration(Math.round(Math.abs(Number(byMs)) / 1_000) * 1_000)}`,
  'commit-fails': ({ node }) => `a write failing on ${node}`,
  'connections-hang': ({ node }) => `new connections of ${node} hanging`,
  'connections-reset': ({ node }) => `all connections of ${node} being reset`,
  crash: ({ node }) => `losing agent ${node}`,
  'crash-all': () => 'losing all agents',
  'dials-refused': ({ node }) => `${node} refusing new connections`,
  'disk-fails': ({ node }) => `the disk of ${node} failing`,
  'disk-full': ({ node }) => `the disk of ${node} being full`,
  'disk-slow': ({ node }) => `the disk of ${node} being slow`,
  'handshakes-stall': ({ node }) => `handshakes with ${node} stalling`,
  'intention.allow': ({ rule }) => `${rule} being allowed`,
  'intention.delete': ({ rule }) => `the rule ${rule} being removed`,
  'intention.deny': ({ rule }) => `${rule} being denied`,
  'leader-lost': () => 'the leader stepping down',
  'log-lag': ({ node }) => `${node} hearing late of changes`,
  'machine-sleeps': ({ node }) => `${node} being asleep`,
  'one-way-cut': ({ node, to }) => `nothing getting from ${node} to ${to}`,
  'outcomes-unknown': ({ node }) => `${node} not hearing what became of its changes`,
  'packet-loss': ({ node, to }) => `packets being lost between ${node} and ${to}`,
  partition: ({ group }, nodes) => cutOff(String(group).split(' '), nodes),
  'program-stops': ({ node, service, how }) =>
    `the program ${service === undefined ? '' : `${service} `}on ${node} ${PROGRAM_STATES[String(how)] ?? how}`,
  'servers-away': () => 'losing all servers',
  'signer-fails': ({ node, how }) => (how === 'slow' ? `${node} being slow to make certificates` : `${node} making no certificates`),
  'slow-link': ({ node, to }) => `the way between ${node} and ${to} being slow`,
  'thread-crash': ({ node, role }) => `the thread ${role} of ${node} ending`,
  'thread-stall': ({ node, role }) => `the thread ${role} of ${node} stalling`,
  'threads-slow': ({ node }) => `${node} being slow`,
}

const PROGRAM_STATES: Readonly<Record<string, string>> = {
  refused: 'being stopped',
  hangs: 'hanging',
  slow: 'being slow',
  flaky: 'working now and then',
}

/** How long the effects are felt of events that do not say it. */
const EFFECTS_MS: Readonly<Record<string, number>> = {
  'actor-crash': 10_000,
  'client-actor-crash': 10_000,
  'leader-lost': 4_000,
  'thread-crash': 2_000,
}
const EFFECT_MS = 1_000
/** Effects are felt for a while after their cause is over: connections are tried again later and later. */
const LINGER_MS = 5_000
/** What is measured begins with a question, which trouble may meet until its answer is due. */
const QUESTION_MS = 2_000
const CAUSES_SHOWN_MAX = 3

/** An event in a few words, such as "losing agent n2". */
export function phraseOf(event: PlanEvent, nodes: readonly string[]): string {
  return PHRASES[event.do]?.(event, nodes) ?? `${event.do} on ${event.node}`
}

/** An event in a line: what, and for how long. */
export function eventLine(event: PlanEvent, nodes: readonly string[]): string {
  const { forMs } = event
  return `${phraseOf(event, nodes)}${typeof forMs === 'number' ? ` for ${seconds(forMs)}` : ''}`
}

/** Why something that began at that time may have: the trouble of then, that of the agents concerned first. '' if there was none. */
export function whyOf(
  atMs: number,
  events: readonly PlanEvent[],
  { nodes, concerned }: { nodes: readonly string[]; concerned: ReadonlySet<string> },
): string {
  const hits = (lingerMs: number) =>
    events.filter((event) => event.atMs <= atMs + QUESTION_MS && endOf(event, nodes.length) + lingerMs >= atMs)
  const during = hits(0)
  const causes = during.length > 0 ? during : hits(LINGER_MS)
  if (causes.length === 0) return ''
  const concerns = (event: PlanEvent) =>
    [...concerned].some((name) => `${event.node} ${event['to']} ${event['group']}`.split(' ').includes(name))
  const ordered = [...causes.filter(concerns), ...causes.filter((event) => !concerns(event))]
  const phrases = [...new Set(ordered.map((event) => phraseOf(event, nodes)))]
  const more = phrases.length - CAUSES_SHOWN_MAX
  const shown = more > 0 ? [...phrases.slice(0, CAUSES_SHOWN_MAX), `${more} more`] : phrases
  return listed(shown)
}

/** When what an event began is over. */
export function endOf({ atMs, do: what, forMs, apartMs }: PlanEvent, agents: number): number {
  if (typeof forMs !== 'number') return atMs + (EFFECTS_MS[what] ?? EFFECT_MS)
  return atMs + forMs + (typeof apartMs === 'number' ? apartMs * (agents - 1) : 0)
}

/** "a, b and c". */
export function listed(texts: readonly string[]): string {
  return texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} and ${texts.at(-1)}`
}

/** `412 s`, `12.5 s`, `340 ms`, `0.4 ms`: as many digits as tell something. */
export function seconds(ms: number): string {
  if (ms >= 100_000) return `${Math.round(ms / 1_000)} s`
  if (ms < 10) return `${ms.toFixed(1).replace(/\.0$/, '')} ms`
  if (ms < 1_000) return `${Math.round(ms)} ms`
  return `${(ms / 1_000).toFixed(1).replace(/\.0$/, '')} s`
}

/** A moment: `12.0 s`. */
export function moment(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}

function cutOff(group: readonly string[], nodes: readonly string[]): string {
  return `${listed(group)} being cut off from ${listed(nodes.filter((name) => !group.includes(name)))}`
}
