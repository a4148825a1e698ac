import test from 'ava'
import { nodeTable } from '../../actors/catalog/records.ts'
import { applyGroup } from '../../actors/commands.ts'
import { coordinateKey, coordinateTable, origin } from '../../actors/coordinates/tables.ts'
import { queryInstances } from '../../actors/prepared-queries/execute.ts'
import { resolveQuery } from '../../actors/prepared-queries/queries.ts'
import { askedFor, orderFault, wellInstances } from '../../sim/models/discovery.ts'
import { createSimTables } from '../../sim/ports/tables.ts'
import { queryBody } from '../../src/http/query-bodies.ts'
import { isRefused } from '../../src/kernel/refusal.ts'

function tables() {
  const made = createSimTables({ after: (_ms, work) => work(), drawCommitMs: () => 0 })
  const query = (id: number, name: string, more: object) => {
    const given = queryBody(Buffer.from(JSON.stringify({ Name: name, Service: { Service: 'web' }, ...more })))
    if (!('query' in given)) throw new Error(given.text)
    return { kind: 'queries.create', atMs: 0, request: { id: `00000000-0000-0000-0000-00000000000${id}`, query: given.query } }
  }
  const template = { Template: { Type: 'name_prefix_match' }, Service: { Service: `\${name.suffix}` } }
  const commands = [query(1, 'own', {}), query(2, 'find-', template), query(3, 'find-a', template)]
  made.transact(
    (tx) => applyGroup(tx, commands),
    () => undefined,
  )
  return made
}

test('a query is found by its id, its name, and the template with the longest name, as the product finds it', (t) => {
  const view = tables().view()
  for (const name of ['own', 'OWN', 'find-web', 'find-api', 'nothing', '00000000-0000-0000-0000-000000000001', 'find-']) {
    const found = resolveQuery(view, name)
    if (isRefused(found)) return t.fail(found.why)
    t.is(askedFor(view, name)?.query.id, found?.id, name)
    t.is(askedFor(view, name)?.service, found?.service.service, name)
    if (found) t.is(wellInstances(view, found.service.service, false).length, queryInstances(view, found.service, false).length)
  }
  t.is(askedFor(view, 'find-api')?.service, 'pi')
})

test('an order is by distance; nodes without a place come last, and the node itself may be first', (t) => {
  const made = tables()
  made.transact(
    (tx) => {
      for (const [node, x] of Object.entries({ a: 0, b: 0.01, c: 0.05 })) {
        tx.put(coordinateTable, coordinateKey(node, ''), { node, segment: '', coordinate: { ...origin(), vec: [x, 0, 0, 0, 0, 0, 0, 0] } })
      }
    },
    () => undefined,
  )
  const fault = (nodes: string[], ownFirst = false) => orderFault(made.view(), 'a', nodes, ownFirst)
  t.is(fault(['a', 'b', 'c', 'd']), undefined)
  t.is(fault(['a', 'c', 'b']), 'from a it is 0.0, 50.0, 10.0 ms to a, c, b')
  t.not(fault(['d', 'a']), undefined)
  t.is(orderFault(made.view(), 'd', ['c', 'a'], false), undefined, 'nobody knows where it is')
  t.is([...nodeTable.range(made.view())].length, 0)
})
