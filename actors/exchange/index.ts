import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import { isFromAbroad, nodeOf } from '../../src/kernel/far.ts'
import type { HttpAnswered, OwnApiAnswer, OwnApiRequest } from '../../src/kernel/ports.ts'
import { type Caller, type Cast, LATER } from '../../src/kernel/protocol.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { shuffled } from '../../src/kernel/shuffled.ts'
import { keyRequestFault } from '../membership/messages.ts'
import { type KeyAnswer, membershipRef } from '../membership/protocol.ts'
import { queryInstances } from '../prepared-queries/execute.ts'
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
    http(_state, { number, request }, turn, caller) {
      turn.count('exchange.http')
      const wrong = notForHere(caller, request.datacenter)
      if (wrong) return wrong
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

    more({ long }, { number, from }, turn, caller) {
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

    dns(_state, { number, question }, turn, caller) {
      turn.count('exchange.dns')
      const wrong = notForHere(caller, question.datacenter)
      if (wrong) return wrong
      const asked: OwnApiRequest = { do: 'question', asker: askerOf(caller, number), node: nodeOf(caller) ?? turn.node, question }
      turn.act('api', asked, { then: (outcome) => ({ name: 'found', request: { caller, outcome } }) })
      return LATER
    },

    execute(_state, { query, connect, limit }, turn) {
      turn.count('exchange.execute')
      const instances = shuffled(queryInstances(turn.view, query, connect), () => turn.random.next())
      return { instances: limit > 0 ? instances.slice(0, limit) : instances }
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

    giveUp({ long }, { number }, turn, caller) {
      const asker = askerOf(caller, number)
      forgetLong(long, asker, turn)
      turn.act('api', { do: 'forget', asker })
      return null
    },
  },
})

/** What comes from another datacenter says that, so that it is not asked for in a third one. */
function notForHere({ peer }: Caller, datacenter: string | undefined): Refusal | undefined {
  return isFromAbroad(peer) && datacenter === undefined ? refuse('invalid', 'it does not say which datacenter it is for') : undefined
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
