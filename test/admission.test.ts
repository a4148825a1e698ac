import test from 'ava'
import { Admission } from '../src/admission.ts'

function admission(limits: { connectionsMax?: number; perSecondMax?: number }) {
  const clock = { nowMs: 1_000 }
  return { clock, door: new Admission({ handshakeMs: 1, connectionsMax: 0, ...limits }, () => clock.nowMs) }
}

test('as many are open as may be', (t) => {
  const { door } = admission({ connectionsMax: 2 })
  for (let count = 0; count < 2; count++) {
    t.is(door.refuses(), undefined)
    door.opened()
  }
  t.is(door.refuses(), 'too many connections: 2 are open, which is the limit')
  door.closed()
  t.is(door.refuses(), undefined)
})

test('as many come in a second as may, all at once or one after the other', (t) => {
  const { door, clock } = admission({ perSecondMax: 4 })
  const coming = () => {
    let count = 0
    while (door.refuses() === undefined) count++
    return count
  }
  t.is(coming(), 4)
  clock.nowMs += 500
  t.is(coming(), 2)
  clock.nowMs += 100
  t.is(coming(), 0)
  clock.nowMs += 60_000
  t.is(coming(), 4, 'what was not used does not add up')
  door.giveBack()
  t.is(coming(), 1)
})

test('other limits hold from now on', (t) => {
  const { door } = admission({})
  for (let count = 0; count < 9; count++) {
    t.is(door.refuses(), undefined)
    door.opened()
  }
  door.limits = { handshakeMs: 1, connectionsMax: 5 }
  t.regex(door.refuses() ?? '', /^too many connections: 5 are open/)
  door.limits = { handshakeMs: 1, connectionsMax: 0, perSecondMax: 1 }
  t.regex(door.refuses() ?? 'let in', /let in|^too many connections: 1 came/)
})
