import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import { type Call, type Caller, type Cast, LATER, refOf } from '../../src/kernel/protocol.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { authorize, type Token } from '../authorize.ts'
import { trustBundle } from '../ca/queries.ts'
import { commit } from '../ledger.ts'
import { parseIdentity } from '../spiffe.ts'
import type { IntentionText, LegacyIntention } from './commands.ts'
import { type Decision, decide, WILDCARD } from './decide.ts'
import { intentionById, intentionsTo, placeOf } from './queries.ts'

/** Who may connect to whom. Reading needs no actor: see queries.ts. */
export type IntentionsProtocol = {
  /** Makes an intention with an id of its own. */
  create: Call<Omit<LegacyIntention, 'id'> & { token: Token }, { id: string }>
  update: Call<LegacyIntention & { token: Token }, { id: string }>
  delete: Call<{ id: string; token: Token }, null>
  /** Makes or replaces the intention for exactly these names. `permissions` is how many layer-7 permissions were given; every
   * service speaks plain TCP, so more than none is refused. */
  put: Call<Omit<IntentionText, 'action'> & { action: string; permissions: number; token: Token }, null>
  deleteExact: Call<{ source: string; destination: string; token: Token }, null>
  /** Whether the two services may connect now. */
  check: Call<{ source: string; destination: string; token: Token }, Decision>
  /** Whether somebody with this SPIFFE id may connect to `target` now. Other trust domains may not. */
  authorize: Call<{ target: string; uri: string; token: Token }, Decision>
}
type IntentionsOwn = {
  created: Cast<{ caller: Caller<{ id: string }>; result: Result<{ id: string }> }>
  done: Cast<{ caller: Caller<null>; result: Result<null> }>
}
type IntentionsState = IntentionsArgs
/** `defaultAllow`: what holds where no intention matches. */
export type IntentionsArgs = { defaultAllow: boolean }

/** UTF-16 units; two names and their separator fit into one key. */
export const NAME_LENGTH_MAX = 300

export const intentionsRef = refOf<IntentionsProtocol>('intentions')

export const intentions = defineActor<IntentionsProtocol, IntentionsOwn, IntentionsState, IntentionsArgs>({
  name: 'intentions',
  mailboxMax: 16_384,
  remote: ['create', 'update', 'delete', 'put', 'deleteExact', 'check', 'authorize'],
  init: (args) => args,
  on: {
    create(_state, { token, ...intention }, turn, caller) {
      const wrong = mayNotWrite(turn, token, intention.destination) ?? namesWrong(intention)
      if (wrong) return wrong
      commit(turn, 'intentions.create', { ...intention, id: turn.random.uuid() }, (result) => created(caller, result))
      return LATER
    },

    update(_state, { token, ...intention }, turn, caller) {
      const wrong = mayNotWrite(turn, token, intention.destination) ?? namesWrong(intention)
      if (wrong) return wrong
      commit(turn, 'intentions.update', intention, (result) => created(caller, result))
      return LATER
    },

    delete(_state, { token, id }, turn, caller) {
      const { intention } = intentionById(turn.view, id)
      const denied = intention && mayNotWrite(turn, token, intention.destination)
      if (denied) return denied
      commit(turn, 'intentions.delete', { id }, (result) => done(caller, result))
      return LATER
    },

    put(_state, { token, permissions, action, ...text }, turn, caller) {
      const wrong = mayNotWrite(turn, token, text.destination) ?? namesWrong(text) ?? permissionsWrong(turn, text, action, permissions)
      if (wrong) return wrong
      commit(turn, 'intentions.put', { ...text, action: action === 'allow' ? 'allow' : 'deny' }, (result) => done(caller, result))
      return LATER
    },

    deleteExact(_state, { token, ...names }, turn, caller) {
      const wrong = mayNotWrite(turn, token, names.destination) ?? namesWrong(names)
      if (wrong) return wrong
      commit(turn, 'intentions.delete-exact', names, (result) => done(caller, result))
      return LATER
    },

    check({ defaultAllow }, { source, destination, token }, turn) {
      const denied =
        authorize(turn.view, token, { resource: 'service', name: source, access: 'read' }) ??
        authorize(turn.view, token, { resource: 'service', name: destination, access: 'read' })
      return denied ?? decide(intentionsTo(turn.view, destination).intentions, source, destination, defaultAllow)
    },

    authorize({ defaultAllow }, { target, uri, token }, turn) {
      const denied = authorize(turn.view, token, { resource: 'service', name: target, access: 'write' })
      if (denied) return denied
      const identity = parseIdentity(uri)
      if (isRefused(identity)) return identity
      if (identity.kind !== 'service') return refuse('invalid', `${uri} is not the identity of a service`)
      const trustDomain = trustBundle(turn.view)?.bundle.trustDomain
      if (identity.trustDomain.toLowerCase() !== trustDomain) {
        return { allowed: false, reason: `Identity from an external trust domain: ${identity.trustDomain}` }
      }
      return decide(intentionsTo(turn.view, target).intentions, identity.service, target, defaultAllow)
    },

    created(_state, { caller, result }, turn) {
      turn.answer(caller, result)
    },

    done(_state, { caller, result }, turn) {
      turn.answer(caller, result)
    },
  },
})

/** Layer-7 permissions need a protocol that has requests, and services of this version have none but TCP. */
export function permissionsNeedHttp(destination: string): string {
  return `service ${JSON.stringify(destination)} has protocol "tcp", which is incompatible with L7 intentions permissions`
}

function created(
  caller: Caller<{ id: string }>,
  result: Result<{ id: string }>,
): { name: 'created'; request: { caller: Caller<{ id: string }>; result: Result<{ id: string }> } } {
  return { name: 'created', request: { caller, result } }
}

function done(caller: Caller<null>, result: Result<null>): { name: 'done'; request: { caller: Caller<null>; result: Result<null> } } {
  return { name: 'done', request: { caller, result } }
}

function mayNotWrite(turn: Turn<IntentionsOwn>, token: Token, destination: string): Refusal | undefined {
  return authorize(turn.view, token, { resource: 'intentions', name: destination, access: 'write' })
}

function namesWrong(names: { source: string; destination: string }): Refusal | undefined {
  return nameWrong('SourceName', names.source) ?? nameWrong('DestinationName', names.destination)
}

/** What is wrong with an entry of a destination's list, named by its place in it. */
function permissionsWrong(
  turn: Turn<IntentionsOwn>,
  { source, destination }: { source: string; destination: string },
  action: string,
  permissions: number,
): Refusal | undefined {
  if (permissions === 0 && (action === 'allow' || action === 'deny')) return undefined
  const place = `Sources[${placeOf(turn.view, source, destination)}]`
  if (permissions === 0) return refuse('invalid', `${place}.Action must be set to 'allow' or 'deny'`)
  if (action !== '') return refuse('invalid', `${place}.Action must be omitted if Permissions are specified`)
  if (destination === WILDCARD)
    return refuse('invalid', `${place}.Permissions cannot be specified on intentions with wildcarded destinations`)
  return refuse('invalid', permissionsNeedHttp(destination))
}

function nameWrong(field: string, name: string): Refusal | undefined {
  if (name === '') return refuse('invalid', `${field} must be set`)
  if (name !== WILDCARD && name.includes(WILDCARD)) {
    return refuse('invalid', `${field}: wildcard character '*' cannot be used with partial values`)
  }
  if (name.length > NAME_LENGTH_MAX) return refuse('invalid', `${field} is longer than ${NAME_LENGTH_MAX} characters`)
  if (/[\u0000-\u001f\u007f]/.test(name) || !name.isWellFormed()) return refuse('invalid', `${field} has characters that are not allowed`)
  return undefined
}
