import { roundTripSeconds } from '../../actors/coordinates/distance.ts'
import { isRefused, type Result } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import type { HttpClient } from './http.ts'

export const rttCommand = defineApiCommand({
  summary: 'Estimate the network round trip between two nodes',
  usage: 'rtt [options] NODE_1 [NODE_2]',
  about: `
Estimates how long a packet takes from one node to another and back, by where the two are among all nodes. Nothing is sent between
them now. The second node is that of the agent if it is not given.

    $ tribune rtt n1 n2
    $ tribune rtt -wan n1.dc1 n2.dc2
`,
  answers: 'agent',
  flags: { wan: { kind: 'boolean', about: 'Nodes are servers of any datacenters, named NODE.DATACENTER.' } },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length < 1 || rest.length > 2) return misused('One or two node names must be specified')
    const isWan = flags.wan === true
    const [first = '', other] = rest
    const second = other ?? (await ownName(http, isWan))
    if (isRefused(second)) return fail(`Unable to look up agent info: ${second.why}`)
    if (isWan && [first, second].some((name) => name.split('.').length !== 2)) {
      return fail('Node names must be specified as <node name>.<datacenter> with -wan')
    }
    const places = await (isWan ? wanPlaces(http) : lanPlaces(http))
    if (isRefused(places)) return fail(`Error getting coordinates: ${places.why}`)
    const pair = closest(places.get(first), places.get(second))
    if (!pair) return fail(`Could not find a coordinate for node ${JSON.stringify(places.has(first) ? second : first)}`)
    const ms = (roundTripSeconds(...pair) * 1_000).toFixed(3)
    io.out(`Estimated ${first} <-> ${second} rtt: ${ms} ms (using ${isWan ? 'WAN' : 'LAN'} coordinates)`)
    return 0
  },
})

type Coordinate = Parameters<typeof roundTripSeconds>[0]
/** What the API says of a node in one segment. */
type Entry = { Node: string; Segment: string; Coord: { Vec: number[]; Error: number; Adjustment: number; Height: number } }
/** By node, then by area and segment. */
type Places = Map<string, Map<string, Coordinate>>

async function ownName(http: HttpClient, isWan: boolean): Promise<Result<string>> {
  const reply = await http.json<{ Config: { NodeName: string; Datacenter: string } }>('/v1/agent/self')
  if (isRefused(reply)) return reply
  const { NodeName, Datacenter } = reply.value.Config
  return isWan ? `${NodeName}.${Datacenter}` : NodeName
}

async function lanPlaces(http: HttpClient): Promise<Result<Places>> {
  const reply = await http.json<Entry[]>('/v1/coordinate/nodes')
  if (isRefused(reply)) return reply
  const places: Places = new Map()
  for (const entry of reply.value) put(places, entry.Node, entry.Segment, entry)
  return places
}

async function wanPlaces(http: HttpClient): Promise<Result<Places>> {
  const reply = await http.json<{ Datacenter: string; AreaID: string; Coordinates: Entry[] | null }[]>('/v1/coordinate/datacenters')
  if (isRefused(reply)) return reply
  const places: Places = new Map()
  for (const { Datacenter, AreaID, Coordinates } of reply.value) {
    for (const entry of Coordinates ?? []) put(places, `${entry.Node}.${Datacenter}`, AreaID, entry)
  }
  return places
}

function put(places: Places, name: string, place: string, { Coord }: Entry): void {
  const known = places.get(name) ?? new Map<string, Coordinate>()
  known.set(place, { vec: Coord.Vec, error: Coord.Error, adjustment: Coord.Adjustment, height: Coord.Height })
  places.set(name, known)
}

/** The coordinates of two nodes where both have one: that of the only segment one of them is in, else the default one. */
function closest(a: Map<string, Coordinate> | undefined, b: Map<string, Coordinate> | undefined): [Coordinate, Coordinate] | undefined {
  if (!a || !b) return undefined
  let place = ''
  for (const known of [a, b]) if (known.size === 1) for (const only of known.keys()) place = only
  const from = a.get(place)
  const to = b.get(place)
  return from && to ? [from, to] : undefined
}
