import type { CheckDefinition, ConnectDefinition, ServiceDefinition } from '../../actors/definitions.ts'
import { plainCheck } from '../../actors/local/expand.ts'
import { local } from '../../actors/local/index.ts'
import type { LocalArgs } from '../../actors/local/state.ts'
import type { StoreOutcome, StoreRequest } from '../../src/kernel/ports.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { emptyTables, type TestTables } from './tables.ts'
import { tryActor } from './try-actor.ts'

export const NODE_ID = '11111111-1111-1111-1111-111111111111'

/** Records by kind and key, as the store keeps them. */
export type KeptRecords = Map<string, { kind: string; key: string; record: unknown }>

/** The actor `local` with a store that works at once, unless `store` is told to wait. */
export function tryLocal(given: Partial<LocalArgs> = {}, surroundings: { tables?: TestTables; kept?: KeptRecords; nowMs?: number } = {}) {
  const { tables = emptyTables(), kept = new Map(), nowMs = 1_000_000 } = surroundings
  const a = tryActor(local, { args: localArgs(given), tables, nowMs })
  let waits = false

  function outcomeOf(request: StoreRequest): StoreOutcome {
    if (request.do === 'load') return { records: [...kept.values()] }
    const at = `${request.kind}/${request.key}`
    if (request.do === 'save') kept.set(at, { kind: request.kind, key: request.key, record: request.record })
    else kept.delete(at)
    return { records: [] }
  }
  function serve(): void {
    while (!waits && a.acts('store').length > 0) a.outcome('store', outcomeOf(a.acts('store')[0] as StoreRequest))
  }
  serve()

  return {
    ...a,
    get state() {
      return a.state
    },
    get nowMs() {
      return a.nowMs
    },
    /** Registrations only: the definitions of the files are kept too. */
    keptIds: () => [...kept.keys()].filter((id) => !id.startsWith('definitions/')),
    kept,
    tables,
    /** Calls, and lets the store do its part. */
    ask: ((name: never, request: never) => {
      const call = a.call(name, request)
      serve()
      return call.result
    }) as <N extends Parameters<typeof a.call>[0]>(name: N, request: Parameters<typeof a.call<N>>[1]) => Result<unknown> | undefined,
    register(service: ServiceDefinition, replaceExistingChecks = false) {
      const call = a.call('registerService', { service, replaceExistingChecks, token: '' })
      serve()
      return call.result
    },
    pass(ms: number) {
      a.wait(ms)
      serve()
    },
    serve,
    /** From now on the store's outcomes come from the test. */
    holdStore() {
      waits = true
    },
    crash() {
      a.restart()
      serve()
    },
  }
}

export function localArgs(given: Partial<LocalArgs> = {}): LocalArgs {
  return {
    facts: {
      node: 'n1',
      nodeId: NODE_ID,
      datacenter: 'dc1',
      primaryDatacenter: 'dc1',
      server: true,
      address: '10.0.0.1',
      taggedAddresses: { lan: '10.0.0.1' },
      nodeMeta: {},
      ports: { server: 8300, serfLan: 8301, serfWan: 8302, dns: 8600, http: 8500, grpc: -1 },
      isEncrypted: false,
      version: '0.1.0',
      compatibleVersion: '1.10.12',
      debugConfig: {},
    },
    boot: 'first',
    services: [],
    checks: [],
    sidecarPorts: { from: 21_000, to: 21_255 },
    checkUpdateIntervalMs: 300_000,
    discardCheckOutput: false,
    checkOutputMaxSize: 4_096,
    localScripts: false,
    remoteScripts: false,
    allowManagedApiRegistration: false,
    proxyDefaults: { upstreams: [], opaque: {} },
    centralConfig: true,
    syncIntervalMs: 60_000,
    reapIntervalMs: 30_000,
    deregisterMinMs: 60_000,
    ...given,
  }
}

export function service(given: Partial<ServiceDefinition> & { name: string }): ServiceDefinition {
  return {
    id: given.name,
    kind: '',
    tags: [],
    address: '',
    taggedAddresses: {},
    meta: {},
    port: 80,
    socketPath: '',
    enableTagOverride: false,
    weights: { passing: 1, warning: 1 },
    token: '',
    checks: [],
    ...given,
  }
}

export function ttlCheck(id: string, given: Partial<CheckDefinition> = {}): CheckDefinition {
  return plainCheck({ id, name: id, type: 'ttl', ttlMs: 10_000, ...given })
}

export function tcpCheck(id: string, given: Partial<CheckDefinition> = {}): CheckDefinition {
  return plainCheck({ id, name: id, type: 'tcp', tcp: '127.0.0.1:80', intervalMs: 5_000, ...given })
}

export const managedProxy: ConnectDefinition = {
  native: false,
  proxy: { execMode: 'daemon', command: [], config: { upstreams: [], opaque: {} } },
}
