import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import { LATER } from '../../src/kernel/protocol.ts'
import { recordReads } from '../../src/kernel/recording-view.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { View } from '../../src/kernel/tables.ts'
import { authorize } from '../authorize.ts'
import { commit } from '../ledger.ts'
import { agentCommonName, agentUri, parseIdentity, serviceCommonName, serviceUri } from '../spiffe.ts'
import { changing } from './change.ts'
import { found, founding, newFounding } from './founding.ts'
import type { CaProtocol, SignedLeaf } from './protocol.ts'
import { CONNECT_DISABLED, rootAuthority } from './queries.ts'
import type { Authority, CaArgs, CaOwn, CaState, Job } from './state.ts'
import { CONFIG_KEY, caConfigTable, caRootTable } from './tables.ts'
import { tend, upkeep, watchProvider } from './upkeep.ts'

/** Serial numbers are reserved in blocks, so that signing is not a commit for each leaf. A crash wastes the rest of a block. */
const SERIALS_RESERVED = 1_024
const SLOT_WAIT_MS_MAX = 500
/** Leaves are valid from a little before now, for machines whose clocks are late. */
const BACKDATED_MS = 60_000
const RATE_LIMITED = 'Rate limit reached, try again later'

/** Founds the cluster's certificate authority if there is none, signs, and changes over to another root. */
export const ca = defineActor<CaProtocol, CaOwn, CaState, CaArgs>({
  name: 'ca',
  mailboxMax: 16_384,
  remote: ['sign'],
  init(args, turn) {
    const state: CaState = {
      args,
      authority: undefined,
      founding: newFounding(),
      serials: { next: 0, until: 0 },
      reserving: false,
      ready: [],
      underWay: 0,
      nextSlotMs: 0,
      change: undefined,
      tending: new Set(),
      removals: new Map(),
      saidWaiting: '',
      checking: '',
    }
    if (args.enabled) {
      look(state, turn)
      tend(state, turn)
    }
    return state
  },
  on: {
    ...founding,
    ...changing,
    ...upkeep,

    sign(state, { csrPem, token }, turn, caller) {
      if (!state.args.enabled) return refuse('invalid', CONNECT_DISABLED)
      const slotMs = slot(state, turn.nowMs)
      if (slotMs === undefined) return refuse('busy', RATE_LIMITED)
      const job: Job = { caller, csrPem, token, uri: '', commonName: '' }
      state.underWay++
      if (slotMs > turn.nowMs) turn.timer(`slot/${caller.peer}/${caller.call}`, slotMs - turn.nowMs, { name: 'paced', request: job })
      else readRequest(job, turn)
      return LATER
    },

    paced(_state, job, turn) {
      readRequest(job, turn)
    },

    read(state, { job, outcome }, turn) {
      const refused = isRefused(outcome) ? outcome : judge(state, job, outcome.uris?.[0] ?? '', turn.view)
      if (refused) return finish(state, job, refused, turn)
      state.ready.push(job)
      signReady(state, turn)
    },

    reserved(state, result, turn) {
      state.reserving = false
      if (isRefused(result)) {
        for (const job of state.ready.splice(0)) finish(state, job, result, turn)
        return
      }
      state.serials = { next: result.from, until: result.from + SERIALS_RESERVED }
      signReady(state, turn)
    },

    made(state, { job, leaf, intermediatesPem, outcome }, turn) {
      // What the provider forbids us may be allowed soon, and is no matter of the caller's token.
      if (isRefused(outcome)) return finish(state, job, outcome.refused === 'forbidden' ? refuse('busy', outcome.why) : outcome, turn)
      turn.count('connect.ca.leaf.signed')
      const { certPem = '', chainPem = [], serial = '' } = outcome
      const above = [...intermediatesPem, ...chainPem.filter((pem) => !intermediatesPem.includes(pem))]
      const { notBeforeMs: validAfterMs = leaf.validAfterMs, notAfterMs: validBeforeMs = leaf.validBeforeMs } = outcome
      finish(state, job, { ...leaf, validAfterMs, validBeforeMs, serialText: serial, certPem: [certPem, ...above].join('') }, turn)
    },

    changed(state, _request, turn) {
      look(state, turn)
      if (state.authority) signReady(state, turn)
    },
  },
})

/** Takes the authority from the tables, and comes back when they change. Begins to found one where there is none. */
function look(state: CaState, turn: Turn<CaOwn>): void {
  const { view, reads } = recordReads(turn.view)
  const config = view.get(caConfigTable, CONFIG_KEY)
  const root = [...view.range(caRootTable)].find(([, { active }]) => active)?.[1]
  const owner = root && rootAuthority(view, root.id, state.args.datacenter)
  turn.wake('authority', reads, { name: 'changed', request: null })
  state.authority = undefined
  if (config && root && owner) {
    const { id: rootId, signingKeyId, intermediatesPem } = root
    const notAfterMs = Math.min(root.notAfterMs, root.signsUntilMs ?? root.notAfterMs)
    const { trustDomain } = owner.authority
    const signs = { config: owner.authority, state: owner.state }
    state.authority = { rootId, signingKeyId, intermediatesPem, notAfterMs, settings: config, trustDomain, ...signs }
  } else if (!config) found(state, turn)
  watchProvider(state, turn)
}

/** When the next CSR may be taken, by a bucket of one; undefined if that is too far away. */
function slot(state: CaState, nowMs: number): number | undefined {
  const { csrMaxPerSecond, csrMaxConcurrent } = state.authority?.settings ?? state.args.settings
  if (csrMaxPerSecond <= 0) return csrMaxConcurrent > 0 && state.underWay >= csrMaxConcurrent ? undefined : nowMs
  const intervalMs = 1_000 / csrMaxPerSecond
  // A wall clock that was set back must not close the gate for longer than the limit itself would.
  const earliestMs = state.nextSlotMs - nowMs > SLOT_WAIT_MS_MAX + intervalMs ? nowMs : Math.max(nowMs, state.nextSlotMs)
  if (earliestMs - nowMs > SLOT_WAIT_MS_MAX) return undefined
  state.nextSlotMs = earliestMs + intervalMs
  return earliestMs
}

function readRequest(job: Job, turn: Turn<CaOwn>): void {
  turn.act('signer', { do: 'read-request', csrPem: job.csrPem }, { then: (outcome) => ({ name: 'read', request: { job, outcome } }) })
}

/** Fills in what the certificate will say, or refuses. */
function judge({ args, authority }: CaState, job: Job, uri: string, view: View): ReturnType<typeof refuse> | undefined {
  if (!authority) return refuse('gone', 'the certificate authority is not ready yet')
  const identity = parseIdentity(uri)
  if (isRefused(identity)) return identity
  if (identity.kind === 'signing') return refuse('invalid', 'SPIFFE ID in CSR must be a service or agent ID')
  if (identity.datacenter.toLowerCase() !== args.datacenter) {
    return refuse('invalid', `SPIFFE ID in CSR from a different datacenter: ${identity.datacenter}, we are ${args.datacenter}`)
  }
  if (identity.kind === 'agent') {
    job.uri = agentUri({ ...identity, trustDomain: authority.trustDomain })
    job.commonName = agentCommonName(identity.node, authority.trustDomain)
    return authorize(view, job.token, { resource: 'node', name: identity.node, access: 'write' })
  }
  if (identity.trustDomain.toLowerCase() !== authority.trustDomain) {
    return refuse('invalid', `SPIFFE ID in CSR from a different trust domain: ${identity.trustDomain}, we are ${authority.trustDomain}`)
  }
  // As it is always written: others compare letter by letter, and a query or an escaped letter would be somebody else to them.
  job.uri = serviceUri({ ...identity, trustDomain: authority.trustDomain })
  job.commonName = serviceCommonName(identity.service, authority.trustDomain, identity.namespace)
  return authorize(view, job.token, { resource: 'service', name: identity.service, access: 'write' })
}

/** Signs as many as there are serial numbers for, and reserves more when they run out. */
function signReady(state: CaState, turn: Turn<CaOwn>): void {
  const { authority, serials } = state
  if (!authority) return
  while (state.ready.length > 0 && serials.next < serials.until) {
    const job = state.ready.shift()
    if (job) sign(authority, serials.next++, job, turn)
  }
  if (state.ready.length === 0 || state.reserving) return
  state.reserving = true
  commit(turn, 'ca.next-serial', { count: SERIALS_RESERVED }, (result) => ({ name: 'reserved', request: result }))
}

function sign(authority: Authority, serial: number, job: Job, turn: Turn<CaOwn>): void {
  const { rootId, signingKeyId, intermediatesPem, settings, config, state } = authority
  // Certificates know whole seconds only.
  const notBeforeMs = Math.floor((turn.nowMs - BACKDATED_MS) / 1_000) * 1_000
  const notAfterMs = Math.min(notBeforeMs + settings.leafCertTtlMs, authority.notAfterMs)
  const { csrPem, commonName, uri } = job
  const leaf = { serial, uri, rootId, signingKeyId, validAfterMs: notBeforeMs, validBeforeMs: notAfterMs }
  turn.act(
    'authority',
    { do: 'sign', authority: config, state, csrPem, commonName, uri, serial, notBeforeMs, notAfterMs },
    { then: (outcome) => ({ name: 'made', request: { job, leaf, intermediatesPem, outcome } }) },
  )
}

function finish(state: CaState, job: Job, result: Result<SignedLeaf>, turn: Turn<CaOwn>): void {
  state.underWay--
  turn.answer(job.caller, result)
}
