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
