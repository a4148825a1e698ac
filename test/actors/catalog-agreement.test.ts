import test from 'ava'
import fc from 'fast-check'
import { addressKey } from '../../actors/catalog/addresses.ts'
import {
  catalogNode,
  catalogNodes,
  catalogServices,
  connectInstances,
  serviceInstances,
  stateChecks,
} from '../../actors/catalog/queries.ts'
import { instanceTable, nodeTable } from '../../actors/catalog/records.ts'
import {
  checkTable,
  connectTable,
  nodeAddressTable,
  nodeIdTable,
  nodeServiceTable,
  serviceAddressTable,
  summaryTable,
} from '../../actors/catalog/tables.ts'
import { indexOf, lastIndex } from '../../actors/command.ts'
import { joined, type Table, type View } from '../../src/kernel/tables.ts'
import { check, instance, proxyTo, registration } from '../kit/catalog.ts'
import { emptyTables } from '../kit/tables.ts'

const node = fc.constantFrom('a', 'b', 'B')
const name = fc.constantFrom('web', 'Web', 'db')
const id = fc.constantFrom('', '11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222')
const address = fc.constantFrom('10.0.0.1', '::1', 'host.example')
const serviceId = fc.constantFrom('s1', 's2')
const status = fc.constantFrom('passing' as const, 'warning' as const, 'critical' as const)
const service = fc
  .record({
    id: serviceId,
    name,
    tags: fc.subarray(['x', 'y']),
    address,
    native: fc.boolean(),
    proxied: fc.option(name, { nil: undefined }),
  })
  .map(({ proxied, ...given }) => instance(proxied === undefined ? given : { ...given, native: false, ...proxyTo(proxied) }))
const someCheck = fc
  .record({ checkId: fc.constantFrom('c1', 'c2', 'serfHealth'), serviceId: fc.constantFrom('', 's1', 's2'), status })
  .map(check)
const command = fc.oneof(
  fc
    .record({ node, id, address, service: fc.option(service, { nil: undefined }), checks: fc.array(someCheck, { maxLength: 2 }) })
    .map(({ service: given, ...rest }) => ({
      kind: 'catalog.register',
      atMs: 0,
      request: registration({ ...rest, ...(given && { service: given }) }),
    })),
  fc
    .record({ node, serviceId: fc.constantFrom('', 's1', 's2'), checkId: fc.constantFrom('', 'c1') })
    .map((request) => ({ kind: 'catalog.deregister', atMs: 0, request })),
)

test('after any sequence of registrations and removals, every secondary table says what the primary ones say', (t) => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 25 }), (commands) => {
      const tables = emptyTables()
      for (const one of commands) tables.apply([one])
      agrees(t, tables.view())
    }),
    { numRuns: 300 },
  )
  t.pass()
})

test('no index of a query goes back, and each is moved by every change of its answer', (t) => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 25 }), (commands) => {
      const tables = emptyTables()
      let before = answers(tables.view())
      for (const one of commands) {
        tables.apply([one])
        const after = answers(tables.view())
        for (const [question, { index, answer }] of after) {
          const earlier = before.get(question)!
          if (index < earlier.index) throw new Error(`${question}: index went from ${earlier.index} to ${index}`)
          if (answer !== earlier.answer && index !== lastIndex(tables.view()))
            throw new Error(`${question}: changed at index ${index} unnoticed`)
        }
        before = after
      }
    }),
    { numRuns: 300 },
  )
  t.pass()
})

function answers(view: View): Map<string, { index: number; answer: string }> {
  const questions: [string, { index: number }][] = [
    [
      'nodes',
      {
        ...catalogNodes(view),
        nodes: catalogNodes(view).nodes.map(({ checks: _checks, touchedIndex: _touchedIndex, ...rest }) => rest),
      } as { index: number },
    ],
    ['services', catalogServices(view)],
    ['node a', catalogNode(view, 'a')],
    ['node b', catalogNode(view, 'b')],
  ]
  for (const one of ['web', 'db']) questions.push([one, serviceInstances(view, one)], [`connect ${one}`, connectInstances(view, one)])
  for (const one of ['passing', 'warning', 'critical', 'any']) questions.push([one, shownChecks(view, one)])
  return new Map(questions.map(([question, { index, ...answer }]) => [question, { index, answer: JSON.stringify(answer) }]))
}

/** The service that a check belongs to may change without it: that is no change of the check. */
function shownChecks(view: View, state: string): { index: number } {
  const { index, checks } = stateChecks(view, state)
  return { index, checks: checks.map((placed) => [placed.node.toLowerCase(), placed.check]) } as { index: number }
}

function agrees(t: { deepEqual(actual: unknown, expected: unknown): void }, view: View): void {
  const ids: unknown[] = []
  const nodeAddresses: unknown[] = []
  const checks: unknown[] = []
  for (const [key, record] of nodeTable.range(view)) {
    if (record.id !== '') ids.push([record.id, { node: key }])
    const at = addressKey(record.address)
    if (at !== undefined) nodeAddresses.push([joined(at, key), { node: key }])
    for (const one of record.checks) checks.push([joined(key, one.checkId), { serviceId: '', status: one.status }])
  }
  const services: unknown[] = []
  const connect: unknown[] = []
  const serviceAddresses: unknown[] = []
  const summary = new Map<string, { instances: number; tags: Map<string, number> }>()
  for (const [key, record] of instanceTable.range(view)) {
    const [lowerName = '', nodeName = '', service = ''] = key.split('\u0000')
    services.push([joined(nodeName, service), { name: lowerName }])
    const destination = record.native ? record.name : record.proxy?.destinationServiceName
    if (destination !== undefined) connect.push([joined(destination.toLowerCase(), nodeName, service), { name: lowerName }])
    const at = addressKey(record.address)
    if (at !== undefined) serviceAddresses.push([joined(at, key), { name: record.name }])
    for (const one of record.checks) checks.push([joined(nodeName, one.checkId), { serviceId: service, status: one.status }])
    const counted = summary.get(record.name) ?? { instances: 0, tags: new Map() }
    counted.instances++
    for (const tag of record.tags) counted.tags.set(tag, (counted.tags.get(tag) ?? 0) + 1)
    summary.set(record.name, counted)
    if (indexOf(view, `service/${lowerName}`) === 0) throw new Error(`service ${lowerName} has no index`)
  }
  t.deepEqual(rows(view, nodeIdTable), sorted(ids))
  t.deepEqual(rows(view, nodeAddressTable), sorted(nodeAddresses))
  t.deepEqual(rows(view, checkTable), sorted(checks))
  t.deepEqual(rows(view, nodeServiceTable), sorted(services))
  t.deepEqual(rows(view, connectTable), sorted(connect))
  t.deepEqual(rows(view, serviceAddressTable), sorted(serviceAddresses))
  t.deepEqual(
    rows(view, summaryTable).map(([key, { instances, tags }]) => [key, instances, tags.toSorted()]),
    sorted([...summary].map(([key, { instances, tags }]) => [key, instances, [...tags].sort()])),
  )
}

function rows<R>(view: View, table: Table<R>): (readonly [string, R])[] {
  return [...view.range(table)]
}

function sorted(list: unknown[]): unknown[] {
  return (list as [string][]).toSorted(([a], [b]) => (a < b ? -1 : 1))
}
