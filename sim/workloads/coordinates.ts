import { instanceTable, nodeTable } from '../../actors/catalog/records.ts'
import { apisOf } from '../apis.ts'
import { anyNode, oneOf, whole } from '../fields.ts'
import { defineWorkload } from '../kind.ts'
import { orderFault } from '../models/discovery.ts'
import { perRun } from '../per-run.ts'
import type { Run } from '../run.ts'

const MICROSECONDS_MAX = 200_000

/** What somebody who asked for the nearest was told first and should not have been. */
export const nearOf = perRun((_run: Run): { wrong: string | undefined } => ({ wrong: undefined }))

export const coordinateUpdate = defineWorkload({
  name: 'coordinate.update',
  about: 'a node says where it is in the network',
  perMinute: 6,
  nodesMin: 2,
  marks: [{ name: 'coordinate told', events: 6 }],
  fields: { of: anyNode, x: whole(0, MICROSECONDS_MAX), y: whole(0, MICROSECONDS_MAX), height: whole(10, 2_000) },
  apply(run, { node, of, x, y, height }) {
    if (!run.up(node)) return
    const Coord = { Vec: [x / 1e6, y / 1e6, 0, 0, 0, 0, 0, 0], Error: 0.2, Adjustment: 0, Height: height / 1e6 }
    apisOf(run).request(node, 'PUT', '/v1/coordinate/update', { body: { Node: of, Segment: '', Coord } }, (reply) => {
      if (reply !== 'lost' && reply.status === 200) run.reach('coordinate told')
    })
  },
})

export const nearestAsk = defineWorkload({
  name: 'nearest.ask',
  about: 'a client asks for nodes or instances, the nearest first',
  onServers: true,
  perMinute: 12,
  nodesMin: 2,
  marks: [{ name: 'nearest looked at', events: 10 }],
  fields: { what: oneOf('nodes', 'web'), near: anyNode },
  apply(run, { node, what, near }) {
    if (!run.up(node)) return
    const path = what === 'nodes' ? '/v1/catalog/nodes' : `/v1/catalog/service/${what}`
    apisOf(run).request(node, 'GET', path, { query: { near } }, (reply) => {
      if (reply === 'lost' || reply.status !== 200) return
      const nodes = (reply.json as { Node: string }[]).map(({ Node }) => Node)
      const view = run.cluster.node(node).tables.view()
      const rows = what === 'nodes' ? nodeTable.range(view) : instanceTable.range(view, `${what}\0`)
      const due = [...rows].length
      const fault = nodes.length === due ? orderFault(view, near, nodes, false) : `${nodes.length} instead of ${due}`
      run.reach('nearest looked at')
      if (fault !== undefined) nearOf(run).wrong ??= `${path} on ${node}: ${fault}`
    })
  },
})
