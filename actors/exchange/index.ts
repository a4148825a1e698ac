import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import { nodeOf } from '../../src/kernel/far.ts'
import type { HttpAnswered, OwnApiAnswer, OwnApiRequest } from '../../src/kernel/ports.ts'
import { type Caller, type Cast, LATER } from '../../src/kernel/protocol.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { ExchangeProtocol } from './protocol.ts'

type ExchangeOwn = {
  answered: Cast<{ caller: Caller<HttpAnswered>; outcome: Result<OwnApiAnswer> }>
  found: Cast<{ caller: Caller<{ records: object }>; outcome: Result<OwnApiAnswer> }>
}

/** Puts what other agents were asked to this server's own interfaces, and gives the answers back as they are. */
export const exchange = defineActor<ExchangeProtocol, ExchangeOwn, null>({
  name: 'exchange',
  mailboxMax: 16_384,
  remote: ['http', 'dns', 'giveUp'],
  init: () => null,
  on: {
    http(_state, { number, request }, turn, caller) {
      turn.count('exchange.http')
      const asked: OwnApiRequest = { do: 'exchange', asker: askerOf(caller, number), node: nodeOf(caller) ?? turn.node, request }
      turn.act('api', asked, { then: (outcome) => ({ name: 'answered', request: { caller, outcome } }) })
      return LATER
    },

    answered(_state, { caller, outcome }, turn) {
      turn.answer(caller, isRefused(outcome) ? outcome : (outcome.exchange ?? withoutAnswer()))
    },

    dns(_state, { number, question }, turn, caller) {
      turn.count('exchange.dns')
      const asked: OwnApiRequest = { do: 'question', asker: askerOf(caller, number), node: nodeOf(caller) ?? turn.node, question }
      turn.act('api', asked, { then: (outcome) => ({ name: 'found', request: { caller, outcome } }) })
      return LATER
    },

    found(_state, { caller, outcome }, turn) {
      const records = isRefused(outcome) ? undefined : outcome.records
      turn.answer(caller, isRefused(outcome) ? outcome : records ? { records } : withoutAnswer())
    },

    giveUp(_state, { number }, turn, caller) {
      forget(turn, askerOf(caller, number))
      return null
    },
  },
})

/** Of one client's channel: nobody can give up what somebody else waits for. */
function askerOf({ peer }: Caller, number: number): string {
  return `${peer} ${number}`
}

function forget(turn: Turn<ExchangeOwn>, asker: string): void {
  turn.act('api', { do: 'forget', asker })
}

function withoutAnswer() {
  return refuse('invalid', 'the interfaces of this server have no answer to that')
}
