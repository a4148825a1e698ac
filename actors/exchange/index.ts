import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import { isFromAbroad, nodeOf } from '../../src/kernel/far.ts'
import type { HttpAnswered, OwnApiAnswer, OwnApiRequest } from '../../src/kernel/ports.ts'
import { type Caller, type Cast, LATER } from '../../src/kernel/protocol.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { shuffled } from '../../src/kernel/shuffled.ts'
import { keyRequestFault } from '../membership/messages.ts'
import { type KeyAnswer, membershipRef } from '../membership/protocol.ts'
import { queryInstances } from '../prepared-queries/execute.ts'
import { dnsFault, executeFault, giveUpFault, httpFault, moreFault } from './faults.ts'
import type { ExchangeProtocol } from './protocol.ts'

type Whole = HttpAnswered & { bytesTotal: number }
type ExchangeOwn = {
  answered: Cast<{ caller: Caller<Whole>; asker: string; outcome: Result<OwnApiAnswer> }>
  unread: Cast<{ asker: string }>
  keysShown: Cast<{ caller: Caller<KeyAnswer[]>; result: Result<KeyAnswer[]> }>
  found: Cast<{ caller: Caller<{ records: object }>; outcome: Result<OwnApiAnswer> }>
}

/** Long answers, by their asker, until they are read. */
export type ExchangeState = { long: Map<string, Uint8Array> }

/** Links carry many messages at once, so one of them is not longer than this. */
const PIECE_BYTES = 1_048_576
const UNREAD_MS_MAX = 30_000
/** Of a prepared query, for another datacenter: what one message carries. */
const INSTANCES_MAX = 4_096
/** Longer than members are waited for, however many there are. */
const KEYS_WITHIN_MS = 25_000

/** Puts what other agents were asked, those of other datacenters too, to this server's own interfaces, and gives the answers back as they are. */
export const exchange = defineActor<ExchangeProtocol, ExchangeOwn, ExchangeState>({
  name: 'exchange',
  mailboxMax: 16_384,
  remote: ['http', 'more', 'dns', 'execute', 'keyring', 'giveUp'],
  abroad: true,
  init: () => ({ long: new Map() }),
  on: {
    http(_state, said, turn, caller) {
      turn.count('exchange.http')
      const fault = httpFault(said) ?? notForHere(caller, said.request.datacenter)
      if (fault !== undefined) return refuse('invalid', fault)
      const { number, request } = said
      const asker = askerOf(caller, number)
      const asked: OwnApiRequest = { do: 'exchange', asker, node: nodeOf(caller) ?? turn.node, request }
      turn.act('api', asked, { then: (outcome) => ({ name: 'answered', request: { caller, asker, outcome } }) })
      return LATER
    },

    answered(state, { caller, asker, outcome }, turn) {
      const whole = isRefused(outcome) ? outcome : (outcome.exchange ?? withoutAnswer())
      if (isRefused(whole)) return turn.answer(caller, whole)
      const { bytes } = whole
      const bytesTotal = bytes.byteLength
      if (bytesTotal <= PIECE_BYTES) return turn.answer(caller, { ...whole, bytesTotal })
      state.long.set(asker, bytes)
      keepForNow(turn, asker)
      turn.answer(caller, { ...whole, bytes: bytes.subarray(0, PIECE_BYTES), bytesTotal })
    },

    more({ long }, said, turn, caller) {
      const fault = moreFault(said)
      if (fault !== undefined) return refuse('invalid', fault)
      const { number, from } = said
      const asker = askerOf(caller, number)
      const bytes = long.get(asker)
      if (!bytes) return refuse('gone', 'the rest of the answer is not kept any more')
      if (from + PIECE_BYTES < bytes.byteLength) keepForNow(turn, asker)
      else forgetLong(long, asker, turn)
      return { bytes: bytes.subarray(from, from + PIECE_BYTES) }
    },

    unread({ long }, { asker }) {
      long.delete(asker)
    },

    dns(_state, said, turn, caller) {
      turn.count('exchange.dns')
      const fault = dnsFault(said) ?? notForHere(caller, said.question.datacenter)
      if (fault !== undefined) return refuse('invalid', fault)
      const { number, question } = said
      const asked: OwnApiRequest = { do: 'question', asker: askerOf(caller, number), node: nodeOf(caller) ?? turn.node, question }
      turn.act('api', asked, { then: (outcome) => ({ name: 'found', request: { caller, outcome } }) })
      return LATER
    },

    execute(_state, said, turn) {
      turn.count('exchange.execute')
      const fault = executeFault(said)
      if (fault !== undefined) return refuse('invalid', fault)
      const { query, connect, limit } = said
      const instances = shuffled(queryInstances(turn.view, query, connect), () => turn.random.next())
      return { instances: instances.slice(0, limit > 0 ? Math.min(limit, INSTANCES_MAX) : INSTANCES_MAX) }
    },

    keyring(_state, request, turn, caller) {
      const fault = keyRequestFault(request)
      if (fault !== undefined) return refuse('invalid', fault)
      const then = (result: Result<KeyAnswer[]>) => ({ name: 'keysShown' as const, request: { caller, result } })
      turn.call(membershipRef, 'keyring', request, { withinMs: KEYS_WITHIN_MS, then })
      return LATER
    },

    keysShown(_state, { caller, result }, turn) {
      turn.answer(caller, result)
    },

    found(_state, { caller, outcome }, turn) {
      const records = isRefused(outcome) ? undefined : outcome.records
      turn.answer(caller, isRefused(outcome) ? outcome : records ? { records } : withoutAnswer())
    },

    giveUp({ long }, said, turn, caller) {
      const fault = giveUpFault(said)
      if (fault !== undefined) return refuse('invalid', fault)
      const asker = askerOf(caller, said.number)
      forgetLong(long, asker, turn)
      turn.act('api', { do: 'forget', asker })
      return null
    },
  },
})

/** What comes from another datacenter says that, so that it is not asked for in a third one. */
function notForHere({ peer }: Caller, datacenter: string | undefined): string | undefined {
  return isFromAbroad(peer) && datacenter === undefined ? 'it does not say which datacenter it is for' : undefined
}

/** Of one client's channel: nobody can give up what somebody else waits for. */
function askerOf({ peer }: Caller, number: number): string {
  return `${peer} ${number}`
}

function keepForNow(turn: Turn<ExchangeOwn>, asker: string): void {
  turn.timer(asker, UNREAD_MS_MAX, { name: 'unread', request: { asker } })
}

function forgetLong(long: ExchangeState['long'], asker: string, turn: Turn<ExchangeOwn>): void {
  if (long.delete(asker)) turn.cancel(asker)
}

function withoutAnswer() {
  return refuse('invalid', 'the interfaces of this server have no answer to that')
}
