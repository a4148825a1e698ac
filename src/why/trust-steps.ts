import type { RefusedKind, RefusedRow } from '../../actors/decisions/protocol.ts'
import { ruleText } from '../../actors/intentions/decide.ts'
import { counted, quoted, type RootFact, type Side, type SidecarFact, type Step, type StepName, type WhyFacts } from './facts.ts'

/** A refusal is still news for so long. */
const RECENT_MS = 60_000

/** Both sides have certificates that are valid now. */
export function leafStep(facts: WhyFacts): Step {
  const name = 'leaf'
  const { source, destination, from, to, nowMs } = facts
  const sides: [service: string, side: Side][] = [
    [source, from],
    [destination, to],
  ]
  const faults = sides.flatMap(([service, { sidecars }]) => leafFaults(service, sidecars, nowMs))
  const fault = faults[0]
  if (fault !== undefined) {
    return { name, state: 'broken', seen: fault, advice: 'see whether the authority signs: tribune connect ca status' }
  }
  const known = sides.flatMap(([service, { sidecars }]) => sidecars.map((sidecar) => leafText(service, sidecar, nowMs)))
  const unseen = sides.filter(([, { sidecars }]) => sidecars.length === 0).map(([service]) => quoted(service))
  if (unseen.length === 0) return { name, state: 'ok', seen: known.join('; ') }
  const others = `the certificates of ${unseen.join(' and ')} are not to be seen: no agent runs their sidecars, and no application tells`
  return { name, state: 'unknown', seen: [...known, others].join('; ') }
}

/** Each side trusts the root that signed the other's certificate. */
export function rootsStep({ source, destination, from, to, roots, nowMs }: WhyFacts): Step {
  const name = 'roots'
  if (!roots || roots.length === 0) {
    return {
      name,
      state: 'broken',
      seen: 'there is no certificate authority',
      advice: 'start the servers with connect { enabled = true }',
    }
  }
  const ended = roots.find(({ active, notAfterMs }) => active && notAfterMs <= nowMs)
  if (ended) {
    return {
      name,
      state: 'broken',
      seen: `the root that signs ended at ${new Date(ended.notAfterMs).toISOString()}`,
      advice: 'rotate the root: tribune connect ca set-config -config-file=FILE',
    }
  }
  const fault = distrust(source, from, destination, to, roots) ?? distrust(destination, to, source, from, roots)
  if (fault !== undefined) {
    return { name, state: 'broken', seen: fault, advice: 'see which sidecars lack a root: tribune connect ca status' }
  }
  const trusted = `${counted(roots.length, 'root')} ${roots.length === 1 ? 'is' : 'are'} trusted`
  if (from.sidecars.length > 0 && to.sidecars.length > 0)
    return { name, state: 'ok', seen: `${trusted}; each side trusts the other's issuer` }
  return {
    name,
    state: 'unknown',
    seen: `${trusted}; whether both sides know of it is not to be seen, because an agent does not run both sidecars, and they do not tell`,
  }
}

export function intentionStep({ source, destination, explanation: { decision, others } }: WhyFacts): Step {
  const name = 'intention'
  const { allowed, rule, reason } = decision
  if (allowed) return { name, state: 'ok', seen: rule ? `${ruleText(rule)} allows it` : reason }
  const alike = others.sources.find((other) => other.toLowerCase() === source.toLowerCase())
  const hint = alike === undefined ? '' : `; there is one for ${quoted(alike)}, but letter case counts`
  const isExact = rule?.source === source && rule.destination === destination
  return {
    name,
    state: 'broken',
    seen: `${rule ? `${ruleText(rule)} decides` : `no intention matches: ${reason}`}${rule?.permissions ? ', which is about requests, and those are not looked into' : ''}${hint}`,
    advice: `if it is to be allowed: tribune intention create ${isExact ? '-replace ' : ''}-allow ${source} ${destination}`,
  }
}

/** Nobody was refused just now for a reason that still holds: `before` are the steps that may have shown that it does not. */
export function decisionsStep({ source, destination, refusals, nowMs }: WhyFacts, before: readonly Step[]): Step {
  const name = 'decisions'
  const own = refusals.filter((row) => row.source === source)
  const news = own.filter((row) => nowMs - row.lastMs <= RECENT_MS && stillHolds(row, before))
  const last = news.at(-1)
  if (last) {
    return { name, state: 'broken', seen: `refused ${timesText(last, nowMs)}: ${last.cause}`, advice: ADVICE[last.kind] }
  }
  const nameless = refusals.filter((row) => row.source === '' && nowMs - row.lastMs <= RECENT_MS).at(-1)
  if (nameless) {
    return {
      name,
      state: 'unknown',
      seen: `somebody was refused by ${quoted(destination)} before it showed who it is, ${timesText(nameless, nowMs)}: ${nameless.cause}`,
    }
  }
  const older = own.at(-1)
  if (older) return { name, state: 'ok', seen: `refused ${timesText(older, nowMs)}: ${older.cause}` }
  return { name, state: 'ok', seen: 'this agent has refused no connection between the two' }
}

const ADVICE: Record<RefusedKind, string> = {
  intention: 'see which intention decides: tribune intention check -explain',
  default: 'see which intention decides: tribune intention check -explain',
  identity: 'the certificate is of another mesh: give both services agents of one cluster',
  handshake: 'see whether the certificates are valid: tribune connect ca status',
  'no-instance': 'see which checks fail: tribune watch -type=checks',
  unreachable: 'see which instances there are, and open the way to their ports',
  application: 'start the application, or correct the port that it is registered with',
  limit: 'raise the limit that it names, or find out who opens so many',
  'not-ready': 'the sidecar waits for its certificate or the intentions: see whether its agent reaches the servers',
}

function leafFaults(service: string, sidecars: readonly SidecarFact[], nowMs: number): string[] {
  return sidecars.flatMap(({ node, native, inForce: { leafSerial, leafValidUntilMs, leafWhy } }) => {
    const whose = `the ${native ? 'application' : 'sidecar'} of ${quoted(service)} on ${node}`
    const why = leafWhy === '' ? '' : `: ${leafWhy}`
    if (leafSerial === '') return [`${whose} has no certificate${why}`]
    return leafValidUntilMs <= nowMs ? [`the certificate of ${whose} ended ${agoText(nowMs - leafValidUntilMs)} ago${why}`] : []
  })
}

function leafText(service: string, { node, inForce: { leafSerial, leafValidUntilMs } }: SidecarFact, nowMs: number): string {
  return `${quoted(service)} on ${node} has ${leafSerial}, valid for ${agoText(leafValidUntilMs - nowMs)}`
}

/** Why one side does not trust what the other shows. A certificate that was cross-signed leads to older roots too. */
function distrust(service: string, side: Side, truster: string, other: Side, roots: readonly RootFact[]): string | undefined {
  for (const { node, inForce } of side.sidecars) {
    const issuer = roots.find(({ signingKeyId }) => signingKeyId === inForce.leafKeyId)
    if (inForce.leafKeyId === '') continue
    if (!issuer) return `${quoted(service)} on ${node} has a certificate of a root that is not trusted any more`
    const lacking = other.sidecars.find(
      ({ inForce: { bundle } }) => bundle.length > 0 && !bundle.includes(issuer.id) && !issuer.isCrossSigned,
    )
    if (lacking) return `${quoted(truster)} on ${lacking.node} does not trust the root that signed for ${quoted(service)} on ${node} yet`
  }
  return undefined
}

/** What was in the way then may be out of it now. */
function stillHolds({ kind }: RefusedRow, before: readonly Step[]): boolean {
  return !before.some(({ name, state }) => name === SHOWN_BY[kind] && state === 'ok')
}

/** The step that shows that a refusal of a kind would not happen again. */
const SHOWN_BY: Partial<Record<RefusedKind, StepName>> = {
  intention: 'intention',
  default: 'intention',
  'no-instance': 'health',
  application: 'application',
  'not-ready': 'leaf',
}

function timesText({ count, lastMs }: RefusedRow, nowMs: number): string {
  return `${count === 1 ? 'once' : `${count} times, last`} ${agoText(nowMs - lastMs)} ago`
}

/** `3 s`, `5 min`, `2 h`, `3 d` */
function agoText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`
}
