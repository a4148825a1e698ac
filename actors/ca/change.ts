import type { Handlers, Turn } from '../../src/kernel/actor.ts'
import type { AuthorityConfig, AuthorityState, PreparedAuthority } from '../../src/kernel/ports.ts'
import { LATER } from '../../src/kernel/protocol.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { View } from '../../src/kernel/tables.ts'
import { authorize } from '../authorize.ts'
import { same } from '../catalog/same.ts'
import { commit } from '../ledger.ts'
import { newRoot, signerOf } from './new-root.ts'
import { planOf } from './plan.ts'
import type { CaPlan, CaProtocol } from './protocol.ts'
import { CONNECT_DISABLED, rootAuthority } from './queries.ts'
import type { Authority, CaOwn, CaState, Change } from './state.ts'
import {
  CONFIG_KEY,
  caAuthorityTable,
  caConfigTable,
  caRootTable,
  caRotationTable,
  caSerialTable,
  HIDDEN,
  ROTATION_KEY,
  SERIAL_KEY,
} from './tables.ts'

/** Certificates that lead from a new root to an old one live so long. */
const CROSS_SIGNED_MS = 7 * 24 * 3_600_000
/** Each handshake carries them. Whoever is more changes behind hears of a root before it is believed. */
const CROSS_SIGNED_MAX = 4
const BACKDATED_MS = 60_000
/** A change that a provider has not answered by then has failed, so that another one can be made. */
const CHANGE_MS_MAX = 55_000
/** One for the root, one for what leads from it to the old one. */
const SERIALS = 2
const NO_CROSS_SIGNING =
  'The current CA Provider does not support cross-signing. You can try again with ForceWithoutCrossSigningSet but this may cause disruption - see documentation for more.'

/** How the configuration changes: a new root is prepared, signed by the old one and committed. */
export const changing: Pick<
  Handlers<CaProtocol, CaOwn, CaState>,
  | 'configure'
  | 'refresh'
  | 'abort'
  | 'aborted'
  | 'changeNumbered'
  | 'changePrepared'
  | 'changeCrossSigned'
  | 'changeSettled'
  | 'changeOverdue'
> = {
  configure(state, { token, ...wanted }, turn, caller) {
    if (!state.args.enabled) return refuse('invalid', CONNECT_DISABLED)
    const denied = authorize(turn.view, token, { resource: 'operator', name: '', access: 'write' })
    if (denied) return denied
    const { authority } = state
    if (!authority) return refuse('gone', 'the certificate authority is not ready yet')
    const config = revealed(wanted.config, authority.config.provider === wanted.provider ? authority.config.config : {})
    if (isRefused(config)) return config
    // Files may hold something new although their names are the same.
    const isSame = wanted.provider === authority.config.provider && same(config, authority.config.config)
    if (isSame && wanted.provider !== 'external') {
      return { plan: wanted.rehearse ? planOf(turn.view, { does: 'nothing', nowMs: turn.nowMs }) : undefined }
    }
    return begin(state, { ...wanted, config, caller }, turn) ?? LATER
  },

  refresh(state, _request, turn, caller) {
    const { authority } = state
    if (authority?.config.provider !== 'external') return { plan: undefined }
    const { provider, config } = authority.config
    return begin(state, { provider, config, settings: settingsIn(turn.view, authority), rehearse: false, caller }, turn) ?? LATER
  },

  abort(state, { token }, turn, caller) {
    if (!state.args.enabled) return refuse('invalid', CONNECT_DISABLED)
    const denied = authorize(turn.view, token, { resource: 'operator', name: '', access: 'write' })
    if (denied) return denied
    commit(turn, 'ca.abort', { id: turn.random.uuid() }, (result) => ({ name: 'aborted', request: { caller, result } }))
    return LATER
  },

  aborted(_state, { caller, result }, turn) {
    if (!isRefused(result)) turn.print('warn', 'rotation of the root aborted', { active: result.rootId })
    turn.answer(caller, result)
  },

  changeNumbered(state, { id, result }, turn) {
    const change = changeOf(state, id)
    if (!change) return
    if (isRefused(result)) return settle(state, result, turn)
    prepare(state, Object.assign(change, { serial: result.from, crossSerial: result.from + 1 }), turn)
  },

  changePrepared(state, { id, outcome }, turn) {
    const change = changeOf(state, id)
    const { authority } = state
    if (!change) return
    if (isRefused(outcome)) {
      // What the provider forbids us is no matter of the caller's token.
      const code = outcome.refused === 'forbidden' ? 'invalid' : outcome.refused
      return settle(state, refuse(code, `error configuring provider: ${outcome.why}`), turn)
    }
    const { prepared } = outcome
    if (!prepared || !authority) return settle(state, refuse('gone', 'the certificate authority is not ready yet'), turn)
    if (prepared.rootId === authority.rootId)
      return change.rehearse ? settlePlan(state, change, 'settings', prepared, turn) : keepRoot(change, prepared, turn)
    if (change.rehearse && prepared.rootPem === '') return settlePlan(state, change, 'rotation', prepared, turn)
    crossSign(authority, change, prepared, turn)
  },

  changeCrossSigned(state, { id, prepared, outcome }, turn) {
    const change = changeOf(state, id)
    if (!change) return
    const isUnsupported = isRefused(outcome)
    if (change.rehearse) return settlePlan(state, change, 'rotation', prepared, turn, !isUnsupported)
    if (isUnsupported && !change.settings.forceWithoutCrossSigning) {
      const why = outcome.refused === 'invalid' ? NO_CROSS_SIGNING : `the current CA could not sign the new root: ${outcome.why}`
      return settle(state, refuse('invalid', why), turn)
    }
    const crossPem = isUnsupported ? [] : [outcome.certPem ?? '', ...(outcome.chainPem ?? []), ...leadingBack(turn.view, change)]
    const { seen, settings, config } = change
    const request = {
      id,
      seen,
      settings,
      config,
      crossSigns: prepared.crossSigns,
      crossPem: crossPem.slice(0, CROSS_SIGNED_MAX),
      state: prepared.state,
      root: newRoot(prepared, crossPem.slice(0, CROSS_SIGNED_MAX)),
      spreads: isUnsupported,
    }
    commit(turn, 'ca.rotate', request, (result) => ({ name: 'changeSettled', request: { id, result } }))
    turn.print('info', 'changing the root of the mesh', { root: prepared.rootId, crossSigned: !isUnsupported })
  },

  changeSettled(state, { id, result }, turn) {
    if (changeOf(state, id)) settle(state, isRefused(result) ? result : { plan: undefined }, turn)
  },

  changeOverdue(state, { id }, turn) {
    if (changeOf(state, id)) settle(state, refuse('late', 'error configuring provider: it did not answer in time'), turn)
  },
}

function begin(state: CaState, wanted: Omit<Change, 'id' | 'seen' | 'serial' | 'crossSerial'>, turn: Turn<CaOwn>): Refusal | undefined {
  const { authority } = state
  const config = turn.view.get(caConfigTable, CONFIG_KEY)
  if (!authority || !config) return refuse('gone', 'the certificate authority is not ready yet')
  if (state.change) return refuse('busy', 'another change of the CA configuration is under way')
  const rotation = turn.view.get(caRotationTable, ROTATION_KEY)
  if (rotation?.phase === 'spreading') {
    return refuse(
      'busy',
      `the root ${rotation.toRootId} is not trusted by every proxy yet; wait until it is active, or abort that rotation`,
    )
  }
  const id = turn.random.uuid()
  const seen = { configIndex: config.modifyIndex, activeRootId: authority.rootId }
  const change: Change = { ...wanted, id, seen, serial: 0, crossSerial: 0 }
  state.change = change
  turn.timer('change', CHANGE_MS_MAX, { name: 'changeOverdue', request: { id } })
  if (change.rehearse) {
    const next = turn.view.get(caSerialTable, SERIAL_KEY)?.next ?? 1
    prepare(state, Object.assign(change, { serial: next, crossSerial: next + 1 }), turn)
  } else if (state.serials.until - state.serials.next >= SERIALS) {
    prepare(state, Object.assign(change, { serial: state.serials.next++, crossSerial: state.serials.next++ }), turn)
  } else commit(turn, 'ca.next-serial', { count: SERIALS }, (result) => ({ name: 'changeNumbered', request: { id, result } }))
  return undefined
}

function prepare({ args, authority }: CaState, change: Change, turn: Turn<CaOwn>): void {
  const { id, provider, config, serial, rehearse } = change
  if (!authority) return
  const { trustDomain, clusterId } = authority.config
  const wanted: AuthorityConfig = { provider, config, trustDomain, clusterId, datacenter: args.datacenter }
  turn.act(
    'authority',
    {
      do: 'prepare',
      authority: wanted,
      state: earlierState(turn.view, wanted, authority),
      serial,
      unique: id,
      nowMs: turn.nowMs,
      rehearse,
    },
    { then: (outcome) => ({ name: 'changePrepared', request: { id, outcome } }) },
  )
}

function crossSign({ config, state }: Authority, { id, crossSerial }: Change, prepared: PreparedAuthority, turn: Turn<CaOwn>): void {
  const notBeforeMs = turn.nowMs - BACKDATED_MS
  turn.act(
    'authority',
    {
      do: 'cross-sign',
      authority: config,
      state,
      certPem: prepared.rootPem,
      serial: crossSerial,
      notBeforeMs,
      notAfterMs: notBeforeMs + CROSS_SIGNED_MS,
    },
    { then: (outcome) => ({ name: 'changeCrossSigned', request: { id, prepared, outcome } }) },
  )
}

/** What leads from the active root to older ones, while there are any: an agent that was cut off may know no newer one. */
function leadingBack(view: View, { seen }: Change): string[] {
  const hasOlder = [...view.range(caRootTable)].some(([, { id, active }]) => !active && id !== seen.activeRootId)
  return hasOlder ? (view.get(caAuthorityTable, seen.activeRootId)?.crossPem ?? []) : []
}

/** The root stays: only how it signs changes. */
function keepRoot({ id, seen, settings, config }: Change, prepared: PreparedAuthority, turn: Turn<CaOwn>): void {
  const crossPem = turn.view.get(caAuthorityTable, seen.activeRootId)?.crossPem ?? []
  const { crossSigns, state } = prepared
  const signer = signerOf(prepared, crossPem)
  const request = { seen, settings, config, crossSigns, crossPem, state, signer }
  commit(turn, 'ca.set-config', request, (result) => ({ name: 'changeSettled', request: { id, result } }))
}

function settlePlan(
  state: CaState,
  change: Change,
  does: 'settings' | 'rotation',
  prepared: PreparedAuthority,
  turn: Turn<CaOwn>,
  crossSigned = turn.view.get(caAuthorityTable, change.seen.activeRootId)?.crossSigns === true,
): void {
  const { forceWithoutCrossSigning } = change.settings
  const refusedWhy = does === 'rotation' && !crossSigned && !forceWithoutCrossSigning ? NO_CROSS_SIGNING : ''
  settle(
    state,
    { plan: planOf(turn.view, { does, nowMs: turn.nowMs, prepared, crossSigned, refusedWhy, settings: change.settings }) },
    turn,
  )
}

function settle(state: CaState, result: Result<{ plan: CaPlan | undefined }>, turn: Turn<CaOwn>): void {
  const caller = state.change?.caller
  state.change = undefined
  turn.cancel('change')
  if (caller) turn.answer(caller, result)
  else if (isRefused(result)) turn.print('warn', 'the certificate authority could not be read again', { error: result.why })
}

function changeOf({ change }: CaState, id: string): Change | undefined {
  return change?.id === id ? change : undefined
}

/** With the secrets that are shown as `hidden`, where they were left as they were shown. */
function revealed(config: Record<string, unknown>, known: Record<string, unknown>): Result<Record<string, unknown>> {
  const entries = Object.entries(config).map(([key, value]) => [key, value === HIDDEN ? known[key] : value] as const)
  const unknown = entries.find(([, value]) => value === undefined)
  if (unknown) return refuse('invalid', `error configuring provider: ${unknown[0]}: "${HIDDEN}" stands for a secret that there is none of`)
  return Object.fromEntries(entries)
}

/** What is known of the same authority from before: of the active root, or of an older one that is kept still. */
function earlierState(view: View, wanted: AuthorityConfig, authority: Authority): AuthorityState {
  const isWanted = ({ provider, config }: Pick<AuthorityConfig, 'provider' | 'config'>) =>
    provider === wanted.provider && same(identityOf(provider, config), identityOf(provider, wanted.config))
  if (isWanted(authority.config)) return authority.state
  for (const [rootId, { provider, config, retired }] of view.range(caAuthorityTable)) {
    if (!retired && isWanted({ provider, config })) return rootAuthority(view, rootId, wanted.datacenter)?.state ?? {}
  }
  return {}
}

/** What of a configuration makes it another authority. */
function identityOf(provider: AuthorityConfig['provider'], config: Record<string, unknown>): unknown[] {
  const keyType = config['PrivateKeyType'] || 'ec'
  const keyBits = Number(config['PrivateKeyBits'] ?? 0) || (keyType === 'rsa' ? 2_048 : 256)
  switch (provider) {
    case 'consul':
      return [config['PrivateKey'] ?? '', config['RootCert'] ?? '', keyType, keyBits]
    case 'vault':
      return [config['Address'] ?? '', config['Namespace'] ?? '', config['RootPKIPath'] ?? '', config['IntermediatePKIPath'] ?? '']
    case 'aws-pca':
      return [config['ExistingARN'] ?? '', keyType, keyBits]
    case 'external':
      return [config['CertFile'] ?? '']
  }
}

function settingsIn(view: View, { settings }: Authority): Authority['settings'] {
  const known = view.get(caConfigTable, CONFIG_KEY)
  if (!known) return settings
  const { provider, leafCertTtlMs, csrMaxPerSecond, csrMaxConcurrent, forceWithoutCrossSigning, shown } = known
  return { provider, leafCertTtlMs, csrMaxPerSecond, csrMaxConcurrent, forceWithoutCrossSigning, shown }
}
