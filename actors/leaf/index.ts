import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import type { SignerOutcome } from '../../src/kernel/ports.ts'
import { type Caller, type Cast, LATER, type Ref, type Subscriber } from '../../src/kernel/protocol.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { authorize, type Token } from '../authorize.ts'
import type { CaProtocol, SignedLeaf } from '../ca/protocol.ts'
import { CONNECT_DISABLED, type TrustBundle } from '../ca/queries.ts'
import type { FeedsProtocol } from '../feeds/protocol.ts'
import { serviceCommonName, serviceUri } from '../spiffe.ts'
import { keepLeaf, keptLeaves } from './keep.ts'
import { loadNumbers, type Numbers, type NumbersOutcome, nextNumber, settleNumbers } from './numbers.ts'
import type { Leaf, LeafProtocol } from './protocol.ts'

/** `ca` signs; `feeds` gives the roots. Both may be on another machine. `keeps`: leaves outlive restarts. */
export type LeafArgs = { enabled: boolean; datacenter: string; ca: Ref<CaProtocol>; feeds: Ref<FeedsProtocol>; keeps?: boolean }

type LeafOwn = {
  roots: Cast<TrustBundle>
  numbered: Cast<NumbersOutcome>
  keyMade: Cast<Attempt & { outcome: Result<SignerOutcome> }>
  signed: Cast<Attempt & { keyPem: string; result: Result<SignedLeaf> }>
  overdue: Cast<Attempt>
  look: Cast<{ service: string }>
  noRoots: Cast<null>
}

type Got = { leaf: Leaf; cached: boolean; ageMs: number }
/** One try to get a leaf for a service. What an earlier one brings comes too late. */
type Attempt = { service: string; attempt: number }

type Entry = {
  service: string
  token: Token
  leaf: Leaf | undefined
  /** When the next try is due. */
  renewAtMs: number
  attempt: number
  /** Key identifier of what signed when the newest try began. */
  signingKeyId: string
  underWay: boolean
  failures: number
  usedMs: number
  waiting: Caller<Got>[]
  subscribers: Subscriber<Leaf>[]
}

export type LeafState = {
  args: LeafArgs
  bundle: TrustBundle | undefined
  entries: Map<string, Entry>
  numbers: Numbers
  /** Of an earlier life, until somebody asks for them. */
  kept: Map<string, Leaf>
  /** How many tries there were, of all services. */
  attempts: number
}

/** Leaves are renewed at a random point between these parts of their life, early enough for a few tries before the second. */
const RENEW_FROM = 0.6
const RENEW_TO = 0.9
const RENEWING_MS = 60_000
/** A leaf with less than this part of its life left is given to nobody. */
const LIFE_LEFT_MIN = 0.1
/** After a change of the root, leaves that somebody follows are renewed at a random point within this. */
const ROOT_CHANGE_SPREAD_MS = 30_000
const RETRY_MS_MIN = 1_000
const RETRY_MS_MAX = 60_000
/** A leaf nobody asked for so long is dropped. */
const UNUSED_MS_MAX = 72 * 3_600_000
/** Clocks are set: whether a leaf is due is looked at this often at least. */
const LOOK_MS_MAX = 30_000
const SIGN_WITHIN_MS = 10_000
/** A try that has brought nothing after this long has failed, whoever kept silent. */
const ATTEMPT_MS_MAX = 15_000
/** How long callers wait for a certificate authority that is being founded. */
const ROOTS_WITHIN_MS = 10_000
const SERVICE_LENGTH_MAX = 512
/** Leaves kept at most, but for those that somebody follows. The one unused longest goes first. */
const ENTRIES_MAX = 20_000

/** Makes keys and CSRs here, has them signed by the authority, keeps the leaves and renews them in time. */
export const leaf = defineActor<LeafProtocol, LeafOwn, LeafState, LeafArgs>({
  name: 'leaf',
  mailboxMax: 16_384,
  init(args, turn) {
    if (args.enabled) turn.subscribe('roots', args.feeds, 'roots', null, (bundle) => ({ name: 'roots', request: bundle }))
    return { args, bundle: undefined, entries: new Map(), numbers: loadNumbers(turn, numbered), kept: new Map(), attempts: 0 }
  },
  on: {
    leaf(state, { service, token }, turn, subscriber) {
      const refused = refusal(state, service, token, turn)
      if (refused) return turn.print('warn', 'leaf certificate refused', { service, error: refused.why })
      const entry = entryOf(state, service, token, turn)
      entry.subscribers.push(subscriber)
      if (entry.leaf && mayBeGiven(entry.leaf, turn.nowMs)) turn.emit(subscriber, entry.leaf.index, entry.leaf)
      else issue(state, entry, turn)
    },

    get(state, { service, token }, turn, caller) {
      const refused = refusal(state, service, token, turn)
      if (refused) return refused
      const entry = entryOf(state, service, token, turn)
      if (entry.leaf && mayBeGiven(entry.leaf, turn.nowMs) && isOfPresentRoot(state, entry.leaf)) {
        return kept(entry.leaf, turn)
      }
      entry.waiting.push(caller)
      issue(state, entry, turn)
      return LATER
    },

    find({ entries, kept }, { service, serial }) {
      const found = entries.get(service)?.leaf ?? kept.get(service)
      if (found?.serial !== serial) return null
      const { signingKeyId, validBeforeMs, issuedMs, renewAtMs, renewalWhy } = found
      return { signingKeyId, validBeforeMs, issuedMs, renewAtMs, renewalWhy }
    },

    roots(state, bundle, turn) {
      state.bundle = bundle
      turn.cancel('no-roots')
      for (const entry of state.entries.values()) {
        if (!entry.leaf) issue(state, entry, turn)
        else if (isOfOldRoot(state, entry)) {
          entry.renewAtMs = Math.min(entry.renewAtMs, turn.nowMs + turn.random.int(0, ROOT_CHANGE_SPREAD_MS))
          retell(entry, { renewAtMs: entry.renewAtMs }, turn)
          lookLater(entry, turn)
        }
      }
    },

    numbered(state, outcome, turn) {
      if (state.args.keeps && state.numbers.phase === 'loading') takeKept(state, outcome, turn)
      settleNumbers(state.numbers, outcome, turn, numbered)
      for (const entry of state.entries.values()) if (!entry.leaf) issue(state, entry, turn)
    },

    noRoots({ entries }, _request, turn) {
      for (const entry of entries.values()) {
        for (const caller of entry.waiting.splice(0)) turn.answer(caller, refuse('gone', 'the certificate authority is not ready yet'))
      }
    },

    keyMade(state, { service, attempt, outcome }, turn) {
      const entry = tried(state, { service, attempt })
      if (!entry) return
      if (isRefused(outcome)) return failed(state, entry, outcome, turn)
      const { keyPem = '', csrPem = '' } = outcome
      const request = { csrPem, token: entry.token }
      turn.call(state.args.ca, 'sign', request, {
        withinMs: SIGN_WITHIN_MS,
        then: (result) => ({ name: 'signed', request: { service, attempt, keyPem, result } }),
      })
    },

    signed(state, { service, attempt, keyPem, result }, turn) {
      const entry = tried(state, { service, attempt })
      if (!entry) return
      if (isRefused(result)) return failed(state, entry, result, turn)
      const { certPem, serialText, uri, signingKeyId, validAfterMs, validBeforeMs } = result
      const lifeMs = validBeforeMs - turn.nowMs
      const part = RENEW_FROM + (RENEW_TO - RENEW_FROM) * turn.random.next()
      const renewAtMs = turn.nowMs + Math.round((lifeMs - Math.min(RENEWING_MS, lifeMs / 10)) * part)
      const made: Leaf = {
        service,
        certPem,
        keyPem,
        serial: serialText,
        uri,
        signingKeyId,
        validAfterMs,
        validBeforeMs,
        issuedMs: turn.nowMs,
        renewAtMs,
        renewalWhy: '',
        index: nextNumber(state.numbers, turn, numbered),
      }
      Object.assign(entry, { leaf: made, underWay: false, failures: 0, renewAtMs })
      turn.cancel(`overdue/${service}`)
      // The root has changed while it was being signed.
      if (isOfOldRoot(state, entry)) entry.renewAtMs = Math.min(renewAtMs, turn.nowMs + turn.random.int(0, ROOT_CHANGE_SPREAD_MS))
      lookLater(entry, turn)
      for (const caller of entry.waiting.splice(0)) turn.answer(caller, { leaf: made, cached: false, ageMs: 0 })
      for (const subscriber of entry.subscribers) turn.emit(subscriber, made.index, made)
      if (state.args.keeps) keepLeaf(turn, made)
    },

    overdue(state, attempt, turn) {
      const entry = tried(state, attempt)
      if (entry) failed(state, entry, refuse('late', 'nobody has signed it in time'), turn)
    },

    look(state, { service }, turn) {
      const entry = state.entries.get(service)
      if (!entry) return
      if (entry.subscribers.length > 0) entry.usedMs = turn.nowMs
      if (turn.nowMs - entry.usedMs > UNUSED_MS_MAX && !entry.underWay) return void state.entries.delete(service)
      if (isDue(state, entry, turn.nowMs)) issue(state, entry, turn)
      else lookLater(entry, turn)
    },
  },

  left({ entries }, subscriber, turn) {
    for (const entry of entries.values()) {
      const at = entry.subscribers.findIndex(({ peer, feed }) => peer === subscriber.peer && feed === subscriber.feed)
      if (at < 0) continue
      entry.subscribers.splice(at, 1)
      entry.usedMs = turn.nowMs
    }
  },
})

/** Without a leaf, after a failure and after a change of the root the next try is due when its timer says so, whatever the clock
 * does meanwhile. */
function isDue(state: LeafState, entry: Entry, nowMs: number): boolean {
  const { leaf, renewAtMs, failures } = entry
  return leaf === undefined || failures > 0 || isOfOldRoot(state, entry) || nowMs >= renewAtMs || nowMs < leaf.validAfterMs
}

/** Before any roots are known, those that signed what was kept hold. */
function isOfPresentRoot({ args, bundle }: LeafState, { signingKeyId }: Leaf): boolean {
  return bundle ? signingKeyId === bundle.signingKeyId : args.keeps === true
}

function isOfOldRoot({ bundle }: LeafState, { leaf, signingKeyId }: Entry): boolean {
  return bundle !== undefined && leaf !== undefined && signingKeyId !== bundle.signingKeyId && leaf.signingKeyId !== bundle.signingKeyId
}

/** A clock that was set back makes a leaf one that is not valid yet. */
function mayBeGiven({ validAfterMs, validBeforeMs }: Leaf, nowMs: number): boolean {
  return validAfterMs <= nowMs && validBeforeMs - nowMs >= (validBeforeMs - validAfterMs) * LIFE_LEFT_MIN
}

function kept(leaf: Leaf, { nowMs }: Pick<Turn<LeafOwn>, 'nowMs'>): Got {
  return { leaf, cached: true, ageMs: Math.max(0, nowMs - leaf.issuedMs) }
}

/** The entry that this try is for, if it is still waited for. */
function tried({ entries }: LeafState, { service, attempt }: Attempt): Entry | undefined {
  const entry = entries.get(service)
  return entry?.underWay && entry.attempt === attempt ? entry : undefined
}

/** Tells followers something new about the leaf that they have. */
function retell(entry: Entry, news: Partial<Pick<Leaf, 'renewAtMs' | 'renewalWhy'>>, turn: Turn<LeafOwn>): void {
  if (!entry.leaf) return
  entry.leaf = { ...entry.leaf, ...news }
  for (const subscriber of entry.subscribers) turn.emit(subscriber, entry.leaf.index, entry.leaf)
}

function refusal({ args }: LeafState, service: string, token: Token, turn: Turn<LeafOwn>): Refusal | undefined {
  if (!args.enabled) return refuse('conflict', CONNECT_DISABLED)
  if (service === '') return refuse('conflict', 'URI must be either service or agent')
  if (service.length > SERVICE_LENGTH_MAX) return refuse('invalid', `the service's name is longer than ${SERVICE_LENGTH_MAX} characters`)
  return authorize(turn.view, token, { resource: 'service', name: service, access: 'write' })
}

/** Leaves of an earlier life. Those that somebody waits for are given at once. */
function takeKept(state: LeafState, outcome: NumbersOutcome, turn: Turn<LeafOwn>): void {
  state.kept = keptLeaves(turn, outcome)
  for (const entry of state.entries.values()) {
    restore(state, entry, turn)
    const { leaf } = entry
    if (!leaf) continue
    for (const caller of entry.waiting.splice(0)) turn.answer(caller, kept(leaf, turn))
    for (const subscriber of entry.subscribers) turn.emit(subscriber, leaf.index, leaf)
  }
}

/** Gives an entry the leaf that it had in an earlier life, and sees to its renewal. */
function restore(state: LeafState, entry: Entry, turn: Turn<LeafOwn>): void {
  const leaf = state.kept.get(entry.service)
  state.kept.delete(entry.service)
  if (!leaf || entry.leaf || !mayBeGiven(leaf, turn.nowMs)) return
  Object.assign(entry, { leaf, renewAtMs: leaf.renewAtMs, signingKeyId: leaf.signingKeyId })
  lookLater(entry, turn)
}

function entryOf(state: LeafState, service: string, token: Token, turn: Turn<LeafOwn>): Entry {
  const { entries } = state
  const known = entries.get(service)
  if (known) {
    known.usedMs = turn.nowMs
    // The newest used stands last.
    entries.delete(service)
    entries.set(service, known)
    return known
  }
  makeRoom(entries, turn)
  const entry: Entry = {
    service,
    token,
    leaf: undefined,
    renewAtMs: 0,
    attempt: 0,
    signingKeyId: '',
    underWay: false,
    failures: 0,
    usedMs: turn.nowMs,
    waiting: [],
    subscribers: [],
  }
  entries.set(service, entry)
  restore(state, entry, turn)
  return entry
}

function makeRoom(entries: LeafState['entries'], turn: Turn<LeafOwn>): void {
  if (entries.size < ENTRIES_MAX) return
  for (const [service, { underWay, subscribers, waiting }] of entries) {
    if (underWay || subscribers.length > 0 || waiting.length > 0) continue
    entries.delete(service)
    turn.cancel(`look/${service}`)
    return
  }
}

function issue(state: LeafState, entry: Entry, turn: Turn<LeafOwn>): void {
  const { args, bundle, numbers } = state
  if (entry.underWay) return
  if (!bundle || numbers.phase !== 'ready') return turn.timer('no-roots', ROOTS_WITHIN_MS, { name: 'noRoots', request: null })
  const { service } = entry
  const attempt = ++state.attempts
  Object.assign(entry, { underWay: true, attempt, signingKeyId: bundle.signingKeyId })
  const { trustDomain, keyType, keyBits } = bundle
  const request = {
    commonName: serviceCommonName(service, trustDomain),
    uri: serviceUri({ trustDomain, datacenter: args.datacenter, service }),
  }
  turn.timer(`overdue/${service}`, ATTEMPT_MS_MAX, { name: 'overdue', request: { service, attempt } })
  turn.act(
    'signer',
    { do: 'key', type: keyType, bits: keyBits, request },
    { then: (outcome) => ({ name: 'keyMade', request: { service, attempt, outcome } }) },
  )
}

/** Tells whoever waits, and tries again later if somebody follows. A leaf of an old root is better than none. */
function failed({ entries }: LeafState, entry: Entry, refused: Refusal, turn: Turn<LeafOwn>): void {
  const { leaf, service } = entry
  entry.underWay = false
  turn.cancel(`overdue/${service}`)
  const answer = leaf && mayBeGiven(leaf, turn.nowMs) ? kept(leaf, turn) : leaf ? notRenewed(refused) : refused
  for (const caller of entry.waiting.splice(0)) turn.answer(caller, answer)
  if (!leaf && entry.subscribers.length === 0) return void entries.delete(service)
  if (leaf && leaf.renewalWhy !== refused.why) retell(entry, { renewalWhy: refused.why }, turn)
  const ceilingMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** entry.failures++)
  const waitMs = turn.random.int(Math.ceil(ceilingMs / 2), ceilingMs)
  entry.renewAtMs = turn.nowMs + waitMs
  turn.print('warn', 'could not get a leaf certificate', { service, error: refused.why, retryMs: waitMs })
  lookLater(entry, turn)
}

function notRenewed({ refused, why }: Refusal): Refusal {
  return refuse(refused, `the certificate is not valid for long enough, and a new one could not be had: ${why}`)
}

function numbered(outcome: NumbersOutcome): { name: 'numbered'; request: NumbersOutcome } {
  return { name: 'numbered', request: outcome }
}

function lookLater({ service, renewAtMs, failures }: Entry, turn: Turn<LeafOwn>): void {
  const afterMs = Math.max(0, Math.min(failures > 0 ? RETRY_MS_MAX : LOOK_MS_MAX, renewAtMs - turn.nowMs))
  turn.timer(`look/${service}`, afterMs, { name: 'look', request: { service } })
}
