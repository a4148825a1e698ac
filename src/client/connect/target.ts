import { ClientError } from '../errors.ts'
import { type Read, reads } from '../reads.ts'
import type { HealthEntry } from '../shapes.ts'

/** What to reach: a service by name, or what a prepared query finds. */
export type Target = string | { service: string; datacenter?: string } | { query: string; datacenter?: string }

/** An instance, and whose certificate it has to show. */
export type Instance = { readonly host: string; readonly port: number; readonly service: string; readonly datacenter: string }

/** Asks for healthy instances of a target. */
export function readOf(target: Target): { read: Read<Instance[]>; datacenter?: string } {
  const { datacenter, ...named } = typeof target === 'string' ? { service: target } : { datacenter: undefined, ...target }
  const read: Read<Instance[]> =
    'query' in named
      ? mapped(reads.queryConnect(named.query), ({ Nodes }) => (Nodes ?? []).flatMap(instanceOf))
      : mapped(reads.healthConnect(named.service, { passing: true }), (entries) => entries.flatMap(instanceOf))
  return { read, ...(datacenter !== undefined && { datacenter }) }
}

/**
 * Reads names as the agent's DNS has them: `db`, `db.service.consul`, `db.service.dc2.consul`, `db.connect.consul`,
 * `nearest-db.query.consul`. Throws a ClientError for anything else.
 */
export function targetOfHost(host: string, domain: string): Target {
  if (/^[a-z0-9_-]+$/i.test(host)) return host
  const ending = `.${domain.toLowerCase()}`
  const name = host.toLowerCase().replace(/\.$/, '')
  const [, found = '', kind, datacenter] =
    /^(.+)\.(service|connect|query)(?:\.([a-z0-9_-]+))?$/.exec(name.endsWith(ending) ? name.slice(0, -ending.length) : '') ?? []
  if (kind === undefined)
    throw new ClientError(`${host} is not the name of a service: expected db, db.service.${domain} or nearest-db.query.${domain}`)
  const where = datacenter === undefined ? {} : { datacenter }
  return kind === 'query' ? { query: found, ...where } : { service: found, ...where }
}

export function textOfTarget(target: Target): string {
  if (typeof target === 'string') return target
  const name = 'query' in target ? `the prepared query ${target.query}` : target.service
  return target.datacenter === undefined ? name : `${name} in ${target.datacenter}`
}

/** A proxy has the certificate of the service behind it, a native application its own. */
function instanceOf({ Node, Service }: HealthEntry): Instance[] {
  const service = Service.Kind === 'connect-proxy' ? (Service.Proxy.DestinationServiceName ?? '') : Service.Service
  const host = Service.Address === '' ? Node.Address : Service.Address
  return service === '' || Service.Port === 0 ? [] : [{ host, port: Service.Port, service, datacenter: Node.Datacenter }]
}

function mapped<From, To>({ value, ...read }: Read<From>, to: (from: From) => To): Read<To> {
  return { ...read, value: (reply) => to(value(reply)) }
}
