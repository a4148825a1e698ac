import { defineActor } from '../../src/kernel/actor.ts'
import type { CertificateAuthority, EtcdEvent, EtcdOutcome, EtcdPeer } from '../../src/kernel/ports.ts'
import { type Caller, type Cast, LATER } from '../../src/kernel/protocol.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { authorize } from '../authorize.ts'
import { lastIndex } from '../command.ts'
import { commit, ledgerRef } from '../ledger.ts'
import { type Member, membershipRef } from '../membership/protocol.ts'
import { foundingOf, leaderOf } from '../servers/commands.ts'
import { admission, admitted, admittedBy } from './admit.ts'
import { gather, isFounded, keepUp, type Listed, noteStage, say, shownMembers } from './duties.ts'
import { addressOf, serversAmong } from './plan.ts'
import { type Admission, type FormationArgs, type FormationProtocol, formationRef, type ServerStatus } from './protocol.ts'
import { type FormationState, TICK_MS } from './state.ts'

export type FormationOwn = {
  seen: Cast<{ members: Member[] }>
  looked: Cast<{ outcome: Result<EtcdOutcome> }>
  tick: Cast<null>
  tagged: Cast<{ result: Result<null> }>
  founded: Cast<{ outcome: Result<EtcdOutcome> }>
  admission: Cast<{ result: Result<Admission> }>
  started: Cast<{ outcome: Result<EtcdOutcome> }>
  listed: Cast<{ outcome: Result<EtcdOutcome> }>
  changed: Cast<{ what: string; outcome: Result<EtcdOutcome> }>
  ended: Cast<{ event: EtcdEvent }>
  forgotten: Cast<{ outcome: Result<EtcdOutcome>; caller: Caller<null> | undefined }>
  admitting: Cast<{ caller: Caller<Admission>; peer: EtcdPeer; tries: number; outcome: Result<EtcdOutcome> }>
  admitted: Cast<{ caller: Caller<Admission>; outcome: Result<EtcdOutcome> }>
  inTouch: Cast<{ caller: Caller<ServerStatus>; askedMs: number; result: Result<null> }>
  shown: Cast<{ caller: Caller<Listed>; outcome: Result<EtcdOutcome> }>
  removing: Cast<{ caller: Caller<null>; id: string; address: string; outcome: Result<EtcdOutcome> }>
  leaving: Cast<{ caller: Caller<null>; outcome: Result<EtcdOutcome> }>
  left: Cast<{ caller: Caller<null>; outcome: Result<EtcdOutcome> }>
  answered: Cast<{ caller: Caller<null>; outcome: Result<EtcdOutcome> }>
  migrated: Cast<{ caller: Caller<{ id: string }>; id: string; result: Result<null> }>
}

export { formationRef }

const NO_ETCD = refuse('conflict', 'this agent has no etcd of its own')
const LOOK_AGAIN_MS = 10_000
const CONTACT_WITHIN_MS = 900

/** Started with what this server is; without an etcd of its own it only answers. */
export const formation = defineActor<FormationProtocol, FormationOwn, FormationState, FormationArgs>({
  name: 'formation',
  mailboxMax: 1_024,
  remote: ['admit', 'status'],
  init(args, turn) {
    if (args.own) {
      turn.act('etcd', { do: 'look' }, { then: (outcome) => ({ name: 'looked', request: { outcome } }) })
      turn.subscribe('members', membershipRef, 'members', null, (members) => ({ name: 'seen', request: { members } }))
    }
    return {
      args,
      phase: args.own ? 'looking' : 'off',
      startedMs: turn.nowMs,
      stage: { is: 'new' },
      servers: [],
      authority: undefined,
      said: '',
      through: 0,
    }
  },
  on: {
    // ------------------------------------------------------------ coming to be a member

    seen(state, { members }) {
      const { own } = state.args
      if (own) state.servers = serversAmong(members, own.datacenter)
    },

    looked(state, { outcome }, turn) {
      if (isRefused(outcome)) {
        turn.print('error', 'This server cannot keep its state together with others', { error: outcome.why })
        return turn.timer('look', LOOK_AGAIN_MS, { name: 'tick', request: null })
      }
      state.authority = outcome.authority
      if (foundingOf(turn.view) !== undefined) noteStage(state, turn, { is: 'holds' })
      if (outcome.isMember && state.authority) begin(state, turn, [], false)
      else state.phase = 'gathering'
      turn.timer('tick', TICK_MS, { name: 'tick', request: null })
    },

    tick(state, _request, turn) {
      if (state.phase === 'looking') {
        return turn.act('etcd', { do: 'look' }, { then: (outcome) => ({ name: 'looked', request: { outcome } }) })
      }
      turn.timer('tick', TICK_MS, { name: 'tick', request: null })
      if (state.phase === 'gathering') gather(state, turn)
      else if (state.phase === 'running') {
        turn.act('etcd', { do: 'members' }, { then: (outcome) => ({ name: 'listed', request: { outcome } }) })
      }
    },

    tagged(_state, { result }, turn) {
      if (isRefused(result)) turn.print('warn', 'The others were not told how far this server is', { error: result.why })
    },

    founded(state, { outcome }, turn) {
      if (state.phase !== 'asking') return
      state.phase = 'gathering'
      if (isRefused(outcome) || !outcome.authority) {
        return turn.print('warn', 'The cluster could not be founded yet', { error: isRefused(outcome) ? outcome.why : 'no authority' })
      }
      state.authority = outcome.authority
      begin(state, turn, [], true)
    },

    admission(state, { result }, turn) {
      if (state.phase !== 'asking') return
      state.phase = 'gathering'
      state.through++
      if (isRefused(result)) return say(state, turn, 'info', result.why)
      state.authority = result.authority
      begin(state, turn, result.members, false)
    },

    started(state, { outcome }, turn) {
      if (!isRefused(outcome)) return
      state.phase = 'gathering'
      turn.print('error', 'etcd could not be started', { error: outcome.why })
    },

    ended(state, { event }, turn) {
      if (!event.isOut || state.phase === 'left') return
      turn.print('warn', 'The other servers took this one out; it asks to be a member again')
      state.phase = 'asking'
      turn.act('etcd', { do: 'forget' }, { then: (outcome) => ({ name: 'forgotten', request: { outcome, caller: undefined } }) })
    },

    forgotten(state, { outcome, caller }, turn) {
      if (isRefused(outcome)) turn.print('error', 'What etcd kept could not be removed', { error: outcome.why })
      if (caller) return turn.answer(caller, isRefused(outcome) ? outcome : null)
      state.phase = 'gathering'
      noteStage(state, turn, { is: 'new' })
    },

    // ------------------------------------------------------------ being one

    listed(state, { outcome }, turn) {
      if (!isRefused(outcome) && state.phase === 'running') keepUp(state, turn, outcome)
    },

    changed(_state, { what, outcome }, turn) {
      if (!isRefused(outcome)) turn.print('info', what)
      else if (outcome.refused !== 'conflict') turn.print('debug', 'The cluster was not changed', { what, reason: outcome.why })
    },

    admit(state, { id, url }, turn, caller) {
      const denied = admission(state, { id, url }, caller)
      if (denied) return denied
      const peer: EtcdPeer = { name: id, url }
      turn.act('etcd', { do: 'members' }, { then: (outcome) => ({ name: 'admitting', request: { caller, peer, tries: 0, outcome } }) })
      return LATER
    },

    admitting(state, request, turn) {
      admittedBy(state, turn, request)
    },

    admitted(state, { caller, outcome }, turn) {
      turn.answer(caller, admitted(state, outcome))
    },

    status(_state, _request, turn, caller) {
      const askedMs = turn.nowMs
      turn.call(ledgerRef, 'catchUp', null, {
        withinMs: CONTACT_WITHIN_MS,
        then: (result) => ({ name: 'inTouch', request: { caller, askedMs, result } }),
      })
      return LATER
    },

    inTouch({ startedMs }, { caller, askedMs, result }, turn) {
      const contactMs = Math.max(0, turn.nowMs - askedMs)
      turn.answer(caller, isRefused(result) ? result : { index: lastIndex(turn.view), startedMs, contactMs })
    },

    members({ args, phase }, _request, turn, caller) {
      if (!args.own) return { term: 0 }
      if (phase !== 'running') return NOT_FORMED
      turn.act('etcd', { do: 'members' }, { then: (outcome) => ({ name: 'shown', request: { caller, outcome } }) })
      return LATER
    },

    shown(state, { caller, outcome }, turn) {
      turn.answer(caller, isRefused(outcome) ? NOT_FORMED : shownMembers(state, outcome, leaderOf(turn.view)))
    },

    remove({ args }, { id, address, token }, turn, caller) {
      const denied = authorize(turn.view, token, { resource: 'operator', name: '', access: 'write' })
      if (denied) return denied
      if (!args.own) return NO_ETCD
      turn.act('etcd', { do: 'members' }, { then: (outcome) => ({ name: 'removing', request: { caller, id, address, outcome } }) })
      return LATER
    },

    removing(_state, { caller, id, address, outcome }, turn) {
      if (isRefused(outcome)) return turn.answer(caller, outcome)
      const { members = [] } = outcome
      const member = members.find(({ name, url }) => (id === '' ? addressOf(url) === address : name === id))
      if (!member) {
        const named = id === '' ? `address ${JSON.stringify(address)}` : `id ${JSON.stringify(id)}`
        return turn.answer(caller, refuse('missing', `${named} was not found in the Raft configuration`))
      }
      if (members.length === 1) return turn.answer(caller, refuse('conflict', 'need at least one voter in configuration: {[]}'))
      const then = (removed: Result<EtcdOutcome>) => ({ name: 'answered' as const, request: { caller, outcome: removed } })
      turn.act('etcd', { do: 'remove', id: member.id }, { then })
    },

    answered(_state, { caller, outcome }, turn) {
      turn.answer(caller, isRefused(outcome) ? outcome : null)
    },

    // ------------------------------------------------------------ going, and growing

    leave(state, _request, turn, caller) {
      if (state.phase !== 'running') return null
      turn.act('etcd', { do: 'members' }, { then: (outcome) => ({ name: 'leaving', request: { caller, outcome } }) })
      return LATER
    },

    leaving(state, { caller, outcome }, turn) {
      const { members = [] } = isRefused(outcome) ? {} : outcome
      const self = members.find(({ name }) => name === state.args.own?.id)
      if (!self || members.length === 1) return turn.answer(caller, isRefused(outcome) ? outcome : null)
      state.phase = 'left'
      turn.act('etcd', { do: 'remove', id: self.id }, { then: (removed) => ({ name: 'left', request: { caller, outcome: removed } }) })
    },

    left(_state, { caller, outcome }, turn) {
      if (isRefused(outcome)) return turn.answer(caller, outcome)
      turn.act('etcd', { do: 'forget' }, { then: (forgot) => ({ name: 'forgotten', request: { outcome: forgot, caller } }) })
    },

    migrate({ args }, { token }, turn, caller) {
      const denied = authorize(turn.view, token, { resource: 'operator', name: '', access: 'write' })
      if (denied) return denied
      if (args.shares) return refuse('conflict', 'this server shares its state already')
      const id = turn.random.uuid()
      commit(turn, 'servers.migrate', { id }, (result) => ({ name: 'migrated', request: { caller, id, result } }))
      return LATER
    },

    migrated(_state, { caller, id, result }, turn) {
      turn.answer(caller, isRefused(result) ? result : { id })
    },
  },
})

const NOT_FORMED = refuse('busy', 'No cluster leader')

function begin(state: FormationState, turn: Parameters<typeof gather>[1], members: readonly EtcdPeer[], founds: boolean): void {
  const { own } = state.args
  const authority: CertificateAuthority | undefined = state.authority
  if (!own || !authority) return
  state.phase = 'running'
  if (founds && !isFounded(state)) turn.print('info', 'This server founds the cluster of servers', { expect: own.expect })
  const known = members.length > 0 ? members : [{ name: own.id, url: own.url }]
  turn.act(
    'etcd',
    { do: 'start', name: own.id, members: known, founds, authority },
    { then: (outcome) => ({ name: 'started', request: { outcome } }), on: (event) => ({ name: 'ended', request: { event } }) },
  )
}
