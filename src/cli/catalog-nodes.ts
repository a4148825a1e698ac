import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { byteOrder, columns } from './columns.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'

/** Characters of a node's ID that are shown unless all is asked for. */
const ID_LENGTH_SHORT = 8

export const catalogNodesCommand = defineApiCommand({
  summary: 'List the nodes',
  usage: 'catalog nodes [options]',
  about: `
Lists the nodes of a datacenter, all or those that fit every flag.

    $ tribune catalog nodes
    $ tribune catalog nodes -service=web -near=_agent
`,
  answers: 'servers',
  flags: {
    detailed: { kind: 'boolean', about: 'Print whole IDs, and the tagged addresses and metadata of each node as well.' },
    filter: { kind: 'string', about: 'Only nodes for which this expression holds, such as: Meta.zone == "a".' },
    near: {
      kind: 'string',
      about: 'Sort by the round trip from this node, the shortest first. "_agent" is the node of the agent that is asked.',
    },
    'node-meta': { kind: 'pairs', about: 'Only nodes with this metadata, in the form key=value. May be repeated; all must hold.' },
    service: { kind: 'string', about: 'Only nodes that have an instance of this service, once for each instance.' },
    ...listFormatFlags,
  },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const params = { near: flags.near, filter: flags.filter, 'node-meta': nodeMetaParams(flags['node-meta']) }
    const path = flags.service === undefined ? '/v1/catalog/nodes' : `/v1/catalog/service/${flags.service}`
    const reply = await http.json<CatalogNode[] | null>(path, params)
    if (isRefused(reply)) return fail(`Error listing nodes: ${reply.why}`)
    const nodes = reply.value ?? []
    if (asJson) io.out(listJson(nodes))
    else if (nodes.length === 0) io.err('No nodes match the given query - try expanding your search.')
    else io.out(columns(flags.detailed ? detailedRows(nodes) : shortRows(nodes)))
    return 0
  },
})

/** As the API wants them: `key:value`. */
export function nodeMetaParams(meta: Record<string, string> | undefined): string[] {
  return Object.entries(meta ?? {}).map(([name, value]) => `${name}:${value}`)
}

/** A node, or an instance of a service with its node's fields. */
type CatalogNode = {
  ID: string
  Node: string
  Address: string
  Datacenter: string
  TaggedAddresses: Record<string, string> | null
  Meta?: Record<string, string> | null
  NodeMeta?: Record<string, string> | null
}

function shortRows(nodes: readonly CatalogNode[]): string[][] {
  return [
    ['Node', 'ID', 'Address', 'DC'],
    ...nodes.map((node) => [node.Node, node.ID.slice(0, ID_LENGTH_SHORT), node.Address, node.Datacenter]),
  ]
}

function detailedRows(nodes: readonly CatalogNode[]): string[][] {
  return [
    ['Node', 'ID', 'Address', 'DC', 'TaggedAddresses', 'Meta'],
    ...nodes.map((node) => [
      node.Node,
      node.ID,
      node.Address,
      node.Datacenter,
      pairsText(node.TaggedAddresses),
      pairsText(node.Meta ?? node.NodeMeta),
    ]),
  ]
}

function pairsText(pairs: Record<string, string> | null | undefined): string {
  return Object.entries(pairs ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .sort(byteOrder)
    .join(', ')
}
