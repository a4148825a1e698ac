import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import { type Call, type Caller, type Cast, LATER, refOf } from '../../src/kernel/protocol.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { authorize, type Token } from '../authorize.ts'
import { trustBundle } from '../ca/queries.ts'
import { isLayer7, protocolOf } from '../config-entries/queries.ts'
import { decisionsRef } from '../decisions/protocol.ts'
import { commit } from '../ledger.ts'
import { parseIdentity } from '../spiffe.ts'
import type { IntentionText, LegacyIntention } from './commands.ts'
import { type Decision, decide, ruleText, WILDCARD } from './decide.ts'
import { type Explanation, explain } from './explain.ts'
import { keptPermissions, permissionsFault, type WrittenPermission } from './permissions.ts'
import { permissionsNeedHttp } from './protocol-fault.ts'
import { intentionById, intentionsTo, placeOf } from './queries.ts'
import { writeWarnings } from './warnings.ts'

/** Who may connect to whom. Reading needs no actor: see queries.ts. */
export type IntentionsProtocol = {
  /** Makes an intention with an id of its own. Such an intention has no permissions; `permissions` is how many were given, and more
   * than none are refused. */
  create: Call<Omit<LegacyIntention, 'id'> & { permissions?: number; token: Token }, { id: string } & Warned>
  update: Call<LegacyIntention & { permissions?: number; token: Token }, { id: string } & Warned>
  delete: Call<{ id: string; token: Token }, null>
  /** Makes or replaces the intention for exactly these names: an action, or permissions where the destination has requests. */
  put: Call<Omit<IntentionText, 'action'> & { action: string; permissions: WrittenPermission[]; token: Token }, Warned>
  deleteExact: Call<{ source: string; destination: string; token: Token }, null>
  /** Whether the two services may connect now. */
  check: Call<{ source: string; destination: string; token: Token }, Decision>
  /** How the same decision comes about. */
  explain: Call<{ source: string; destination: string; token: Token }, Explanation>
  /** Whether somebody with this SPIFFE id may connect to `target` now. Other trust domains may not. A denial leaves a record;
   * `serial` of the certificate is for that. */
  authorize: Call<{ target: string; uri: string; serial?: string; token: Token }, Decision>
}
/** What its writer should know of what was written, see warnings.ts. */
export type Warned = { warnings: string[] }
type Pair = { source: string; destination: string }
type IntentionsOwn = {
  created: Cast<{ caller: Caller<{ id: string } & Warned>; pair: Pair; result: Result<{ id: string }> }>
  written: Cast<{ caller: Caller<Warned>; pair: Pair; result: Result<null> }>
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
  remote: ['create', 'update', 'delete', 'put', 'deleteExact', 'check', 'explain', 'authorize'],
  init: (args) => args,
  on: {
    create(_state, { token, permissions = 0, ...intention }, turn, caller) {
      const wrong =
        mayNotWrite(turn, token, intention.destination) ?? namesWrong(intention) ?? legacyPermissionsWrong(turn, intention, permissions)
      if (wrong) return wrong
      commit(turn, 'intentions.create', { ...intention, id: turn.random.uuid() }, (result) => created(caller, intention, result))
      return LATER
    },

    update(_state, { token, permissions = 0, ...intention }, turn, caller) {
      const wrong =
        mayNotWrite(turn, token, intention.destination) ?? namesWrong(intention) ?? legacyPermissionsWrong(turn, intention, permissions)
      if (wrong) return wrong
      commit(turn, 'intentions.update', intention, (result) => created(caller, intention, result))
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
      const says = permissions.length > 0 ? { permissions: keptPermissions(permissions) } : {}
      const intention = { ...text, action: action === 'allow' ? ('allow' as const) : ('deny' as const), ...says }
      const { source, destination } = text
      commit(turn, 'intentions.put', intention, (result) => ({
        name: 'written',
        request: { caller, pair: { source, destination }, result },
      }))
      return LATER
    },

    deleteExact(_state, { token, ...names }, turn, caller) {
      const wrong = mayNotWrite(turn, token, names.destination) ?? namesWrong(names)
      if (wrong) return wrong
      commit(turn, 'intentions.delete-exact', names, (result) => done(caller, result))
      return LATER
    },

    explain({ defaultAllow }, { source, destination, token }, turn) {
      const denied = mayNotRead(turn, token, source) ?? mayNotRead(turn, token, destination)
      return denied ?? explain(intentionsTo(turn.view, destination).intentions, source, destination, defaultAllow)
    },

    check({ defaultAllow }, { source, destination, token }, turn) {
      const denied = mayNotRead(turn, token, source) ?? mayNotRead(turn, token, destination)
      return denied ?? decide(intentionsTo(turn.view, destination).intentions, source, destination, defaultAllow)
    },

    authorize({ defaultAllow }, { target, uri, serial = '', token }, turn) {
      const denied = authorize(turn.view, token, { resource: 'service', name: target, access: 'write' })
      if (denied) return denied
      const identity = parseIdentity(uri)
      if (isRefused(identity)) return identity
      if (identity.kind !== 'service') return refuse('invalid', `${uri} is not the identity of a service`)
      const trustDomain = trustBundle(turn.view)?.bundle.trustDomain
      const isOurs = identity.trustDomain.toLowerCase() === trustDomain
      const decision = isOurs
        ? decide(intentionsTo(turn.view, target).intentions, identity.service, target, defaultAllow)
        : { allowed: false, reason: `Identity from an external trust domain: ${identity.trustDomain}` }
      if (!decision.allowed) tellDenied(turn, { source: identity.service, destination: target, uri, serial }, decision, isOurs)
      return decision
    },

    created(_state, { caller, pair, result }, turn) {
      turn.answer(caller, isRefused(result) ? result : { ...result, ...warned(turn, pair) })
    },

    written(_state, { caller, pair, result }, turn) {
      turn.answer(caller, isRefused(result) ? result : warned(turn, pair))
    },

    done(_state, { caller, result }, turn) {
      turn.answer(caller, result)
    },
  },
})

function created(
  caller: Caller<{ id: string } & Warned>,
  { source, destination }: Pair,
  result: Result<{ id: string }>,
): { name: 'created'; request: { caller: Caller<{ id: string } & Warned>; pair: Pair; result: Result<{ id: string }> } } {
  return { name: 'created', request: { caller, pair: { source, destination }, result } }
}

/** What is written is in the tables by now. */
function warned({ view }: Turn<IntentionsOwn>, { source, destination }: Pair): Warned {
  return { warnings: writeWarnings(view, destination, [source]) }
}

function done(caller: Caller<null>, result: Result<null>): { name: 'done'; request: { caller: Caller<null>; result: Result<null> } } {
  return { name: 'done', request: { caller, result } }
}

function mayNotWrite(turn: Turn<IntentionsOwn>, token: Token, destination: string): Refusal | undefined {
  return authorize(turn.view, token, { resource: 'intentions', name: destination, access: 'write' })
}

function tellDenied(
  turn: Turn<IntentionsOwn>,
  who: Pair & { uri: string; serial: string },
  { rule, reason }: Decision,
  isOurs: boolean,
): void {
  const kind = rule ? 'intention' : isOurs ? 'default' : 'identity'
  const cause = rule ? ruleText(rule) : reason
  turn.cast(decisionsRef, 'refused', { side: 'authorize', kind, cause, ...who, from: '', atMs: turn.nowMs })
}

function mayNotRead(turn: Turn<IntentionsOwn>, token: Token, service: string): Refusal | undefined {
  return authorize(turn.view, token, { resource: 'service', name: service, access: 'read' })
}

function namesWrong(names: { source: string; destination: string }): Refusal | undefined {
  return nameWrong('SourceName', names.source) ?? nameWrong('DestinationName', names.destination)
}

/** An intention with an id has an action. */
function legacyPermissionsWrong({ view }: Turn<IntentionsOwn>, { destination }: Pair, permissions: number): Refusal | undefined {
  if (permissions === 0) return undefined
  const protocol = protocolOf(view, destination)
  return isLayer7(protocol)
    ? refuse('invalid', 'Permissions cannot be specified on intentions with an ID: use /v1/connect/intentions/exact or a config entry')
    : refuse('invalid', permissionsNeedHttp(destination, protocol))
}

/** What is wrong with an entry of a destination's list, named by its place in it. */
function permissionsWrong(
  turn: Turn<IntentionsOwn>,
  { source, destination }: Pair,
  action: string,
  permissions: readonly WrittenPermission[],
): Refusal | undefined {
  if (permissions.length === 0 && (action === 'allow' || action === 'deny')) return undefined
  const place = `Sources[${placeOf(turn.view, source, destination)}]`
  if (permissions.length === 0) return refuse('invalid', `${place}.Action must be set to 'allow' or 'deny'`)
  if (action !== '') return refuse('invalid', `${place}.Action must be omitted if Permissions are specified`)
  if (destination === WILDCARD)
    return refuse('invalid', `${place}.Permissions cannot be specified on intentions with wildcarded destinations`)
  const fault = permissionsFault(permissions)
  return fault === undefined ? undefined : refuse('invalid', `${place}${fault}`)
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
