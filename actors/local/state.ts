import type { Turn } from '../../src/kernel/actor.ts'
import type { HealthStatus, StoreOutcome } from '../../src/kernel/ports.ts'
import type { Caller, Cast, Subscriber } from '../../src/kernel/protocol.ts'
import type { Refusal, Result } from '../../src/kernel/refusal.ts'
import type { CheckDefinition, CheckType, ManagedProxyConfig, ServiceDefinition } from '../definitions.ts'
import type { AgentFacts, LocalCheck, Origin, Reload } from './protocol.ts'

export type LocalArgs = {
  facts: AgentFacts
  /** The same for all lives of this actor within one run of the process. */
  boot: string
  services: ServiceDefinition[]
  checks: CheckDefinition[]
  /** Ports for sidecars without one, both included; both 0: none is given out. */
  sidecarPorts: { from: number; to: number }
  /** How long a change of nothing but a check's output may stay unannounced. */
  checkUpdateIntervalMs: number
  discardCheckOutput: boolean
  /** Bytes of output that a check keeps at most, whatever it asks for. */
  checkOutputMaxSize: number
  /** Checks that run a program may come from files; from the API. */
  localScripts: boolean
  remoteScripts: boolean
  allowManagedApiRegistration: boolean
  /** What managed proxies have unless their service says otherwise. */
  proxyDefaults: ManagedProxyConfig
  /** Whether proxies have what the central settings say of them. */
  centralConfig: boolean
  syncIntervalMs: number
  reapIntervalMs: number
  /** Shortest time after which a critical service is removed. */
  deregisterMinMs: number
}

export type ServiceEntry = {
  definition: ServiceDefinition
  origin: Origin
  /** The service that this one belongs to, '' for most. */
  parent: string
}

export type CheckEntry = {
  definition: CheckDefinition
  type: CheckType | 'maintenance'
  origin: Origin
  standalone: boolean
  status: HealthStatus
  output: string
  /** 0 while it is not critical. */
  criticalSinceMs: number
  /** A new output waits to be announced. */
  isOutputPending: boolean
}

/** A change that waits for its commands; then its caller is answered. */
export type Operation = { caller: Caller<null> | undefined; left: number; refused: Refusal | undefined }

/** What is to be done once something was kept on this machine. */
export type Step =
  | { do: 'put-service'; definition: ServiceDefinition; sidecarPort: number; replaceExistingChecks: boolean }
  | { do: 'remove-service'; serviceId: string }
  | { do: 'put-check'; definition: CheckDefinition; type: CheckType | 'maintenance' }
  | { do: 'remove-check'; checkId: string }
  | ({ do: 'reload' } & Reload)
  | { do: 'ttl'; checkId: string; status: HealthStatus; output: string; ttlMs: number }

export type LocalOwn = {
  loaded: Cast<{ result: Result<StoreOutcome> }>
  load: Cast<null>
  kept: Cast<{ step: Step; caller: Caller<null>; result: Result<StoreOutcome> }>
  announced: Cast<{ operation: number; result: Result<null>; what: string }>
  sync: Cast<null>
  /** Other tables may have taken the place of those there were. */
  replaced: Cast<null>
  reap: Cast<null>
  tell: Cast<{ feed: 'services' | 'checks' }>
  ttlExpired: Cast<{ checkId: string }>
  outputDue: Cast<{ checkId: string }>
  aliasDue: Cast<{ checkId: string }>
  compareNow: Cast<null>
  counted: Cast<{ members: number }>
  /** Central settings have changed. */
  defaultsChanged: Cast<null>
}

export type LocalState = {
  /** With what a reload has changed. */
  args: LocalArgs
  loaded: boolean
  /** Calls that came before everything was loaded. */
  early: { name: string; request: unknown; caller: Caller }[]
  services: Map<string, ServiceEntry>
  checks: Map<string, CheckEntry>
  /** Ids of the checks of each service; '' for those of the node. */
  checksOf: Map<string, Set<string>>
  /** Ids of the alias checks that look at a service of this agent. */
  aliasesOf: Map<string, Set<string>>
  /** Ports given to sidecars, by the id of the sidecar's service; before it is registered too. */
  sidecarPorts: Map<string, number>
  operations: Map<number, Operation>
  lastOperation: number
  /** A command failed, so the next full comparison comes early. */
  isRetryDue: boolean
  isCompareDue: boolean
  /** How many members there are, as far as that matters; 0: unknown. */
  members: number
  /** How often in a row a command failed. */
  failures: number
  /** Everything here was compared with the catalog once. */
  hasCompared: boolean
  /** Which copy of the tables the catalog is in. */
  copy: 0 | 1
  feeds: {
    services: Subscriber[]
    checks: Subscriber[]
    byService: Map<string, Subscriber[]>
    /** Counts values. */
    index: number
    /** Feeds about which something is to be told. */
    due: Set<'services' | 'checks'>
  }
}

export type LocalTurn = Turn<LocalOwn>

export function emptyState(args: LocalArgs): LocalState {
  return {
    args,
    loaded: false,
    early: [],
    services: new Map(),
    checks: new Map(),
    checksOf: new Map(),
    aliasesOf: new Map(),
    sidecarPorts: new Map(),
    operations: new Map(),
    lastOperation: 0,
    isRetryDue: false,
    isCompareDue: false,
    members: 0,
    failures: 0,
    hasCompared: false,
    copy: 0,
    feeds: { services: [], checks: [], byService: new Map(), index: 0, due: new Set() },
  }
}

/** The checks of a service; of the node for ''. Ordered by id. */
export function checksOfService(state: LocalState, serviceId: string): CheckEntry[] {
  const ids = [...(state.checksOf.get(serviceId) ?? [])].sort()
  return ids.flatMap((id) => state.checks.get(id) ?? [])
}

/** Whether somebody has to look at something for it, again and again. */
export function isProbed(type: CheckEntry['type']): boolean {
  return type !== 'ttl' && type !== 'alias' && type !== 'maintenance'
}

export function localCheck(state: LocalState, { definition, type, status, output, standalone }: CheckEntry): LocalCheck {
  const service = state.services.get(definition.serviceId)?.definition
  const { id, name, notes, serviceId, intervalMs, timeoutMs } = definition
  return {
    checkId: id,
    name,
    notes,
    status,
    output,
    serviceId,
    serviceName: service?.name ?? '',
    serviceTags: service?.tags ?? [],
    type,
    intervalMs,
    timeoutMs,
    standalone,
  }
}

/** Ports of all services here and of all sidecars to be. */
export function portsTaken(state: LocalState): Set<number> {
  const taken = new Set(state.sidecarPorts.values())
  for (const { definition } of state.services.values()) if (definition.port !== 0) taken.add(definition.port)
  return taken
}
