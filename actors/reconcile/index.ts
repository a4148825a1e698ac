import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import type { Cast } from '../../src/kernel/protocol.ts'
import { recordReads } from '../../src/kernel/recording-view.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { nodeKey } from '../catalog/tables.ts'
import { commit } from '../ledger.ts'
import { type Member, membershipRef } from '../membership/protocol.ts'
import { leaderOf } from '../servers/commands.ts'
import { agreement, type Step, unknownNodes } from './agreement.ts'

/** `id`: that of this server's node. */
export type ReconcileArgs = { enabled: boolean; id: string }
type ReconcileOwn = {
  members: Cast<{ members: readonly Member[] }>
  led: Cast<null>
  round: Cast<null>
  again: Cast<null>
  settled: Cast<{ step: Step; result: Result<null> }>
}
type ReconcileState = ReconcileArgs & {
  /** Undefined until they were told. */
  members: readonly Member[] | undefined
  /** Nodes, by key, that no member stood for when it was looked last. */
  unknown: ReadonlySet<string>
  /** How long it is waited after the next refusal, and whether it is waited already. */
  retryMs: number
  isWaiting: boolean
}

/** Source: internals, leader duties. */
const ROUND_MS = 60_000
/** What was refused is looked at again later and later, and from the beginning once something was taken. */
const RETRY_MS_MIN = 1_000
const RETRY_MS_MAX = 60_000

/**
 * Makes the catalog agree with the members of the datacenter: whose agent lives has `serfHealth` passing, whose agent failed has it critical,
 * and who left is no node any more. Only the server that leads does so; done by two, it is still done once, since what is already
 * so takes no index. A node without any member goes once that was so in two rounds: a server that has just begun knows few members.
 */
export const reconcile = defineActor<object, ReconcileOwn, ReconcileState, ReconcileArgs>({
  name: 'reconcile',
  mailboxMax: 1_024,
  init(args, turn) {
    if (args.enabled) {
      turn.subscribe('members', membershipRef, 'members', null, (members) => ({ name: 'members', request: { members } }))
      turn.timer('round', ROUND_MS, { name: 'round', request: null })
      wakeWhenLed(turn)
    }
    return { ...args, members: undefined, unknown: new Set(), retryMs: RETRY_MS_MIN, isWaiting: false }
  },
  on: {
    members(state, { members }, turn) {
      state.members = members
      agree(state, turn)
    },

    led(state, _request, turn) {
      wakeWhenLed(turn)
      agree(state, turn)
    },

    round(state, _request, turn) {
      turn.timer('round', ROUND_MS, { name: 'round', request: null })
      agree(state, turn)
      reap(state, turn)
    },

    again(state, _request, turn) {
      state.isWaiting = false
      agree(state, turn)
    },

    settled(state, { step, result }, turn) {
      if (!isRefused(result)) {
        state.retryMs = RETRY_MS_MIN
        return
      }
      if (state.isWaiting) return
      const { retryMs } = state
      turn.print('warn', `a member's ${step.what} did not get into the catalog`, { node: step.node, error: result.why, retryMs })
      turn.timer('again', retryMs, { name: 'again', request: null })
      state.isWaiting = true
      state.retryMs = Math.min(RETRY_MS_MAX, retryMs * 2)
    },
  },
})

function agree(state: ReconcileState, turn: Turn<ReconcileOwn>): void {
  if (!state.members || !leads(state, turn)) return
  for (const member of state.members) propose(turn, agreement(turn.view, member))
}

/** Who had no member in the round before either is gone. */
function reap(state: ReconcileState, turn: Turn<ReconcileOwn>): void {
  const isLeader = leads(state, turn)
  const unknown = state.members && isLeader ? unknownNodes(turn.view, state.members) : []
  for (const node of unknown) {
    if (!state.unknown.has(nodeKey(node))) continue
    propose(turn, { what: 'reaping', node, kind: 'catalog.deregister', request: { node, serviceId: '', checkId: '' } })
  }
  state.unknown = new Set(unknown.map(nodeKey))
}

function propose(turn: Turn<ReconcileOwn>, step: Step | undefined): void {
  if (!step) return
  commit(turn, step.kind, step.request, (result) => ({ name: 'settled', request: { step, result } }))
}

/** Who shares the log with nobody leads. */
function leads({ id }: ReconcileState, turn: Turn<ReconcileOwn>): boolean {
  const leader = leaderOf(turn.view)
  return leader === undefined || leader === id
}

function wakeWhenLed(turn: Turn<ReconcileOwn>): void {
  const { view, reads } = recordReads(turn.view)
  leaderOf(view)
  turn.wake('led', reads, { name: 'led', request: null })
}
