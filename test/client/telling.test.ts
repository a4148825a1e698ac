import test from 'ava'
import type { Told } from '../../actors/decisions/protocol.ts'
import { Telling } from '../../src/client/connect/telling.ts'
import { until } from '../kit/running.ts'

const WEB = 'spiffe://td.consul/ns/default/dc/dc1/svc/web'
const REFUSAL: Told = {
  ...{ side: 'inbound', source: 'web', destination: 'db', kind: 'default' },
  ...{ cause: 'x', uri: WEB, serial: '0a', from: 'a:1' },
}

/** An agent that takes, or does not, what it is told. */
function agent(answers: boolean[] = []) {
  const told: { Source: string; Count: number; From: string }[][] = []
  const put = async (decisions: readonly object[]) => {
    const isTaken = answers.shift() ?? true
    if (isTaken) told.push(decisions as (typeof told)[number])
    return isTaken ? undefined : 'connection refused'
  }
  return { told, put }
}

test('many refusals of one kind are told at once, with their number and the newest of them', async (t) => {
  const { told, put } = agent()
  const telling = new Telling({ put, signal: new AbortController().signal, failed: (why) => t.fail(why) })
  for (let count = 0; count < 1_000; count++) telling.tell({ ...REFUSAL, from: `a:${count}` })
  telling.tell({ ...REFUSAL, source: 'api' })
  await until(
    'they are told',
    () => told.length,
    (count) => count > 0,
  )
  t.deepEqual(
    told.map((batch) => batch.map(({ Source, Count, From }) => [Source, Count, From])),
    [
      [
        ['web', 1_000, 'a:999'],
        ['api', 1, 'a:1'],
      ],
    ],
  )
})

test('an agent that is away is told later, complained of once, and not told of more than there is room for', async (t) => {
  const { told, put } = agent([false, false])
  const complaints: string[] = []
  const telling = new Telling({ put, signal: new AbortController().signal, failed: (why) => complaints.push(why) })
  for (let count = 0; count < 1_000; count++) telling.tell({ ...REFUSAL, source: `s${count}` })
  await until(
    'they are told',
    () => told.flat().length,
    (count) => count >= 256,
  )
  t.is(told.flat().length, 256)
  t.true(told.every((batch) => batch.length <= 100))
  t.deepEqual(complaints, ['connection refused'])
})

test('what waits when it ends is told', async (t) => {
  const { told, put } = agent()
  const over = new AbortController()
  const telling = new Telling({ put, signal: over.signal, failed: (why) => t.fail(why) })
  telling.tell(REFUSAL)
  over.abort()
  await telling.end()
  t.is(told.flat().length, 1)
  await telling.end()
  t.is(told.length, 1)
})
