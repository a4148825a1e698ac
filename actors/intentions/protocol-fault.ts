import { type Refusal, refuse } from '../../src/kernel/refusal.ts'
import type { View } from '../../src/kernel/tables.ts'
import { isLayer7, protocolOf } from '../config-entries/queries.ts'
import { type DestinationRecord, destinationTable } from './tables.ts'

/** Refused if intentions with permissions are about a service whose protocol has no requests. Undefined: about any service. */
export function protocolFaultOf(view: View, destination?: string): Refusal | undefined {
  const records =
    destination === undefined ? [...view.range(destinationTable)].map(([, record]) => record) : [view.get(destinationTable, destination)]
  for (const record of records) {
    if (!record || !hasPermissions(record)) continue
    const protocol = protocolOf(view, record.destination)
    if (!isLayer7(protocol)) return refuse('conflict', permissionsNeedHttp(record.destination, protocol))
  }
  return undefined
}

export function permissionsNeedHttp(destination: string, protocol: string): string {
  return `service ${JSON.stringify(destination)} has protocol ${JSON.stringify(protocol)}, which is incompatible with L7 intentions permissions`
}

function hasPermissions({ sources }: DestinationRecord): boolean {
  return sources.some(({ permissions }) => permissions !== undefined)
}
