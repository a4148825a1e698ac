import { shuffled } from '../../src/kernel/shuffled.ts'
import { joined, type View } from '../../src/kernel/tables.ts'
import { addressKey } from '../catalog/addresses.ts'
import { connectInstances, type Instance, serviceInstances } from '../catalog/queries.ts'
import { nodeAddressTable } from '../catalog/tables.ts'
import { nearestFirst } from '../coordinates/distance.ts'
import type { ServiceQuery } from './tables.ts'

/** Who asks, and what the answer depends on besides the tables. */
export type QuerySource = {
  /** This agent's node. */
  agent: string
  /** The asker's IP address, '' if unknown. */
  ip: string
  /** A node, `_agent` or `_ip`; '' leaves it to the query. */
  near: string
  /** A float in [0, 1). */
  chance: () => number
}

/** The instances that a query is about and that are well enough for it, in no order of meaning. */
export function queryInstances(view: View, query: ServiceQuery, connect: boolean): Instance[] {
  const find = connect || query.connect ? connectInstances : serviceInstances
  const nodeMeta = Object.entries(query.nodeMeta ?? {})
  const serviceMeta = Object.entries(query.serviceMeta ?? {})
  const tags = (query.tags ?? []).map((tag) => tag.trim().toLowerCase())
  const wanted = tags.filter((tag) => !tag.startsWith('!'))
  const unwanted = tags.filter((tag) => tag.startsWith('!')).map((tag) => tag.slice(1))
  const ignored = new Set(query.ignoreCheckIds ?? [])
  return find(view, query.service, { nodeMeta }).instances.filter(({ node, instance }) => {
    const checks = [...node.checks, ...instance.checks].filter(({ checkId }) => !ignored.has(checkId))
    const isWell = checks.every(({ status }) => status === 'passing' || (status === 'warning' && !query.onlyPassing))
    const own = new Set(instance.tags.map((tag) => tag.toLowerCase()))
    return (
      isWell &&
      serviceMeta.every(([key, value]) => Object.hasOwn(instance.meta, key) && instance.meta[key] === value) &&
      wanted.every((tag) => own.has(tag)) &&
      !unwanted.some((tag) => own.has(tag))
    )
  })
}

/** Instances in the order in which an asker should try them: by chance, or the nearest first if the query or the asker says of
 * what. The node itself is the very first then. */
export function inOrder<Placed extends { readonly node: { readonly name: string } }>(
  view: View,
  instances: readonly Placed[],
  query: Pick<ServiceQuery, 'near'>,
  source: QuerySource,
): Placed[] {
  const near = nodeNear(view, source.near === '' ? query.near : source.near, source)
  const order = shuffled(instances, source.chance)
  if (near === '') return order
  const sorted = nearestFirst(view, order, ({ node }) => node.name, near)
  const own = sorted.findIndex(({ node }) => node.name.toLowerCase() === near.toLowerCase())
  if (own > 0 && own < OWN_DEPTH_MAX) [sorted[0], sorted[own]] = [sorted[own]!, sorted[0]!]
  return sorted
}

/** How far down the nearest ones a node looks for itself. */
const OWN_DEPTH_MAX = 10

function nodeNear(view: View, near: string, { agent, ip }: QuerySource): string {
  if (near === '_agent') return agent
  if (near !== '_ip') return near
  const address = addressKey(ip)
  if (address === undefined) return ''
  for (const [, { node }] of view.range(nodeAddressTable, { prefix: joined(address, ''), limit: 1 })) return node
  return ''
}
