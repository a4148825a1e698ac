import test from 'ava'
import { catalogNode, serviceOn } from '../../actors/catalog/queries.ts'
import { copyTable, LOADED_COPY, type Transaction } from '../../src/kernel/tables.ts'
import { check, instance, registration } from '../kit/catalog.ts'
import { NODE_ID, service, tryLocal } from '../kit/local.ts'

const OTHER_ID = '22222222-2222-2222-2222-222222222222'

/** Takes a copy in which the catalog has what these commands leave. */
function replace(a: ReturnType<typeof tryLocal>, ...commands: object[]): void {
  const tx = a.tables.view() as Transaction
  tx.put(copyTable, LOADED_COPY, { id: 'saved', index: 1 })
  a.tables.apply(commands)
  a.commit('snapshots.take', { id: 'saved' })
}
const deregister = { kind: 'catalog.deregister', atMs: 0, request: { node: 'n1', serviceId: '', checkId: '' } }

test('after a restore the catalog has what runs here, at once', (t) => {
  const a = tryLocal()
  a.register(service({ name: 'web' }))
  replace(a, deregister)
  t.is(catalogNode(a.tables.view(), 'n1').node?.id, NODE_ID)
  t.truthy(serviceOn(a.tables.view(), 'n1', 'web'))
})

test('another machine that had the name of this one in the restored catalog makes room for it', (t) => {
  const a = tryLocal()
  a.register(service({ name: 'web' }))
  const other = registration({
    id: OTHER_ID,
    service: instance({ name: 'gone' }),
    checks: [check({ checkId: 'serfHealth', status: 'passing' })],
  })
  replace(a, deregister, { kind: 'catalog.register', atMs: 0, request: other })
  t.is(catalogNode(a.tables.view(), 'n1').node?.id, NODE_ID)
  t.truthy(serviceOn(a.tables.view(), 'n1', 'web'))
  t.is(serviceOn(a.tables.view(), 'n1', 'gone'), undefined)
})
