import test from 'ava'
import { type Coordinate, origin } from '../../actors/coordinates/tables.ts'
import { nearestDatacenters, otherDatacenters } from '../../actors/datacenters/nearest.ts'
import type { Datacenter } from '../../actors/datacenters/protocol.ts'

const HERE = { node: 'n1', datacenter: 'dc5' }

test('the own datacenter comes first, the others by the median of their servers, then by name, then those that are nowhere', (t) => {
  const datacenters = [
    datacenter('dc1', [0.9, 0.08, 0.09]),
    datacenter('dc2', [0.01, 0.02, 0.03]),
    datacenter('dc3', [undefined]),
    datacenter('dc4', [0.02]),
    datacenter('dc5', [0]),
    datacenter('dc0', []),
  ]
  t.deepEqual(names(nearestDatacenters({ datacenters }, HERE)), ['dc5', 'dc2', 'dc4', 'dc1', 'dc0', 'dc3'])
  t.deepEqual(names(otherDatacenters({ datacenters }, HERE)), ['dc2', 'dc4', 'dc1', 'dc0', 'dc3'])
})

test('a client measures from a server beside it, and whoever knows nothing has its own datacenter', (t) => {
  const datacenters = [datacenter('dc1', [0.5]), datacenter('dc2', [0.1]), datacenter('dc5', [undefined, 0])]
  t.deepEqual(names(nearestDatacenters({ datacenters }, { node: 'web1', datacenter: 'dc5' })), ['dc5', 'dc2', 'dc1'])
  t.deepEqual(names(nearestDatacenters({ datacenters: [] }, HERE)), ['dc5'])
})

/** With servers that are so many seconds away from the middle. */
function datacenter(name: string, seconds: readonly (number | undefined)[]): Datacenter {
  const servers = seconds.map((far, position) => ({
    node: `n${position + 1}`,
    name: `n${position + 1}.${name}`,
    address: '10.0.0.1',
    port: 8302,
    status: 'alive' as const,
    ...(far !== undefined && { coordinate: at(far) }),
  }))
  return { name, servers }
}

function at(seconds: number): Coordinate {
  return { ...origin(), vec: [seconds, 0, 0, 0, 0, 0, 0, 0] }
}

function names(datacenters: readonly Datacenter[]): string[] {
  return datacenters.map(({ name }) => name)
}
