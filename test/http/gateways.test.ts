import test from 'ava'
import { registration } from '../kit/catalog.ts'
import { read } from '../kit/http.ts'
import { emptyTables } from '../kit/tables.ts'

const empty = emptyTables().view()

test('no gateway lets anybody in, but wrong questions are refused', (t) => {
  t.deepEqual(read(empty, '/v1/health/ingress/web?passing'), { index: 1, json: [] })
  t.deepEqual(read(empty, '/v1/health/ingress/'), { status: 400, text: 'Missing service name' })
  t.deepEqual(read(empty, '/v1/health/ingress/web?passing=maybe'), { status: 400, text: 'Invalid value for ?passing' })
  t.like(read(empty, '/v1/health/ingress/web?filter=Nope==1'), { status: 500 })
  t.deepEqual(read(empty, '/v1/catalog/gateway-services/gw'), { index: 1, json: null })
  t.deepEqual(read(empty, '/v1/catalog/gateway-services/'), { status: 400, text: 'Missing gateway name' })
})

test('a datacenter alone is the only one of its federation, and has no gateways', (t) => {
  t.deepEqual(read(empty, '/v1/internal/federation-states'), { index: 1, json: [] })
  const tables = emptyTables()
  tables.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ node: 'other' }) }])
  tables.apply([{ kind: 'catalog.register', atMs: 0, request: registration() }])
  const view = tables.view()
  const state = { Datacenter: 'dc1', UpdatedAt: '0001-01-01T00:00:00Z', PrimaryModifyIndex: 2, CreateIndex: 2, ModifyIndex: 2 }
  t.deepEqual(read(view, '/v1/internal/federation-states').json, [state])
  t.deepEqual(read(view, '/v1/internal/federation-states/mesh-gateways').json, {})
  t.like(read(view, '/v1/internal/federation-state/dc1').json, { State: state, Index: 2, KnownLeader: true })
  t.deepEqual(read(view, '/v1/internal/federation-state/dc2'), { status: 404 })
  t.deepEqual(read(view, '/v1/internal/federation-state/'), { status: 400, text: 'Bad request: Missing datacenter name' })
})
