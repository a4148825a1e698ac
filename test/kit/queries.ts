import type { PreparedQuery, ServiceQuery } from '../../actors/prepared-queries/tables.ts'

/** A prepared query with everything left out that is not given. */
export function preparedQuery(given: Partial<PreparedQuery> = {}, service: Partial<ServiceQuery> = {}): PreparedQuery {
  return {
    name: 'q1',
    session: '',
    token: '',
    template: { type: '', regexp: '', removeEmptyTags: false },
    dns: { ttl: '', ttlMs: 0 },
    ...given,
    service: {
      service: 'web',
      failover: { nearestN: 0, datacenters: null },
      onlyPassing: false,
      ignoreCheckIds: null,
      near: '',
      tags: null,
      nodeMeta: null,
      serviceMeta: null,
      connect: false,
      ...service,
    },
  }
}

/** What makes a query a template. */
export function template(regexp = '', removeEmptyTags = false): Pick<PreparedQuery, 'template'> {
  return { template: { type: 'name_prefix_match', regexp, removeEmptyTags } }
}
