import { defineActor, type Turn } from '../src/kernel/actor.ts'
import { nodeOf } from '../src/kernel/far.ts'
import type { LogOutcome } from '../src/kernel/ports.ts'
import { type Call, type Caller, type Cast, LATER, type Message, refOf } from '../src/kernel/protocol.ts'
import { isRefused, type Result, refuse } from '../src/kernel/refusal.ts'
import type { Command, CommandKind, CommandOutcome, CommandRequest } from './commands.ts'

/** The only writer of the tables. */
export type LedgerProtocol = {
  /** Answered once the command is durable, with what its function returned. */
  commit: Call<Command, unknown>
  /** Answered once everything is visible here that any server had answered when this was asked. */
  catchUp: Call<null, null>
}
type LedgerOwn = {
  flush: Cast<null>
  applied: Cast<{ callers: Caller[]; outcome: Result<LogOutcome> }>
  caughtUp: Cast<{ caller: Caller<null>; outcome: Result<LogOutcome> }>
}
type LedgerState = {
  waiting: { caller: Caller; command: Command }[]
  /** The next group: none; waits for more, about to go, or with the log. */
  next: 'none' | 'gathered' | 'going' | 'sent'
  /** When the last group went to the log. */
  sentAtMs: number
  /** How many commands a group that is gathered waits for. */
  wanted: number
  /** When the operator may be told again that whole groups are refused, as on a full disk. */
  tellAfterMs: number
}

/** Commands that are made durable together. */
const GROUP_MAX = 512
/**
 * Who was answered asks again soon, so a log that is slow, with so many under way, gets one group of all instead of two in turns: the next
 * one waits for those who were answered for so long.
 */
const GATHER_MIN = 8
const GATHER_MS_MAX = 4
const SLOW_MS = 2
/** How long whoever proposes a command waits for it. */
export const COMMIT_WITHIN_MS = 10_000
const TELL_EVERY_MS = 10_000
/** What agents that are no servers propose by themselves: it is about them. All else of theirs goes to the actor it is for. */
const OF_OTHERS: ReadonlySet<string> = new Set<CommandKind>(['catalog.register', 'catalog.deregister', 'connect.report'])

export const ledgerRef = refOf<LedgerProtocol>('ledger')

/** Gathers all commands that wait into one group, has the log order and keep it, and lets the answers go when it is durable. */
export const ledger = defineActor<LedgerProtocol, LedgerOwn, LedgerState>({
  name: 'ledger',
  mailboxMax: 65_536,
  remote: ['commit'],
  init: () => ({ waiting: [], next: 'none', sentAtMs: 0, wanted: 0, tellAfterMs: 0 }),
  on: {
    commit(state, command, turn, caller) {
      if (nodeOf(caller) !== undefined && !OF_OTHERS.has(command.kind)) {
        return refuse('forbidden', `"${command.kind}" cannot be proposed from another machine`)
      }
      state.waiting.push({ caller, command })
      if (state.next === 'none' || (state.next === 'gathered' && state.waiting.length >= state.wanted)) goOn(state, turn)
      return LATER
    },

    catchUp(_state, _request, turn, caller) {
      turn.act('log', { commands: [] }, { then: (outcome) => ({ name: 'caughtUp', request: { caller, outcome } }) })
      return LATER
    },

    caughtUp(_state, { caller, outcome }, turn) {
      turn.answer(caller, isRefused(outcome) ? outcome : null)
    },

    flush(state, _request, turn) {
      if (state.next === 'sent') return
      state.next = state.waiting.length > 0 ? 'sent' : 'none'
      if (state.next === 'none') return
      state.sentAtMs = turn.nowMs
      const group = state.waiting.splice(0, GROUP_MAX)
      const callers = group.map(({ caller }) => caller)
      turn.act(
        'log',
        { commands: group.map(({ command }) => command) },
        { then: (outcome) => ({ name: 'applied', request: { callers, outcome } }) },
      )
    },

    applied(state, { callers, outcome }, turn) {
      callers.forEach((caller, position) => {
        turn.answer(caller, isRefused(outcome) ? outcome : outcome.outcomes[position])
      })
      if (isRefused(outcome) && turn.nowMs >= state.tellAfterMs) {
        state.tellAfterMs = turn.nowMs + TELL_EVERY_MS
        turn.print('error', 'Changes are refused', { error: outcome.why })
      }
      const tookMs = turn.nowMs - state.sentAtMs
      const underWay = Math.min(GROUP_MAX, callers.length + state.waiting.length)
      if (underWay >= GATHER_MIN && tookMs >= SLOW_MS && state.waiting.length < underWay) {
        state.next = 'gathered'
        state.wanted = underWay
        turn.timer('gather', Math.min(GATHER_MS_MAX, tookMs / 2), { name: 'flush', request: null })
      } else if (state.waiting.length > 0) goOn(state, turn)
      else state.next = 'none'
      turn.count('ledger.groups')
      turn.count('ledger.commands', callers.length)
    },
  },
})

function goOn(state: LedgerState, turn: Turn<LedgerOwn>): void {
  if (state.next === 'gathered') turn.cancel('gather')
  state.next = 'going'
  turn.again({ name: 'flush', request: null })
}

/** Proposes a command from within a turn. */
export function commit<Own, Kind extends CommandKind>(
  turn: Turn<Own>,
  kind: Kind,
  request: CommandRequest<Kind>,
  then: (result: Result<CommandOutcome<Kind>>) => Message<Own>,
): void {
  const command = { kind, atMs: turn.nowMs, request } as Command
  turn.call(ledgerRef, 'commit', command, { withinMs: COMMIT_WITHIN_MS, then: (result) => then(result as Result<CommandOutcome<Kind>>) })
}
