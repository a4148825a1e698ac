import test from 'ava'
import { exchange } from '../../actors/exchange/index.ts'
import type { Answer, AnswerTurn } from '../../net/dns/answer.ts'
import { answerFar, askFar } from '../../net/dns/far.ts'
import { RCODE, TYPE } from '../../net/dns/records.ts'
import { dnsSettings } from '../../net/dns/settings.ts'
import { limitRate, rateOf } from '../../src/http/rate-limit.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { ownApi } from '../../src/own-api.ts'
import { instance, registration } from '../kit/catalog.ts'
import { linkedHosts } from '../kit/linked-hosts.ts'
import { emptyTables } from '../kit/tables.ts'

const TURN: AnswerTurn = { nowMs: 0, chance: () => 0, ip: '10.9.9.9', edns: false, answersMax: 10 }
/** Of the client's own configuration. */
const SETTINGS = dnsSettings({ domain: 'mesh', nodeTtlMs: 5_000, recursors: ['10.0.0.53'] })

test('a question is answered from the catalog of the server by the settings of the client', (t) => {
  const { ask } = agents()
  const [answer] = ask('web.service.mesh.', TYPE.a)
  t.like(answer, {
    rcode: RCODE.noError,
    recursionAvailable: true,
    answers: [{ type: 'A', name: 'web.service.mesh.', address: '10.0.0.1' }],
  })
  t.like(ask('n1.node.mesh.', TYPE.a)[0], { answers: [{ ttlSeconds: 5 }] })
  t.like(ask('none.service.mesh.', TYPE.a)[0], { rcode: RCODE.nameError })
})

test('what recursors said of other names goes along', (t) => {
  const { ask } = agents()
  t.like(ask('far.service.mesh.', TYPE.a)[0], { wanted: ['example.com.'] })
  const outside = new Map([['example.com.', [{ type: 'A' as const, name: 'example.com.', ttlSeconds: 1, address: '10.1.1.1' }]]])
  const [answer] = ask('far.service.mesh.', TYPE.a, { outside }) as [Answer]
  t.deepEqual(answer.wanted, [])
  t.true(answer.answers.some((record) => record.type === 'A' && record.address === '10.1.1.1'))
})

test('names of others need no server, addresses may go on to recursors, all else fails', (t) => {
  const { ask, kit } = agents()
  kit.use('c1', undefined)
  t.like(ask('example.com.', TYPE.a)[0], { forward: true })
  const reverse = ask('1.1.1.10.in-addr.arpa.', TYPE.ptr)
  const failing = ask('web.service.mesh.', TYPE.a)
  kit.advance(1_000)
  t.like(reverse[0], { forward: true })
  t.deepEqual(failing, [{ refused: 'gone', why: 'No known Consul servers' }])
})

test('a client asks no more questions a second than it may', (t) => {
  const { ask, kit } = agents()
  limitRate(kit.host('c1'), rateOf({ rpcRate: 4, rpcMaxBurst: 4 }, 2))
  const over = { refused: 'busy', why: 'RPC rate limit exceeded' }
  const answered = () => {
    const [answer] = ask('web.service.mesh.', TYPE.a)
    return answer && 'refused' in answer ? answer : 'an answer'
  }
  t.deepEqual([answered(), answered(), answered()], ['an answer', 'an answer', over])
  kit.advance(500)
  t.deepEqual([answered(), answered()], ['an answer', over])
  kit.advance(60_000)
  t.deepEqual(
    [answered(), answered(), answered()],
    ['an answer', 'an answer', over],
    'no more at once than that, however long it was quiet',
  )
  limitRate(kit.host('c1'), rateOf({ rpcRate: -1, rpcMaxBurst: 1 }, 1))
  t.deepEqual(new Set(Array.from({ length: 20 }, answered)), new Set(['an answer']))
})

function agents() {
  const tables = emptyTables()
  for (const service of [instance({ name: 'web' }), instance({ name: 'far', address: 'example.com' })]) {
    tables.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ service }) }])
  }
  const options = () => {
    throw new Error('nobody asks the HTTP API')
  }
  const api = ownApi({ options, answerDns: answerFar(() => kit.host('s1'), 'dc1') })
  const kit = linkedHosts([
    { node: 's1', server: true, actors: [exchange], devices: { api }, tables },
    { node: 'c1', server: false, actors: [] },
  ])
  kit.host('s1').start('exchange', '', undefined)
  kit.use('c1', 's1')
  const far = askFar(kit.host('c1'))
  return {
    kit,
    ask(name: string, type: number, more: Partial<AnswerTurn> = {}) {
      const answers: Result<Answer>[] = []
      far({ name, type }, SETTINGS, { ...TURN, ...more }, (answer) => answers.push(answer))
      kit.settle()
      return answers
    },
  }
}
