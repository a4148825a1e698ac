import test from 'ava'
import { origin } from '../../actors/coordinates/tables.ts'
import type { Datacenter } from '../../actors/datacenters/protocol.ts'
import { failOver, mayFailOver } from '../../src/http/failover.ts'
import type { Host } from '../../src/kernel/host.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { preparedQuery } from '../kit/queries.ts'

/** The others by distance: near, mid, far. */
const KNOWN = [datacenter('own', 0), datacenter('far', 0.3), datacenter('near', 0.1), datacenter('mid', 0.2)]

test('the nearest are asked first, then those that are named, each once; names that nobody knows and the own one do not count', (t) => {
  t.deepEqual(tried(2, null), { asked: ['near', 'mid'], found: 'own', count: 2 })
  t.deepEqual(tried(0, ['far', 'nowhere', 'own', 'near']), { asked: ['far', 'near'], found: 'own', count: 2 })
  t.deepEqual(tried(1, ['near', 'far']), { asked: ['near', 'far'], found: 'own', count: 2 })
  t.deepEqual(tried(9, ['far']), { asked: ['near', 'mid', 'far'], found: 'own', count: 3 })
})

test('the first that has something is the last that is asked; one that does not answer counts', (t) => {
  t.deepEqual(tried(3, null, { mid: [{}] }), { asked: ['near', 'mid'], found: 'mid', count: 2 })
  t.deepEqual(tried(3, null, { near: 'refused', mid: [{}] }), { asked: ['near', 'mid'], found: 'mid', count: 2 })
})

test('where nobody knows of datacenters none is asked', (t) => {
  t.deepEqual(tried(3, ['near'], {}, []), { asked: [], found: 'own', count: 0 })
})

test('whoever gives up hears no more', (t) => {
  const later: (() => void)[] = []
  const host = fakeHost((_to, _name, done) => void later.push(() => done({ datacenters: KNOWN } as never)))
  const stop = failOver(host, HERE, wanted(1, null), () => t.fail())
  stop()
  for (const work of later) work()
  t.pass()
})

test('only a query that names others, or how many, goes to others', (t) => {
  t.deepEqual(
    [wanted(0, null), wanted(0, []), wanted(1, null), wanted(0, ['far'])].map(({ query }) => mayFailOver(query)),
    [false, false, true, true],
  )
})

const HERE = { node: 'n1', datacenter: 'own' }

function wanted(nearestN: number, datacenters: string[] | null) {
  return { query: preparedQuery({}, { failover: { nearestN, datacenters } }).service, connect: false, limit: 0 }
}

function tried(nearestN: number, datacenters: string[] | null, has: Record<string, object[] | 'refused'> = {}, known = KNOWN) {
  const asked: string[] = []
  let found = ''
  let count = -1
  const host = fakeHost((datacenter, name, done) => {
    if (name === 'show') return done({ datacenters: known } as never)
    asked.push(datacenter)
    const instances = has[datacenter] ?? []
    done((instances === 'refused' ? refuse('gone', 'no way') : { instances }) as never)
  })
  failOver(host, HERE, wanted(nearestN, datacenters), (end) => {
    found = end.datacenter
    count = end.asked
  })
  return { asked, found, count }
}

function fakeHost(answer: (datacenter: string, name: string, done: (result: never) => void) => void): Host {
  const ask = (
    { datacenter = '' }: { datacenter?: string },
    name: string,
    _request: unknown,
    _withinMs: number,
    done: (result: never) => void,
  ) => answer(datacenter, name, done)
  return { ask, ports: { print: () => undefined } } as unknown as Host
}

function datacenter(name: string, seconds: number): Datacenter {
  const coordinate = { ...origin(), vec: [seconds, 0, 0, 0, 0, 0, 0, 0] }
  return { name, servers: [{ node: 'n1', name: `n1.${name}`, address: '10.0.0.1', port: 8302, status: 'alive', coordinate }] }
}
