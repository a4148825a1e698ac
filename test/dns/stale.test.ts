import test from 'ava'
import { answerHere } from '../../net/dns/far.ts'
import { TYPE } from '../../net/dns/records.ts'
import { type DnsSettings, dnsSettings } from '../../net/dns/settings.ts'
import type { Host } from '../../src/kernel/host.ts'
import type { LogContact } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { emptyTables } from '../kit/tables.ts'

/** What becomes of a question: answered at once, or what the log was asked before. */
function answered(
  settings: Partial<DnsSettings>,
  contact: Partial<LogContact> | undefined,
  caughtUp: Result<null> = null,
  name = 'a.node.consul.',
) {
  const asked: string[] = []
  const known: LogContact = { isLed: true, silentMs: 0, overdueMs: 0, term: 1, ...contact }
  const host = {
    node: 'n1',
    ports: { tables: emptyTables(), clock: { monotonicMs: () => 60_000 }, ...(contact && { contact: () => known }) },
    ask(_to: object, message: string, _request: null, _withinMs: number, then: (result: Result<null>) => void) {
      asked.push(message)
      then(caughtUp)
    },
  }
  const turn = { nowMs: 0, chance: () => 0, ip: '10.0.0.1', edns: false, answersMax: 10 }
  let outcome = ''
  answerHere(host as unknown as Host, 'n1')({ name, type: TYPE.a }, dnsSettings(settings), turn, (answer) => {
    outcome = isRefused(answer) ? answer.why : 'answered'
  })
  return [...asked, outcome].join(', ')
}

test('a server answers by what it knows as long as that may be so old, and else asks its log first', (t) => {
  t.is(answered({}, undefined), 'answered')
  t.is(answered({ maxStaleMs: 0 }, undefined), 'answered', 'who has no log to share knows everything')
  t.is(answered({ maxStaleMs: 5_000 }, { silentMs: 5_000 }), 'answered')
  t.is(answered({ maxStaleMs: 5_000 }, { silentMs: 5_001 }), 'catchUp, answered')
  t.is(answered({ maxStaleMs: 0 }, { silentMs: 0 }), 'catchUp, answered')
})

test('what the log does not answer in time is no answer; what is for recursors needs none', (t) => {
  const away = refuse('busy', 'No cluster leader')
  t.is(answered({ maxStaleMs: 5_000 }, { silentMs: 6_000 }, away), 'catchUp, No cluster leader')
  t.is(answered({ maxStaleMs: 0 }, { silentMs: 0 }, away, 'example.com.'), 'answered')
})

test('a server that has not heard of its log since it was started goes by how long that is', (t) => {
  t.is(answered({ maxStaleMs: 60_000 }, { silentMs: Number.POSITIVE_INFINITY }), 'answered')
  t.is(answered({ maxStaleMs: 59_999 }, { silentMs: Number.POSITIVE_INFINITY }), 'catchUp, answered')
})
