import { emptyProxy } from '../../actors/local/expand.ts'
import type { NewReport } from '../../actors/reports/commands.ts'
import { instance, registration } from './catalog.ts'
import type { TestTables } from './tables.ts'

/** A report with everything plain that is not given. */
export function report(given: Partial<NewReport> & { serviceId: string }): NewReport {
  return {
    service: given.serviceId,
    rootsIndex: 1,
    bundle: ['root-1'],
    leafSerial: '01',
    leafKeyId: 'key-1',
    leafIssuedMs: 0,
    leafRenewAtMs: 700,
    leafValidUntilMs: 1_000,
    leafWhy: '',
    intentionIndex: 1,
    enforcedMs: 0,
    closedConnections: 0,
    open: 0,
    ...given,
  }
}

/** What a native application tells, by one process. */
export function nativeReport(given: Partial<NewReport> & { serviceId: string }): NewReport {
  return report({ lease: { kind: 'native', processes: ['p1'], withinMs: 30_000 }, ...given })
}

/** Registers a service (its id is its name) that is in the mesh by itself. */
export function withNative(tables: TestTables, node: string, name: string, native = true): void {
  tables.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ node, service: instance({ name, native }) }) }])
}

/** Tells what sidecars of a node have in force. */
export function tell(tables: TestTables, node: string, reports: NewReport[], gone: string[] = []): unknown {
  return tables.apply([{ kind: 'connect.report', atMs: 0, request: { node, reports, gone } }])[0]
}

/** Registers a service (its id is its name) and its managed proxy. */
export function withSidecar(tables: TestTables, node: string, name: string): void {
  const proxy = { ...emptyProxy, destinationServiceName: name, destinationServiceId: name, reports: true as const }
  const services = [instance({ name }), instance({ id: `${name}-proxy`, name: `${name}-proxy`, kind: 'connect-proxy', proxy })]
  tables.apply(services.map((service) => ({ kind: 'catalog.register', atMs: 0, request: registration({ node, service }) })))
}
