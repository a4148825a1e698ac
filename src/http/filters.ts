import { boolean, type Fields, map, number, record, records, text, texts } from '../filter/fields.ts'
import { type FilterCompiler, filterCompiler } from '../filter/index.ts'
import { isRefused } from '../kernel/refusal.ts'
import type { HttpReply } from './route.ts'

/**
 * Those of the items, in the form in which they are shown, for which the query's `filter` holds; all if it has none. Wrong expressions
 * are answered with 500, as Consul does. Source: http-api §0.3.
 */
export function keptBy<T>(query: URLSearchParams, filters: FilterCompiler, items: T[]): T[] | HttpReply {
  const expression = query.get('filter')
  if (expression === null || expression === '') return items
  const filter = filters(expression)
  const kept = isRefused(filter) ? filter : filter(items)
  return isRefused(kept) ? { status: 500, text: kept.why } : kept
}

const NODE: Fields = { ID: text, Node: text, Address: text, Datacenter: text, TaggedAddresses: map(text), Meta: map(text) }
const WEIGHTS = record({ Passing: number, Warning: number })
const NATIVE = record({ Native: boolean })
const MODE = record({ Mode: text })
const ADDRESSES = map(record({ Address: text, Port: number }))
const PROXY = record({
  DestinationServiceID: text,
  DestinationServiceName: text,
  LocalServiceAddress: text,
  LocalServicePort: number,
  Mode: text,
  TransparentProxy: record({ OutboundListenerPort: number }),
  MeshGateway: MODE,
  Upstreams: records({
    Datacenter: text,
    DestinationName: text,
    DestinationNamespace: text,
    DestinationType: text,
    LocalBindAddress: text,
    LocalBindPort: number,
    MeshGateway: MODE,
  }),
})
const SERVICE: Fields = {
  ID: text,
  Service: text,
  Kind: text,
  Address: text,
  Port: number,
  Tags: texts,
  Meta: map(text),
  EnableTagOverride: boolean,
  TaggedAddresses: ADDRESSES,
  Weights: WEIGHTS,
  Connect: NATIVE,
  Proxy: PROXY,
}
const CHECK: Fields = {
  CheckID: text,
  Name: text,
  Node: text,
  Notes: text,
  Output: text,
  ServiceID: text,
  ServiceName: text,
  Status: text,
  ServiceTags: texts,
}

/** Nodes of the catalog. */
export const nodeFilters = filterCompiler(NODE)
/** Services of a node or an agent. */
export const serviceFilters = filterCompiler(SERVICE)
export const checkFilters = filterCompiler(CHECK)
/** Items of `/v1/catalog/service/:name`. */
export const serviceNodeFilters = filterCompiler({
  ID: text,
  Node: text,
  Address: text,
  Datacenter: text,
  NodeMeta: map(text),
  TaggedAddresses: map(text),
  ServiceID: text,
  ServiceName: text,
  ServiceKind: text,
  ServiceAddress: text,
  ServicePort: number,
  ServiceTags: texts,
  ServiceMeta: map(text),
  ServiceEnableTagOverride: boolean,
  ServiceTaggedAddresses: ADDRESSES,
  ServiceWeights: WEIGHTS,
  ServiceConnect: NATIVE,
  ServiceProxy: PROXY,
})
/** Items of `/v1/health/service/:name`. */
export const healthFilters = filterCompiler({ Node: record(NODE), Service: record(SERVICE), Checks: records(CHECK) })
export const intentionFilters = filterCompiler({
  Action: text,
  Description: text,
  DestinationNS: text,
  DestinationName: text,
  ID: text,
  SourceNS: text,
  SourceName: text,
  SourceType: text,
  Precedence: number,
  Meta: map(text),
})
