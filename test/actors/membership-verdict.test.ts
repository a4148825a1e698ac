import test from 'ava'
import { accuse, connect, hear, listening, n2, n3, others, record, say, statusOf } from '../kit/membership.ts'

test('a verdict is believed once all have heard of the accusation for a while, however old the doubt was', (t) => {
  const a = listening([...others])
  for (const other of others) if (other !== n3) connect(a, other)
  const keepUp = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 250) {
      a.wait(250)
      for (const other of others) if (other !== n3) hear(a, other, { do: 'ack', seq: 0 })
    }
  }
  say(a, n2, accuse('n3', 'n2', { isLoud: false }))
  keepUp(9_000)
  say(a, n2, accuse('n3', 'n2', { number: 2, accusers: ['n2', 'n4', 'n5'] }))
  keepUp(500)
  say(a, n2, { is: 'failed', name: 'n3', incarnation: 1, by: 'n2', accusers: ['n2', 'n4', 'n5'] })
  t.is(statusOf(a, 'n3'), 'failed', 'others had heard of it for as long')
})

test('a verdict that comes before the accused could refute what all have heard is one more accusation', (t) => {
  const a = listening([...others])
  say(a, n2, accuse('n3', 'n2', { isLoud: false }))
  a.wait(9_000)
  say(a, n2, accuse('n3', 'n2', { number: 2, accusers: ['n2', 'n4', 'n5'] }))
  a.wait(250)
  say(a, n2, { is: 'failed', name: 'n3', incarnation: 1, by: 'n2', accusers: ['n2', 'n4', 'n5'] })
  t.is(statusOf(a, 'n3'), 'alive')
  say(a, n3, { is: 'member', member: record('n3', { incarnation: 2 }) })
  a.wait(5_000)
  t.is(statusOf(a, 'n3'), 'alive')
})
