/** A metric as it is counted on a thread: its name with dots, and labels. */
export type Metric = { name: string; labels: Record<string, string> }

/** One text for a metric with its labels, under which it is counted: `api.http;method=GET;path=v1.kv._`. */
export function metricKey(name: string, labels: Readonly<Record<string, string>> = {}): string {
  return [name, ...Object.entries(labels).map(([label, value]) => `${label}=${value}`)].join(';')
}

export function parseMetricKey(key: string): Metric {
  const [name = '', ...pairs] = key.split(';')
  const labels = pairs.map((pair): [string, string] => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])
  return { name, labels: Object.fromEntries(labels) }
}

/** What stands for an endpoint in the metric `api.http`: `/v1/kv/*key` is `v1.kv._`. */
export function pathLabel(path: string): string {
  return path
    .slice(1)
    .split('/')
    .map((part) => (part.startsWith('*') ? '_' : part))
    .join('.')
}

/** The counters that a request to an endpoint counts for besides, as agents of Consul count what they ask servers. */
export function clientCounters({ name, labels }: Metric, node: string): string[] {
  const { method = '', path = '' } = labels
  if (name !== 'api.http' || path.startsWith('v1.agent.') || path.startsWith('v1.tribune.')) return []
  const asked = ['client.rpc', 'rpc.request', ...(method === 'GET' ? ['rpc.query'] : [])]
  const catalog = CATALOG_CALLS[path]
  if (catalog === undefined) return asked
  return [...asked, metricKey(`client.api.${catalog}`, { node }), metricKey(`client.api.success.${catalog}`, { node })]
}

const CATALOG_CALLS: Readonly<Record<string, string>> = {
  'v1.catalog.datacenters': 'catalog_datacenters',
  'v1.catalog.nodes': 'catalog_nodes',
  'v1.catalog.services': 'catalog_services',
  'v1.catalog.service._': 'catalog_service_nodes',
  'v1.catalog.node._': 'catalog_node_services',
  'v1.catalog.node-services._': 'catalog_node_service_list',
  'v1.catalog.gateway-services._': 'catalog_gateway_services',
  'v1.catalog.register': 'catalog_register',
  'v1.catalog.deregister': 'catalog_deregister',
}

export type NameFilter = {
  readonly filterDefault: boolean
  readonly allowedPrefixes: readonly string[]
  readonly blockedPrefixes: readonly string[]
}

/** Whether a metric is kept: the longest prefix that fits decides, else the default. */
export function isKept({ filterDefault, allowedPrefixes, blockedPrefixes }: NameFilter, name: string): boolean {
  const longest = (prefixes: readonly string[]) =>
    Math.max(-1, ...prefixes.filter((one) => name.startsWith(one)).map(({ length }) => length))
  const allowed = longest(allowedPrefixes)
  const blocked = longest(blockedPrefixes)
  return allowed === blocked ? (allowed < 0 ? filterDefault : false) : allowed > blocked
}

export function dnsMetric(kind: string, node: string): string {
  return metricKey(`dns.${kind}`, { node })
}
