import type { Turn } from '../../src/kernel/actor.ts'
import type { Subscriber } from '../../src/kernel/protocol.ts'
import { type Refusal, refuse } from '../../src/kernel/refusal.ts'
import { same } from '../catalog/same.ts'
import type { DaemonPhase, DaemonStatus, WantedDaemon } from '../daemons/protocol.ts'
import type { ManagedProxyConfig, ManagedProxyDefinition, ServiceDefinition } from '../definitions.ts'
import { managedProxyId } from '../local/protocol.ts'
import type { ProxiesOwn } from './index.ts'
import { type ProxySettings, withDefaults } from './plan.ts'
import type { ManagedProxy } from './protocol.ts'

/** Services whose managed proxy is a program of somebody else. */
export type Daemons = {
  subscribers: Subscriber<readonly WantedDaemon[]>[]
  /** Undefined before the first time. */
  told: readonly WantedDaemon[] | undefined
  tellings: number
  /** By the id of the proxy's own service. */
  statuses: ReadonlyMap<string, DaemonStatus>
}

export function noDaemons(): Daemons {
  return { subscribers: [], told: undefined, tellings: 0, statuses: new Map() }
}

/** The program that is to be the managed proxy of a service; empty: the agent's own proxy is. */
export function commandOf({ command }: ManagedProxyDefinition, settings: Pick<ProxySettings, 'command'>): readonly string[] {
  return command.length > 0 ? command : settings.command
}

/** Where a program is to listen: its port is 0 if the service does not say. Everything else of its configuration is its own affair. */
export type DaemonPlan = { address: string; port: number; wanted: WantedDaemon }

export function daemonPlanOf(definition: ServiceDefinition, settings: ProxySettings, command: readonly string[]): DaemonPlan | Refusal {
  const managed = definition.connect?.proxy
  if (managed?.execMode === 'script') return refuse('invalid', 'connect.proxy.exec_mode: "script" is not supported')
  if (definition.port === 0) return refuse('invalid', 'port: a service with a managed proxy must have a port')
  const config: ManagedProxyConfig = withDefaults(settings.defaults, managed?.config)
  const { id, name } = definition
  return {
    address: config.bindAddress || settings.bindAddress,
    port: config.bindPort ?? 0,
    wanted: { id: managedProxyId(id), serviceId: id, service: name, command },
  }
}

/** Tells which programs are to run, if that is not what was told before. */
export function tellDaemons(state: Daemons, wanted: readonly WantedDaemon[], turn: Turn<ProxiesOwn>): void {
  const list = [...wanted].sort((a, b) => (a.id < b.id ? -1 : 1))
  if (state.told && same(list, state.told)) return
  state.told = list
  state.tellings++
  for (const subscriber of state.subscribers) turn.emit(subscriber, state.tellings, list)
}

/** How a program is, as other managed proxies say it. Whether it listens is for its check to say. */
export function shownDaemon({ statuses }: Daemons, { id, serviceId, service }: WantedDaemon): ManagedProxy {
  const status = statuses.get(id)
  return { serviceId, service, phase: PHASES[status?.phase ?? 'starting'], why: status?.why ?? '', status: null }
}

const PHASES: Record<DaemonPhase, ManagedProxy['phase']> = {
  starting: 'waiting',
  running: 'listening',
  waiting: 'failed',
  ending: 'waiting',
  forbidden: 'stopped',
}
