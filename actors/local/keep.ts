import type { HealthStatus, StoreOutcome, StoreRequest } from '../../src/kernel/ports.ts'
import type { Caller } from '../../src/kernel/protocol.ts'
import type { CheckDefinition, CheckType, ServiceDefinition } from '../definitions.ts'
import type { Reload } from './protocol.ts'
import type { LocalTurn, Step } from './state.ts'

/** What is kept of one service that was registered through the API. */
export type KeptService = { definition: ServiceDefinition; sidecarPort: number }
/** What is kept of one check that was registered by itself. */
export type KeptCheck = { definition: CheckDefinition; type: CheckType | 'maintenance' }
/** What is kept of a TTL check's last word. */
export type KeptStatus = { status: HealthStatus; output: string; expiresAtMs: number }
/** What the files said last, for a next life within the same run of the process. */
export type KeptReload = Reload & { boot: string }

export type KeptRecords = {
  services: Map<string, KeptService>
  checks: Map<string, KeptCheck>
  statuses: Map<string, KeptStatus>
  reload: KeptReload | undefined
}

const SERVICE = 'service'
const CHECK = 'check'
const STATUS = 'check-state'
const RELOAD = 'definitions'

/** Sorts what was kept by what it is. Records of other actors are passed over. */
export function readRecords({ records }: StoreOutcome): KeptRecords {
  const found: KeptRecords = { services: new Map(), checks: new Map(), statuses: new Map(), reload: undefined }
  for (const { kind, key, record } of records) {
    if (kind === SERVICE) found.services.set(key, record as KeptService)
    else if (kind === CHECK) found.checks.set(key, record as KeptCheck)
    else if (kind === STATUS) found.statuses.set(key, record as KeptStatus)
    else if (kind === RELOAD) found.reload = record as KeptReload
  }
  return found
}

/** Keeps what a step brings, or forgets what it removes; the step is taken once that is durable, and then answers its caller. */
export function keep(turn: LocalTurn, step: Step, caller: Caller<null>, boot: string): void {
  turn.act('store', requestOf(step, turn.nowMs, boot), { then: (result) => ({ name: 'kept', request: { step, caller, result } }) })
}

/** Keeps a service whose change nobody waits for. */
export function keepService(turn: LocalTurn, definition: ServiceDefinition, sidecarPort: number): void {
  const record: KeptService = { definition, sidecarPort }
  turn.act('store', { do: 'save', kind: SERVICE, key: definition.id, record })
}

/** Keeps the definitions of the files for a next life. */
export function keepDefinitions(turn: LocalTurn, record: KeptReload): void {
  turn.act('store', { do: 'save', kind: RELOAD, key: 'files', record })
}

/** Forgets something without waiting: it means nothing any more. */
export function forgetService(turn: LocalTurn, serviceId: string): void {
  turn.act('store', { do: 'remove', kind: SERVICE, key: serviceId })
}

export function forgetCheck(turn: LocalTurn, checkId: string): void {
  turn.act('store', { do: 'remove', kind: CHECK, key: checkId })
}

export function forgetStatus(turn: LocalTurn, checkId: string): void {
  turn.act('store', { do: 'remove', kind: STATUS, key: checkId })
}

export function loadRecords(turn: LocalTurn): void {
  turn.act('store', { do: 'load' }, { then: (result) => ({ name: 'loaded', request: { result } }) })
}

function requestOf(step: Step, nowMs: number, boot: string): StoreRequest {
  switch (step.do) {
    case 'put-service': {
      const record: KeptService = { definition: step.definition, sidecarPort: step.sidecarPort }
      return { do: 'save', kind: SERVICE, key: step.definition.id, record }
    }
    case 'remove-service':
      return { do: 'remove', kind: SERVICE, key: step.serviceId }
    case 'put-check': {
      const record: KeptCheck = { definition: step.definition, type: step.type }
      return { do: 'save', kind: CHECK, key: step.definition.id, record }
    }
    case 'remove-check':
      return { do: 'remove', kind: CHECK, key: step.checkId }
    case 'reload': {
      const { do: _do, ...reload } = step
      const record: KeptReload = { boot, ...reload }
      return { do: 'save', kind: RELOAD, key: 'files', record }
    }
    case 'ttl': {
      const record: KeptStatus = { status: step.status, output: step.output, expiresAtMs: nowMs + step.ttlMs }
      return { do: 'save', kind: STATUS, key: step.checkId, record }
    }
  }
}
