import { roundTripSeconds } from '../coordinates/distance.ts'
import type { Coordinate } from '../coordinates/tables.ts'
import type { Datacenter, Datacenters } from './protocol.ts'

/** The server that distances are measured from. */
export type Here = { node: string; datacenter: string }

/** The own datacenter, then the others by the median of the round trips to their servers, equals by name. Those that are nowhere go last. */
export function nearestDatacenters({ datacenters }: Datacenters, here: Here): Datacenter[] {
  const own = datacenters.find(({ name }) => name === here.datacenter) ?? { name: here.datacenter, servers: [] }
  return [own, ...otherDatacenters({ datacenters }, here)]
}

/** The same without the own one. */
export function otherDatacenters({ datacenters }: Datacenters, here: Here): Datacenter[] {
  const from = placeOf(datacenters, here)
  return datacenters
    .filter(({ name }) => name !== here.datacenter)
    .map((datacenter) => ({ datacenter, seconds: medianSeconds(datacenter, from) }))
    .sort((a, b) => compare(a.seconds, b.seconds) || compare(a.datacenter.name, b.datacenter.name))
    .map(({ datacenter }) => datacenter)
}

/** A client is nowhere among the servers: then any server beside it counts. */
function placeOf(datacenters: readonly Datacenter[], { node, datacenter }: Here): Coordinate | undefined {
  const servers = datacenters.find(({ name }) => name === datacenter)?.servers ?? []
  const placed = servers.filter(({ coordinate }) => coordinate !== undefined)
  return (placed.find((server) => server.node === node) ?? placed[0])?.coordinate
}

function medianSeconds({ servers }: Datacenter, from: Coordinate | undefined): number {
  const all = servers.map(({ coordinate }) => (from && coordinate ? roundTripSeconds(from, coordinate) : Number.POSITIVE_INFINITY))
  return all.sort(compare)[Math.floor(all.length / 2)] ?? Number.POSITIVE_INFINITY
}

/** Two that are infinite are equal, and their difference is not a number. */
function compare<T extends number | string>(a: T, b: T): number {
  return a === b ? 0 : a < b ? -1 : 1
}
