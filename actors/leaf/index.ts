import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import type { SignerOutcome } from '../../src/kernel/ports.ts'
import { type Caller, type Cast, LATER, type Ref, type Subscriber } from '../../src/kernel/protocol.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { authorize, type Token } from '../authorize.ts'
import type { CaProtocol, SignedLeaf } from '../ca/protocol.ts'
import { CONNECT_DISABLED, type TrustBundle } from '../ca/queries.ts'
import type { FeedsProtocol } from '../feeds/protocol.ts'
import { serialText, serviceCommonName, serviceUri } from '../spiffe.ts'
import type { Leaf, LeafProtocol } from './protocol.ts'

/** `ca` signs; `feeds` gives the roots. Both may be on another machine. */
export type LeafArgs = { enabled: boolean; datacenter: string; ca: Ref<CaProtocol>; feeds: Ref<FeedsProtocol> }

type LeafOwn = {
  roots: Cast<TrustBundle>
  keyMade: Cast<{ service: string; outcome: Result<SignerOutcome> }>
  signed: Cast<{ service: string; keyPem: string; result: Result<SignedLeaf> }>
  look: Cast<{ service: string }>
  noRoots: Cast<null>
}

type Got = { leaf: Leaf; cached: boolean; ageMs: number }

type Entry = {
  service: string
  token: Token
  leaf: Leaf | undefined
  issuedMs: number
  renewAtMs: number
  underWay: boolean
  failures: number
  usedMs: number
  waiting: Caller<Got>[]
  subscribers: Subscriber<Leaf>[]
}

export type LeafState = { args: LeafArgs; bundle: TrustBundle | undefined; entries: Map<string, Entry> }

/** Leaves are renewed at a random point between these parts of their life. */
const RENEW_FROM = 0.6
const RENEW_TO = 0.9
/** After a change of the root, leaves that somebody follows are renewed at a random point within this. */
const ROOT_CHANGE_SPREAD_MS = 30_000
const RETRY_MS_MIN = 1_000
const RETRY_MS_MAX = 60_000
/** A leaf nobody asked for so long is dropped. */
const UNUSED_MS_MAX = 72 * 3_600_000
/** Clocks are set: whether a leaf is due is looked at this often at least. */
const LOOK_MS_MAX = 30_000
const SIGN_WITHIN_MS = 10_000
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
    return { args, bundle: undefined, entries: new Map() }
  },
  on: {
    leaf(state, { service, token }, turn, subscriber) {
      const refused = refusal(state, service, token, turn)
      if (refused) return turn.print('warn', 'leaf certificate refused', { service, error: refused.why })
      const entry = entryOf(state, service, token, turn)
      entry.subscribers.push(subscriber)
      if (entry.leaf) turn.emit(subscriber, entry.leaf.index, entry.leaf)
      else issue(state, entry, turn)
    },

    get(state, { service, token }, turn, caller) {
      const refused = refusal(state, service, token, turn)
      if (refused) return refused
      const entry = entryOf(state, service, token, turn)
      if (entry.leaf && isValid(entry.leaf, turn.nowMs) && entry.leaf.signingKeyId === state.bundle?.signingKeyId) {
        return { leaf: entry.leaf, cached: true, ageMs: Math.max(0, turn.nowMs - entry.issuedMs) }
      }
      entry.waiting.push(caller)
      issue(state, entry, turn)
      return LATER
    },

    roots(state, bundle, turn) {
      const changed = state.bundle !== undefined && state.bundle.activeRootId !== bundle.activeRootId
      state.bundle = bundle
      turn.cancel('no-roots')
      for (const entry of state.entries.values()) {
        if (!entry.leaf) issue(state, entry, turn)
        else if (changed && entry.leaf.signingKeyId !== bundle.signingKeyId) {
          entry.renewAtMs = Math.min(entry.renewAtMs, turn.nowMs + turn.random.int(0, ROOT_CHANGE_SPREAD_MS))
          lookLater(entry, turn)
        }
      }
    },

    noRoots({ entries }, _request, turn) {
      for (const entry of entries.values()) {
        for (const caller of entry.waiting.splice(0)) turn.answer(caller, refuse('gone', 'the certificate authority is not ready yet'))
      }
    },

    keyMade(state, { service, outcome }, turn) {
      const entry = state.entries.get(service)
      if (!entry) return
      if (isRefused(outcome)) return failed(state, entry, outcome, turn)
      const { keyPem = '', csrPem = '' } = outcome
      const request = { csrPem, token: entry.token }
      turn.call(state.args.ca, 'sign', request, {
        withinMs: SIGN_WITHIN_MS,
        then: (result) => ({ name: 'signed', request: { service, keyPem, result } }),
      })
    },

    signed(state, { service, keyPem, result }, turn) {
      const entry = state.entries.get(service)
      if (!entry) return
      if (isRefused(result)) return failed(state, entry, result, turn)
      const { certPem, serial, uri, signingKeyId, validAfterMs, validBeforeMs } = result
      const made: Leaf = {
        service,
        certPem,
        keyPem,
        serial: serialText(serial),
        uri,
        signingKeyId,
        validAfterMs,
        validBeforeMs,
        index: serial,
      }
      entry.leaf = made
      entry.issuedMs = turn.nowMs
      entry.underWay = false
      entry.failures = 0
      const lifeMs = validBeforeMs - turn.nowMs
      entry.renewAtMs = turn.nowMs + lifeMs * (RENEW_FROM + (RENEW_TO - RENEW_FROM) * turn.random.next())
      lookLater(entry, turn)
      for (const caller of entry.waiting.splice(0)) turn.answer(caller, { leaf: made, cached: false, ageMs: 0 })
      for (const subscriber of entry.subscribers) turn.emit(subscriber, made.index, made)
    },

    look(state, { service }, turn) {
      const entry = state.entries.get(service)
      if (!entry) return
      if (entry.subscribers.length > 0) entry.usedMs = turn.nowMs
      if (turn.nowMs - entry.usedMs > UNUSED_MS_MAX && !entry.underWay) return void state.entries.delete(service)
      if (isDue(entry, turn.nowMs)) issue(state, entry, turn)
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

/** Without a leaf the next try is due when its timer says so, whatever the clock does meanwhile. */
function isDue({ leaf, renewAtMs }: Entry, nowMs: number): boolean {
  return leaf === undefined || nowMs >= renewAtMs || nowMs < leaf.validAfterMs
}

/** A clock that was set back makes a leaf one that is not valid yet. */
function isValid({ validAfterMs, validBeforeMs }: Leaf, nowMs: number): boolean {
  return validAfterMs <= nowMs && nowMs < validBeforeMs
}

function refusal({ args }: LeafState, service: string, token: Token, turn: Turn<LeafOwn>): Refusal | undefined {
  if (!args.enabled) return refuse('invalid', CONNECT_DISABLED)
  if (service === '') return refuse('invalid', 'URI must be either service or agent')
  if (service.length > SERVICE_LENGTH_MAX) return refuse('invalid', `the service's name is longer than ${SERVICE_LENGTH_MAX} characters`)
  return authorize(turn.view, token, { resource: 'service', name: service, access: 'write' })
}

function entryOf({ entries }: LeafState, service: string, token: Token, turn: Turn<LeafOwn>): Entry {
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
    issuedMs: 0,
    renewAtMs: 0,
    underWay: false,
    failures: 0,
    usedMs: turn.nowMs,
    waiting: [],
    subscribers: [],
  }
  entries.set(service, entry)
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

function issue({ args, bundle }: LeafState, entry: Entry, turn: Turn<LeafOwn>): void {
  if (entry.underWay) return
  if (!bundle) return turn.timer('no-roots', ROOTS_WITHIN_MS, { name: 'noRoots', request: null })
  entry.underWay = true
  const { service } = entry
  const { trustDomain, keyType, keyBits } = bundle
  const request = {
    commonName: serviceCommonName(service, trustDomain),
    uri: serviceUri({ trustDomain, datacenter: args.datacenter, service }),
  }
  turn.act(
    'signer',
    { do: 'key', type: keyType, bits: keyBits, request },
    { then: (outcome) => ({ name: 'keyMade', request: { service, outcome } }) },
  )
}

/** Tells whoever waits, and tries again later if somebody follows. */
function failed({ entries }: LeafState, entry: Entry, refused: Refusal, turn: Turn<LeafOwn>): void {
  entry.underWay = false
  for (const caller of entry.waiting.splice(0)) turn.answer(caller, refused)
  if (!entry.leaf && entry.subscribers.length === 0) return void entries.delete(entry.service)
  const ceilingMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** entry.failures++)
  const waitMs = turn.random.int(Math.ceil(ceilingMs / 2), ceilingMs)
  entry.renewAtMs = turn.nowMs + waitMs
  turn.print('warn', 'could not get a leaf certificate', { service: entry.service, error: refused.why, retryMs: waitMs })
  lookLater(entry, turn)
}

function lookLater({ service, renewAtMs }: Entry, turn: Turn<LeafOwn>): void {
  const afterMs = Math.max(0, Math.min(LOOK_MS_MAX, renewAtMs - turn.nowMs))
  turn.timer(`look/${service}`, afterMs, { name: 'look', request: { service } })
}
