import test from 'ava'
import { origin } from '../../actors/coordinates/tables.ts'
import { instance, registration } from '../kit/catalog.ts'
import { asked, read, requested, run, settings } from '../kit/http.ts'
import { emptyTables } from '../kit/tables.ts'

test('coordinates are shown as Consul shows them', (t) => {
  const tables = emptyTables()
  const service = instance({ name: 'consul' })
  tables.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ node: 'n1', service }) }])
  tables.apply([{ kind: 'coordinates.update', atMs: 0, request: { updates: [{ node: 'n1', segment: '', coordinate: origin() }] } }])
  const shown = [{ Node: 'n1', Segment: '', Coord: { Vec: [0, 0, 0, 0, 0, 0, 0, 0], Error: 1.5, Adjustment: 0, Height: 1e-5 } }]
  t.deepEqual(read(tables.view(), '/v1/coordinate/nodes'), { index: 2, json: shown })
  t.deepEqual(read(tables.view(), '/v1/coordinate/nodes?segment=x'), { index: 2, json: [] })
  t.deepEqual(read(tables.view(), '/v1/coordinate/node/N1'), { index: 2, json: shown })
  t.deepEqual(read(tables.view(), '/v1/coordinate/node/nope'), { index: 2, showsIndex: false, status: 404 })
  t.deepEqual(read(tables.view(), '/v1/coordinate/node/n1?segment=x'), { index: 2, showsIndex: false, status: 404 })
  t.deepEqual(read(emptyTables().view(), '/v1/coordinate/nodes'), { index: 0, json: [] })
})

test('switched off, every endpoint says so', (t) => {
  const { view } = emptyTables()
  for (const [method, url] of [
    ['GET', '/v1/coordinate/datacenters'],
    ['GET', '/v1/coordinate/nodes'],
    ['GET', '/v1/coordinate/node/n1'],
    ['PUT', '/v1/coordinate/update'],
  ] as const) {
    const { route, request } = requested(method, url)
    const off = { ...settings, coordinates: false }
    const reply = 'read' in route ? route.read(request, view(), off) : 'ask' in route ? route.ask(request, off) : undefined
    t.deepEqual(reply, { status: 401, text: 'Coordinate support disabled' }, url)
  }
})

test('an update says who is where', async (t) => {
  const body = { Node: 'n1', Coord: { Vec: [1, 2], Error: 1, Adjustment: 0.5, Height: 3 } }
  t.like(asked('PUT', '/v1/coordinate/update', body), {
    to: { actor: 'coordinates' },
    name: 'update',
    request: { node: 'n1', segment: '', coordinate: { vec: [1, 2], error: 1, adjustment: 0.5, height: 3 } },
  })
  t.like(asked('PUT', '/v1/coordinate/update', 'x'), { status: 400 })
  t.like(asked('PUT', '/v1/coordinate/update', { Node: 'n1' }), {
    status: 400,
    text: 'Bad request: Request decode failed: Coord is missing',
  })
  t.like(asked('PUT', '/v1/coordinate/update', '{"Node":"n1","Coord":{"Vec":[1e400]}}'), { status: 400 })
  for (const wrong of [{ Node: 1, Coord: {} }, { Coord: { Vec: ['x'] } }, { Coord: { Height: 'x' } }, { Coord: [] }]) {
    t.like(asked('PUT', '/v1/coordinate/update', wrong), { status: 400 }, JSON.stringify(wrong))
  }
  t.like(await run('PUT', '/v1/coordinate/update', {}), { status: 400 })
})
