import test from 'ava'
import { nearestFirst, roundTripSeconds } from '../../actors/coordinates/distance.ts'
import { coordinates } from '../../actors/coordinates/index.ts'
import { coordinateNode, coordinateNodes } from '../../actors/coordinates/queries.ts'
import { type Coordinate, type CoordinateRecord, origin } from '../../actors/coordinates/tables.ts'
import { whereabouts } from '../../actors/coordinates/whereabouts.ts'
import { registration } from '../kit/catalog.ts'
import { emptyTables, type TestTables } from '../kit/tables.ts'
import { tryActor } from '../kit/try-actor.ts'

function at(first: number, changes: Partial<Coordinate> = {}): Coordinate {
  return { ...origin(), vec: [first, 0, 0, 0, 0, 0, 0, 0], ...changes }
}

function tablesWith(...nodes: string[]): TestTables {
  const tables = emptyTables()
  for (const node of nodes) tables.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ node }) }])
  return tables
}

function write(tables: TestTables, ...updates: CoordinateRecord[]): void {
  tables.apply([{ kind: 'coordinates.update', atMs: 0, request: { updates } }])
}

test('a round trip is the distance, both heights and both adjustments, unless these leave nothing', (t) => {
  t.is(roundTripSeconds(origin(), origin()), 2e-5)
  t.is(roundTripSeconds(at(3, { height: 1 }), at(-1, { height: 0.5 })), 5.5)
  t.is(roundTripSeconds(at(3, { height: 1, adjustment: -2 }), at(-1, { height: 1, adjustment: 1 })), 5)
  t.is(roundTripSeconds(at(3, { height: 1, adjustment: -9 }), at(-1, { height: 1 })), 6)
})

test('the nearest are first, the unknown last, and equals keep their order', (t) => {
  const tables = tablesWith('a', 'b', 'c', 'd', 'e')
  write(tables, { node: 'a', segment: '', coordinate: at(9) }, { node: 'c', segment: '', coordinate: at(1) })
  write(tables, { node: 'd', segment: '', coordinate: at(2) })
  const order = (near: string) => nearestFirst(tables.view(), ['b', 'a', 'E', 'D', 'c'], (node) => node, near).join('')
  t.is(order('c'), 'cDabE')
  t.is(order('A'), 'aDcbE')
  t.is(order('b'), 'baEDc', 'nobody knows where b is')
})

test('nodes in different segments have no distance, servers are in all segments', (t) => {
  const tables = tablesWith('client', 'other', 'server')
  write(
    tables,
    { node: 'client', segment: 'x', coordinate: at(1) },
    { node: 'other', segment: 'y', coordinate: at(1) },
    { node: 'server', segment: 'x', coordinate: at(5) },
    { node: 'server', segment: '', coordinate: at(1) },
  )
  t.deepEqual(
    nearestFirst(tables.view(), ['other', 'server', 'client'], (node) => node, 'client'),
    ['client', 'server', 'other'],
  )
  t.is(coordinateNode(tables.view(), 'SERVER').coordinates.length, 2)
})

test('updates of one batch are one change; the same again, or a node that is not there, is none', (t) => {
  const tables = tablesWith('a')
  write(tables, { node: 'a', segment: '', coordinate: at(1) }, { node: 'gone', segment: '', coordinate: at(1) })
  t.like(coordinateNodes(tables.view()), { index: 2, coordinates: { length: 1 } })
  write(tables, { node: 'a', segment: '', coordinate: at(1) })
  t.is(coordinateNodes(tables.view()).index, 2)
  tables.apply([{ kind: 'catalog.deregister', atMs: 0, request: { node: 'a', serviceId: '', checkId: '' } }])
  t.deepEqual(coordinateNodes(tables.view()), { index: 3, coordinates: [] })
})

test('what nodes say is written after a while, the newest of each', (t) => {
  const tables = tablesWith('a', 'b', 'n1')
  write(tables, { node: 'a', segment: '', coordinate: at(0) }, { node: 'b', segment: '', coordinate: at(0) })
  const a = tryActor(coordinates, { args: { enabled: true }, tables })
  t.deepEqual(a.call('update', { node: 'a', segment: '', coordinate: at(1), token: '' }).result, { isKnown: true })
  a.call('update', { node: 'A', segment: '', coordinate: at(2), token: '' })
  a.call('update', { node: 'b', segment: '', coordinate: at(3), token: '' })
  t.deepEqual(a.call('update', { node: 'gone', segment: '', coordinate: at(3), token: '' }).result, { isKnown: false })
  a.wait(4_999)
  t.like(coordinateNodes(tables.view()).coordinates, [{ coordinate: { vec: [0] } }, { node: 'b' }])
  a.wait(1)
  t.like(coordinateNodes(tables.view()).coordinates, [
    { node: 'A', coordinate: { vec: [2] } },
    { node: 'b', coordinate: { vec: [3] } },
  ])
  a.call('update', { node: 'n1', segment: '', coordinate: at(4), token: '' })
  a.wait(50)
  t.is(coordinateNodes(tables.view()).coordinates.length, 3, 'one that was nowhere does not wait')
})

const PLACE = { coordinate: at(1), members: 3 }

function looking(tables: TestTables, members = 3) {
  const a = tryActor(whereabouts, { args: { enabled: true }, tables })
  /** Seconds until it looks where it is. */
  const find = (coordinate: Coordinate) => {
    let seconds = 0
    for (; !a.pending().some((call) => call.did === 'call' && call.name === 'whereabouts'); seconds++) a.wait(1_000)
    a.answer('whereabouts', { coordinate, members })
    return seconds
  }
  const told = () => a.pending().flatMap((call) => (call.did === 'call' && call.name === 'update' ? [call.request] : []))
  return { a, find, told }
}

test('an agent says where it is as soon as the catalog has its node, and again when it has moved', (t) => {
  const { a, find, told } = looking(emptyTables())
  find(PLACE.coordinate)
  t.deepEqual(told(), [{ node: 'n1', segment: '', coordinate: at(1), token: '' }])
  a.answer('update', { isKnown: false })
  find(at(1))
  a.answer('update', { isKnown: true })
  find(at(1))
  t.deepEqual(told(), [], 'it has not moved')
  find(at(2))
  t.like(told(), [{ coordinate: { vec: [2] } }])
})

test('what could not be told, or may have been lost, is told again', (t) => {
  const { a, find, told } = looking(emptyTables())
  find(at(1))
  a.answer('update', { refused: 'busy', why: 'too many' })
  t.like(a.effects().at(-1), { did: 'print', level: 'warn' })
  find(at(1))
  t.is(told().length, 1)
  a.answer('update', { isKnown: true })
  for (let look = 1; look < 10; look++) {
    find(at(1))
    t.is(told().length, 0)
  }
  find(at(1))
  t.is(told().length, 1)
  a.answer('update', { isKnown: true })
  a.wait(30_000)
  t.deepEqual(a.timers(), ['look'])
})

test('many members say it more seldom', (t) => {
  const { a, find } = looking(emptyTables(), 6_400)
  find(at(1))
  a.answer('update', { isKnown: true })
  const seconds = find(at(1))
  t.true(seconds >= 100 && seconds <= 201, String(seconds))
})

test('a coordinate that makes no distance is refused', (t) => {
  const a = tryActor(coordinates, { args: { enabled: true } })
  const told = (coordinate: Coordinate) => a.call('update', { node: 'a', segment: '', coordinate, token: '' }).result
  t.deepEqual(told({ ...origin(), vec: [1, 2] }), { refused: 'invalid', why: 'incompatible coordinate' })
  t.deepEqual(told(at(Number.POSITIVE_INFINITY)), { refused: 'invalid', why: 'invalid coordinate' })
  t.deepEqual(told(at(1, { height: Number.NaN })), { refused: 'invalid', why: 'invalid coordinate' })
})

test('switched off, nothing is told and nothing taken', (t) => {
  const a = tryActor(coordinates, { args: { enabled: false } })
  t.deepEqual(tryActor(whereabouts, { args: { enabled: false } }).pending(), [])
  t.like(a.call('update', { node: 'a', segment: '', coordinate: at(1), token: '' }).result, { refused: 'forbidden' })
})

test('more updates than a batch holds are dropped, and counted', (t) => {
  const a = tryActor(coordinates, {
    args: { enabled: true },
    tables: tablesWith(...Array.from({ length: 1_000 }, (_, node) => `n${node}`)),
  })
  for (let node = 0; node < 1_000; node++) a.call('update', { node: `n${node}`, segment: '', coordinate: at(1), token: '' })
  t.is(a.counters.get('coordinates.dropped'), 360)
})
