import type { CheckRegistration } from '../../actors/catalog/check-changes.ts'
import type { CatalogRegister } from '../../actors/catalog/commands.ts'
import type { InstanceRegistration } from '../../actors/catalog/instance-changes.ts'
import type { ProxyDefinition } from '../../actors/definitions.ts'
import { emptyProxy } from '../../actors/local/expand.ts'

/** A registration with everything left out that is not given. */
export function registration(given: Partial<CatalogRegister> = {}): CatalogRegister {
  return { node: 'n1', id: '', address: '10.0.0.1', taggedAddresses: null, meta: null, skipNodeUpdate: false, checks: [], ...given }
}

export function instance(given: Partial<InstanceRegistration> & { name: string }): InstanceRegistration {
  return {
    id: given.name,
    kind: '',
    tags: [],
    address: '',
    taggedAddresses: {},
    meta: {},
    port: 0,
    socketPath: '',
    enableTagOverride: false,
    weights: { passing: 1, warning: 1 },
    native: false,
    ...given,
  }
}

export function check(given: Partial<CheckRegistration> & { checkId: string }): CheckRegistration {
  return {
    node: '',
    serviceId: '',
    name: given.checkId,
    status: 'passing',
    notes: '',
    output: '',
    type: '',
    interval: '',
    timeout: '',
    exposedPort: 0,
    definition: {},
    ...given,
  }
}

/** What makes an instance a proxy of a service. */
export function proxyTo(destinationServiceName: string): { kind: string; proxy: ProxyDefinition } {
  return {
    kind: 'connect-proxy',
    proxy: { ...emptyProxy, destinationServiceName },
  }
}
