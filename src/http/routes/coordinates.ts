import { coordinatesRef } from '../../../actors/coordinates/index.ts'
import { coordinateNode, coordinateNodes } from '../../../actors/coordinates/queries.ts'
import { type Coordinate, type CoordinateRecord, origin } from '../../../actors/coordinates/tables.ts'
import { type Datacenters, datacentersRef } from '../../../actors/datacenters/protocol.ts'
import { isRefused, type Result, refuse } from '../../kernel/refusal.ts'
import { Misfit, readFields } from '../loose-body.ts'
import { jsonOf } from '../parameters.ts'
import { type EdgeSettings, elsewhere, type HttpReply, question, type Route } from '../route.ts'

/** GET /v1/coordinate/datacenters: where the servers of all datacenters are among each other. One that has not measured anything yet is nowhere. */
export const coordinateDatacentersRoute: Route = {
  method: 'GET',
  path: '/v1/coordinate/datacenters',
  ask: (_request, settings) => disabledReply(settings) ?? question(datacentersRef, 'show', null),
  reply: ({ datacenters }: Datacenters) => ({
    json: datacenters.map(({ name, servers }) => ({
      Datacenter: name,
      AreaID: 'wan',
      Coordinates: servers.map(({ node, coordinate = origin() }) => shown({ node, segment: '', coordinate })),
    })),
  }),
}

/** GET /v1/coordinate/nodes */
export const coordinateNodesRoute: Route = {
  method: 'GET',
  path: '/v1/coordinate/nodes',
  read({ query }, view, settings) {
    const disabled = disabledReply(settings)
    if (disabled) return disabled
    const { index, coordinates } = coordinateNodes(view)
    return { index, json: inSegment(coordinates, query).map(shown) }
  },
}

/** GET /v1/coordinate/node/:node */
export const coordinateNodeRoute: Route = {
  method: 'GET',
  path: '/v1/coordinate/node/*node',
  read({ rest: node, query }, view, settings) {
    const disabled = disabledReply(settings)
    if (disabled) return disabled
    const { index, coordinates } = coordinateNode(view, node)
    const wanted = inSegment(coordinates, query)
    return wanted.length === 0 ? { index, showsIndex: false, status: 404 } : { index, json: wanted.map(shown) }
  },
}

/** PUT /v1/coordinate/update */
export const coordinateUpdateRoute: Route = {
  method: 'PUT',
  path: '/v1/coordinate/update',
  statusOf: { invalid: 500, forbidden: 401 },
  ask({ body, token }, settings) {
    const disabled = disabledReply(settings)
    if (disabled) return disabled
    const record = recordOf(body)
    if (isRefused(record)) return { status: 400, text: `Bad request: Request decode failed: ${record.why}` }
    const { datacenter, ...update } = record
    return { ...question(coordinatesRef, 'update', { ...update, token }), ...elsewhere(datacenter, settings.datacenter) }
  },
  reply: () => ({}),
}

function disabledReply({ coordinates }: EdgeSettings): (HttpReply & { status: number }) | undefined {
  return coordinates ? undefined : { status: 401, text: 'Coordinate support disabled' }
}

function inSegment(coordinates: readonly CoordinateRecord[], query: URLSearchParams): readonly CoordinateRecord[] {
  const segment = query.get('segment')
  return segment === null ? coordinates : coordinates.filter((one) => one.segment === segment)
}

function shown({ node, segment, coordinate: { vec, error, adjustment, height } }: CoordinateRecord): object {
  return { Node: node, Segment: segment, Coord: { Vec: vec, Error: error, Adjustment: adjustment, Height: height } }
}

function recordOf(body: Buffer): Result<CoordinateRecord & { datacenter: string }> {
  const json = jsonOf(body)
  if (isRefused(json)) return json
  try {
    const fields = readFields(json.value, '')
    const coord = fields.object('Coord')
    if (!coord) return refuse('invalid', 'Coord is missing')
    const number = (key: string): number => {
      const value = coord.raw(key) ?? 0
      if (!isFloat(value)) throw new Misfit(`json: cannot unmarshal ${typeof value} into field Coord.${key} of type float64`)
      return value
    }
    const vec = coord.raw('Vec') ?? []
    if (!Array.isArray(vec) || !vec.every(isFloat)) {
      throw new Misfit('json: cannot unmarshal into field Coord.Vec of type []float64')
    }
    const coordinate: Coordinate = { vec, error: number('Error'), adjustment: number('Adjustment'), height: number('Height') }
    return { datacenter: fields.text('Datacenter'), node: fields.text('Node'), segment: fields.text('Segment'), coordinate }
  } catch (error) {
    if (!(error instanceof Misfit)) throw error
    return refuse('invalid', error.message)
  }
}

/** JavaScript reads a number that is too large as infinite, Go refuses it. */
function isFloat(value: unknown): value is number {
  return Number.isFinite(value)
}
