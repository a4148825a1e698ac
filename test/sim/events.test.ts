import test from 'ava'
import { type Fired, type Listed, listFault } from '../../sim/models/events.ts'

const fired = (payload: string, atMs: number, more: Partial<Fired> = {}): Fired => {
  return { id: `id-${payload}`, name: 'deploy', payload, node: 'n1', concerns: true, invokedMs: atMs, answeredMs: atMs + 1, ...more }
}
const listed = (payloads: readonly string[], more: Partial<Listed> = {}): Listed => {
  const events = payloads.map((payload, at) => ({ id: `id-${payload}`, name: 'deploy', payload, time: at + 2 }))
  return { node: 'n1', name: '', invokedMs: 100, answeredMs: 101, events, ...more }
}
const ALL = [fired('a', 10), fired('b', 20), fired('c', 30)]

test('a list that has everything in its order holds', (t) => {
  t.is(listFault(listed(['a', 'b', 'c']), ALL, []), undefined)
  t.is(listFault(listed([]), [], []), undefined)
})

test('what is twice, out of order, unknown, changed or for somebody else is noticed', (t) => {
  t.regex(listFault(listed(['a', 'b', 'c', 'a']), ALL, []) ?? '', /has deploy a twice/)
  t.regex(listFault(listed(['b', 'a', 'c']), ALL, []) ?? '', /has b before a, which was fired first/)
  t.regex(listFault(listed(['x']), ALL, []) ?? '', /has deploy x, which nobody fired so/)
  t.regex(listFault(listed(['a'], { node: 'n2' }), ALL, []) ?? '', /which nobody fired so/)
  t.regex(listFault(listed(['a'], { name: 'restart' }), ALL, []) ?? '', /although only restart was asked for/)
  t.regex(listFault(listed(['a']), [fired('a', 10, { concerns: false })], []) ?? '', /not for this agent/)
  const event = { id: 'id-a', name: 'deploy', payload: 'a', time: 2 }
  const sameTime = listed([], { events: [event, { ...event, id: 'id-b', payload: 'b' }] })
  t.regex(listFault(sameTime, ALL, []) ?? '', /after an event of the same or a later time/)
})

test('what is missing is noticed, unless the agent began anew, nobody was told yet, or newer ones took its place', (t) => {
  t.regex(listFault(listed(['a', 'c']), ALL, []) ?? '', /lacks b, which was fired at 21 ms/)
  t.is(listFault(listed(['c']), ALL, [25]), undefined)
  t.is(listFault(listed(['a', 'c']), [ALL[0]!, fired('b', 20, { answeredMs: Number.POSITIVE_INFINITY }), ALL[2]!], []), undefined)
  t.is(listFault(listed(['a', 'b']), [ALL[0]!, ALL[1]!, fired('c', 100)], []), undefined, 'it was asked before')
  const many = Array.from({ length: 257 }, (_, at) => fired(`e${at}`, 30 + at / 10))
  const newest = listed(many.slice(1).map(({ payload }) => payload))
  t.is(listFault(newest, [fired('old', 1), ...many], []), undefined)
  t.regex(listFault(listed(many.map(({ payload }) => payload)), many, []) ?? '', /has 257 events/)
})
