import type { Instance } from '../../actors/catalog/queries.ts'
import { type Here, otherDatacenters } from '../../actors/datacenters/nearest.ts'
import { datacentersRef } from '../../actors/datacenters/protocol.ts'
import { exchangeRef } from '../../actors/exchange/protocol.ts'
import type { ServiceQuery } from '../../actors/prepared-queries/tables.ts'
import type { Host } from '../kernel/host.ts'
import { isRefused } from '../kernel/refusal.ts'

/** What is asked in other datacenters because the own one has nothing. `limit` 0: all instances. */
export type Failover = { query: ServiceQuery; connect: boolean; limit: number }
/** `datacenter`: the one that has the instances; the own one, and no instances, if all were asked in vain. `asked`: how many were. */
export type FailedOver = { datacenter: string; instances: Instance[]; asked: number }

const LOOK_WITHIN_MS = 5_000
/** Whoever asks by DNS waits no longer. */
const EXECUTE_WITHIN_MS = 5_000

/** Whether a query may be asked in other datacenters at all. */
export function mayFailOver({ failover: { nearestN, datacenters } }: ServiceQuery): boolean {
  return nearestN > 0 || (datacenters?.length ?? 0) > 0
}

/**
 * Asks one datacenter after the other: the nearest ones, then those that are named, each once. Names that nobody knows do not count. The
 * answer of this function stops that; then `done` is not called any more. Source: http-api §9, §16.
 */
export function failOver(host: Host, here: Here, wanted: Failover, done: (found: FailedOver) => void): () => void {
  let isOver = false
  const { nearestN, datacenters } = wanted.query.failover
  const finish = (found: FailedOver) => {
    isOver = true
    done(found)
  }
  const next = (left: readonly string[], asked: number) => {
    const [datacenter, ...others] = left
    if (datacenter === undefined) return finish({ datacenter: here.datacenter, instances: [], asked })
    host.ask({ ...exchangeRef, datacenter }, 'execute', wanted, EXECUTE_WITHIN_MS, (result) => {
      if (isOver) return
      const instances = isRefused(result) || !Array.isArray(result.instances) ? [] : result.instances
      if (instances.length > 0) return finish({ datacenter, instances, asked: asked + 1 })
      if (isRefused(result)) {
        host.ports.print('warn', 'query', 'A datacenter does not answer for a prepared query', { datacenter, error: result.why })
      }
      next(others, asked + 1)
    })
  }
  host.ask(datacentersRef, 'show', null, LOOK_WITHIN_MS, (shown) => {
    if (isOver) return
    const known = isRefused(shown) ? [] : otherDatacenters(shown, here).map(({ name }) => name)
    const named = (datacenters ?? []).filter((name) => known.includes(name))
    next([...new Set([...known.slice(0, nearestN), ...named])], 0)
  })
  return () => {
    isOver = true
  }
}
