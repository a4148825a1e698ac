import test from 'ava'
import { nearestFirst, roundTripSeconds } from '../../actors/coordinates/distance.ts'
import { coordinates } from '../../actors/coordinates/index.ts'
import { coordinateNode, coordinateNodes } from '../../actors/coordinates/queries.ts'
import { type Coordinate, type CoordinateRecord, origin } from '../../actors/coordinates/tables.ts'
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
  const a = tryActor(coordinates, { args: { enabled: true }, tables })
  t.is(a.call('update', { node: 'a', segment: '', coordinate: at(1), token: '' }).result, null)
  a.call('update', { node: 'A', segment: '', coordinate: at(2), token: '' })
  a.call('update', { node: 'b', segment: '', coordinate: at(3), token: '' })
  t.like(coordinateNodes(tables.view()).coordinates, [{ node: 'n1' }])
  a.wait(5_000)
  t.like(coordinateNodes(tables.view()).coordinates, [{ node: 'A', coordinate: { vec: [2] } }, { node: 'b' }, { node: 'n1' }])
})

test('an agent says where it is once the catalog has its node, and again when that was lost', (t) => {
  const tables = emptyTables()
  const a = tryActor(coordinates, { args: { enabled: true }, tables })
  const known = () => coordinateNode(tables.view(), 'n1').coordinates
  t.deepEqual(known(), [])
  a.commit('catalog.register', registration({ node: 'n1' }))
  t.deepEqual(known(), [{ node: 'n1', segment: '', coordinate: origin() }])
  a.commit('catalog.deregister', { node: 'n1', serviceId: '', checkId: '' })
  a.commit('catalog.register', registration({ node: 'n1' }))
  a.wait(30_000)
  t.is(known().length, 1)
})

test('an agent that has not moved says so once', (t) => {
  const a = tryActor(coordinates, { args: { enabled: true }, tables: tablesWith('n1') })
  a.wait(600_000)
  t.is(a.effects().filter(({ did }) => did === 'commit').length, 1)
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
  t.deepEqual(a.timers(), [])
  t.like(a.call('update', { node: 'a', segment: '', coordinate: at(1), token: '' }).result, { refused: 'forbidden' })
})

test('more updates than a batch holds are dropped, and counted', (t) => {
  const a = tryActor(coordinates, { args: { enabled: true } })
  for (let node = 0; node < 1_000; node++) a.call('update', { node: `n${node}`, segment: '', coordinate: at(1), token: '' })
  t.is(a.counters.get('coordinates.dropped'), 360)
})
