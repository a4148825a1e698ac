import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import type { StoreOutcome } from '../../src/kernel/ports.ts'
import { type Caller, type Cast, LATER, type Ref, type Subscriber } from '../../src/kernel/protocol.ts'
import { recordReads } from '../../src/kernel/recording-view.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { View } from '../../src/kernel/tables.ts'
import { authorize } from '../authorize.ts'
import { type DaemonStatus, daemonsRef, type WantedDaemon } from '../daemons/protocol.ts'
import type { ServiceDefinition } from '../definitions.ts'
import type { FeedsProtocol } from '../feeds/protocol.ts'
import type { LeafProtocol } from '../leaf/protocol.ts'
import { localRef } from '../local/protocol.ts'
import { type ProxyArgs, type ProxyStatus, proxyRef } from '../proxy/protocol.ts'
import { type Applications, type ApplicationsOwn, fellSilent, noApplications, takeEnd, takeTold } from './applications.ts'
import { withCentralSettings } from './central.ts'
import { commandOf, type Daemons, daemonPlanOf, noDaemons, shownDaemon, tellDaemons } from './daemons.ts'
import { type Plan, type ProxySettings, planOf } from './plan.ts'
import { assignPort, type PortBook } from './ports.ts'
import type { ManagedProxy, ProxiesProtocol } from './protocol.ts'
import { hasNews, newReporting, type Reported, type Reporting, type ReportingOwn, reportSoon, tellCluster, told } from './reporting.ts'

export type ProxiesArgs = { enabled: boolean; settings: ProxySettings; feeds: Ref<FeedsProtocol>; leaf: Ref<LeafProtocol> }

export type ProxiesOwn = ReportingOwn &
  ApplicationsOwn & {
    loaded: Cast<Result<StoreOutcome>>
    loadAgain: Cast<null>
    services: Cast<readonly ServiceDefinition[]>
    status: Cast<{ serviceId: string; status: ProxyStatus }>
    shutDown: Cast<{ serviceId: string; ending: number }>
    announce: Cast<{ serviceId: string }>
    announced: Cast<{ serviceId: string; result: Result<null> }>
    portsAgain: Cast<null>
    centralChanged: Cast<null>
    daemonStatuses: Cast<readonly DaemonStatus[]>
    kept: Cast<{ serviceId: string; result: Result<StoreOutcome> }>
  }

type Entry = {
  serviceId: string
  definition: ServiceDefinition
  /** As text, to see whether anything changed that matters. */
  planned: string
  plan: Plan | undefined
  /** Instead of a plan, where a program of somebody else is the proxy, with the address where it is to listen. */
  daemon: (WantedDaemon & { address: string }) | undefined
  /** 0 while it has none. */
  port: number
  /** What cannot be carried out; '' if nothing. */
  why: string
  status: ProxyStatus | null
  announcedPort: number
  announceFailures: number
}

export type ProxiesState = {
  args: ProxiesArgs
  /** Kept ports are known: nothing is started before. */
  loaded: boolean
  loadFailures: number
  services: readonly ServiceDefinition[] | undefined
  entries: Map<string, Entry>
  /** Sidecars on their way down. One that waits for its connections can be called back. */
  ending: Map<string, { number: number; waits: boolean }>
  lastEnding: number
  /** Who waits until the last one has ended, because the agent ends. */
  stopping: Caller<null>[] | undefined
  book: PortBook
  subscribers: Subscriber<readonly ManagedProxy[]>[]
  told: number
  reporting: Reporting
  applications: Applications
  daemons: Daemons
}

const PORT_KIND = 'proxy-port'
const RETRY_MS_MIN = 500
const RETRY_MS_MAX = 30_000
const SHUT_DOWN_WITHIN_MS = 5_000
const ANNOUNCE_WITHIN_MS = 10_000
/** After this long, ports that somebody else had are tried again. */
const PORTS_AGAIN_MS = 30_000

/** Starts, watches and stops the sidecar of each service that asks for one, and gives each a port. */
export const proxies = defineActor<ProxiesProtocol, ProxiesOwn, ProxiesState, ProxiesArgs>({
  name: 'proxies',
  mailboxMax: 16_384,
  init(args, turn) {
    const { portMin, portMax } = args.settings
    load(turn)
    turn.subscribe('services', localRef, 'services', null, (services) => ({ name: 'services', request: services }))
    turn.subscribe('daemons', daemonsRef, 'daemons', null, (statuses) => ({ name: 'daemonStatuses', request: statuses }))
    return {
      args,
      loaded: false,
      loadFailures: 0,
      services: undefined,
      entries: new Map(),
      ending: new Map(),
      lastEnding: 0,
      stopping: undefined,
      book: { min: portMin, max: portMax, kept: new Map(), foreign: new Set() },
      subscribers: [],
      told: 0,
      reporting: newReporting(),
      applications: noApplications(),
      daemons: noDaemons(),
    }
  },
  on: {
    list(state, { token }, turn) {
      return authorize(turn.view, token, { resource: 'agent', name: turn.node, access: 'read' }) ?? listOf(state)
    },

    open: ({ entries }) =>
      [...entries.values()].map(({ serviceId, definition, status }) => ({
        serviceId,
        service: definition.name,
        pairs: status?.pairs ?? [],
      })),

    drain(state, _request, turn, caller) {
      for (const { serviceId, plan } of state.entries.values()) if (plan?.drainMs) shutDown(state, serviceId, plan, turn)
      state.stopping = [...(state.stopping ?? []), caller]
      answerStopped(state, turn)
      return LATER
    },

    applicationTells(state, { token, ...told }, turn) {
      const denied = authorize(turn.view, token, { resource: 'service', name: told.service, access: 'write' })
      if (denied) return denied
      if (state.entries.has(told.serviceId))
        return refuse('conflict', `service ${JSON.stringify(told.serviceId)} has a managed proxy, which tells for it`)
      const refused = takeTold(state.applications, told, turn)
      if (refused) return refused
      reportSoon(state.reporting, turn)
      return null
    },

    applicationEnds(state, { serviceId, service, process, token }, turn) {
      const denied = authorize(turn.view, token, { resource: 'service', name: service, access: 'write' })
      if (denied) return denied
      takeEnd(state.applications, serviceId, process, turn)
      reportSoon(state.reporting, turn)
      return null
    },

    applicationSilent(state, { serviceId, process }, turn) {
      fellSilent(state.applications, serviceId, process, turn)
      reportSoon(state.reporting, turn)
    },

    applicationForgotten({ applications }, { serviceId }) {
      applications.ended.delete(serviceId)
    },

    proxies(state, _request, turn, subscriber) {
      state.subscribers.push(subscriber)
      turn.emit(subscriber, ++state.told, listOf(state))
    },

    daemons({ daemons }, _request, turn, subscriber) {
      daemons.subscribers.push(subscriber)
      if (daemons.told) turn.emit(subscriber, ++daemons.tellings, daemons.told)
    },

    daemonStatuses(state, statuses, turn) {
      state.daemons.statuses = new Map(statuses.map((status) => [status.id, status]))
      tell(state, turn)
    },

    loaded(state, outcome, turn) {
      if (isRefused(outcome)) {
        const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** state.loadFailures++)
        turn.print('error', 'cannot read the ports of managed proxies', { error: outcome.why, retryMs: waitMs })
        return turn.timer('load', waitMs, { name: 'loadAgain', request: null })
      }
      for (const { kind, key, record } of outcome.records) {
        if (kind === PORT_KIND && isPortRecord(record)) state.book.kept.set(key, record.port)
      }
      state.loaded = true
      arrange(state, turn)
    },

    loadAgain(_state, _request, turn) {
      load(turn)
    },

    services(state, services, turn) {
      state.services = services
      for (const entry of state.entries.values()) entry.announcedPort = 0
      arrange(state, turn)
    },

    status(state, { serviceId, status }, turn) {
      const entry = state.entries.get(serviceId)
      // A value of an earlier life may still come.
      if (!entry?.plan || status.port !== entry.port || state.ending.has(serviceId)) return
      if (hasNews(entry.status, status)) reportSoon(state.reporting, turn)
      entry.status = status
      if (status.phase === 'listening') {
        entry.why = ''
        announce(entry, turn)
      } else if (status.phase === 'failed' && status.refused === 'conflict') portTaken(state, entry, status, turn)
      tell(state, turn)
    },

    shutDown(state, { serviceId, ending }, turn) {
      // It was called back in the meantime.
      if (state.ending.get(serviceId)?.number !== ending) return
      turn.stop('proxy', serviceId)
      state.ending.delete(serviceId)
      arrange(state, turn)
      answerStopped(state, turn)
    },

    announce(state, { serviceId }, turn) {
      const entry = state.entries.get(serviceId)
      if (entry?.daemon || entry?.status?.phase === 'listening') announce(entry, turn)
    },

    announced(state, { serviceId, result }, turn) {
      const entry = state.entries.get(serviceId)
      if (!entry) return
      if (!isRefused(result)) {
        entry.announceFailures = 0
        return
      }
      entry.announcedPort = 0
      // The service has left; the next list of services says so.
      if (result.refused === 'missing') return
      const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** entry.announceFailures++)
      turn.print('warn', 'cannot announce a managed proxy', { service: serviceId, error: result.why, retryMs: waitMs })
      turn.timer(`announce/${serviceId}`, waitMs, { name: 'announce', request: { serviceId } })
    },

    portsAgain(state, _request, turn) {
      state.book.foreign.clear()
      arrange(state, turn)
    },

    centralChanged(state, _request, turn) {
      arrange(state, turn)
    },

    report(state, _request, turn) {
      // Before everything is known, what others were told in an earlier life is not wrong.
      if (state.loaded && state.services) tellCluster(state.reporting, reportedOf(state), state.applications, turn)
    },

    reported({ reporting }, result, turn) {
      told(reporting, result, turn)
    },

    kept(_state, { serviceId, result }, turn) {
      if (isRefused(result)) turn.print('warn', 'the port of a managed proxy is not kept', { service: serviceId, error: result.why })
    },
  },

  left(state, { peer, feed }) {
    state.subscribers = state.subscribers.filter((other) => other.peer !== peer || other.feed !== feed)
    state.daemons.subscribers = state.daemons.subscribers.filter((other) => other.peer !== peer || other.feed !== feed)
  },
})

function load(turn: Turn<ProxiesOwn>): void {
  turn.act('store', { do: 'load' }, { then: (outcome) => ({ name: 'loaded', request: outcome }) })
}

/** Makes the running sidecars those that the services ask for. */
function arrange(state: ProxiesState, turn: Turn<ProxiesOwn>): void {
  const { services, entries, ending, book } = state
  if (!state.loaded || !services || state.stopping) return
  const wanted = new Map(services.map((definition) => [definition.id, definition]))
  const { view, reads } = recordReads(turn.view)
  for (const [serviceId, entry] of entries) {
    if (wanted.has(serviceId)) continue
    entries.delete(serviceId)
    if (book.kept.delete(serviceId)) keep(serviceId, undefined, turn)
    if (entry.plan) shutDown(state, serviceId, entry.plan, turn)
  }
  for (const [serviceId, definition] of wanted) {
    if (ending.get(serviceId)?.waits !== false) adjust(state, entryOf(state, serviceId, definition), definition, view, turn)
  }
  turn.wake('central', reads, { name: 'centralChanged', request: null })
  tellDaemons(
    state.daemons,
    [...entries.values()].flatMap(({ daemon }) => wantedOf(daemon)),
    turn,
  )
  reportSoon(state.reporting, turn)
  tell(state, turn)
}

function wantedOf(daemon: Entry['daemon']): WantedDaemon[] {
  if (!daemon) return []
  const { address: _address, ...wanted } = daemon
  return [wanted]
}

/** Starts a sidecar, or starts it again if something changed that matters: it takes over what it can. */
function adjust(state: ProxiesState, entry: Entry, definition: ServiceDefinition, view: View, turn: Turn<ProxiesOwn>): void {
  const { serviceId } = entry
  const { enabled, settings, feeds, leaf } = state.args
  entry.definition = definition
  entry.daemon = undefined
  const command = definition.connect?.proxy ? commandOf(definition.connect.proxy, settings) : []
  if (enabled && command.length > 0) return adjustDaemon(state, entry, command, turn)
  const plan = enabled
    ? planOf(withCentralSettings(view, definition, settings), settings)
    : refuse('invalid', 'connect.enabled: must be true')
  const port = isRefused(plan) ? 0 : plan.inbound.port || assignPort(state.book, serviceId)
  const why = isRefused(plan) ? plan.why : port === undefined ? noPortLeft(settings) : ''
  if (isRefused(plan) || port === undefined) {
    if (why !== entry.why) turn.print('error', 'cannot run the proxy of a service', { service: serviceId, error: why })
    if (port === undefined) turn.timer('ports', PORTS_AGAIN_MS, { name: 'portsAgain', request: null })
    const running = entry.plan
    Object.assign(entry, { why, plan: undefined, planned: '', status: null, port: 0 })
    if (running) shutDown(state, serviceId, running, turn)
    return
  }
  const planned = JSON.stringify([plan, port])
  if (planned === entry.planned) {
    if (entry.status?.phase === 'listening') announce(entry, turn)
    return
  }
  const status = entry.port === port && entry.plan?.service === plan.service ? entry.status : null
  Object.assign(entry, { plan, planned, port, why: '', status, announcedPort: 0 })
  const { service, token, upstreams, drainMs } = plan
  const { datacenter } = settings
  const args: ProxyArgs = {
    service,
    token,
    upstreams,
    inbound: { ...plan.inbound, port },
    datacenter,
    feeds,
    leaf,
    supervised: true,
    recorded: true,
    ...(drainMs !== undefined && { drainMs }),
  }
  // Ports given out are close to each other, so that sidecars spread over the mesh threads; and they are kept, so that a sidecar
  // is found on its thread again by a supervisor that has lost its memory.
  state.ending.delete(serviceId)
  turn.start('proxy', serviceId, args, port)
  turn.subscribe(`status/${serviceId}`, proxyRef(serviceId), 'status', null, (status) => ({
    name: 'status',
    request: { serviceId, status },
  }))
}

/** Gives the program of a service its port and says where it is. The agent's own proxy, if there was one, ends first. */
function adjustDaemon(state: ProxiesState, entry: Entry, command: readonly string[], turn: Turn<ProxiesOwn>): void {
  const { serviceId, plan: running } = entry
  const plan = daemonPlanOf(entry.definition, state.args.settings, command)
  const port = isRefused(plan) ? 0 : plan.port || assignPort(state.book, serviceId)
  const why = isRefused(plan) ? plan.why : port === undefined ? noPortLeft(state.args.settings) : ''
  if (why !== '' && why !== entry.why) turn.print('error', 'cannot run the proxy of a service', { service: serviceId, error: why })
  const announcedPort = running ? 0 : entry.announcedPort
  Object.assign(entry, { why, plan: undefined, planned: '', status: null, port: port ?? 0, announcedPort })
  if (running) return shutDown(state, serviceId, running, turn)
  if (isRefused(plan) || port === undefined) return
  entry.daemon = { ...plan.wanted, address: plan.address }
  if (plan.port === 0) keep(serviceId, port, turn)
  announce(entry, turn)
}

function shutDown(state: ProxiesState, serviceId: string, { drainMs = 0 }: Plan, turn: Turn<ProxiesOwn>): void {
  const number = ++state.lastEnding
  state.ending.set(serviceId, { number, waits: drainMs > 0 })
  turn.unsubscribe(`status/${serviceId}`)
  turn.cancel(`announce/${serviceId}`)
  turn.call(proxyRef(serviceId), 'shutDown', null, {
    withinMs: SHUT_DOWN_WITHIN_MS + drainMs,
    then: () => ({ name: 'shutDown', request: { serviceId, ending: number } }),
  })
}

function answerStopped(state: ProxiesState, turn: Turn<ProxiesOwn>): void {
  if (!state.stopping || state.ending.size > 0) return
  for (const caller of state.stopping) turn.answer(caller, null)
  state.stopping = []
}

/** Tells the agent's registrations where the sidecar is, once for each port and list of services. */
function announce(entry: Entry, turn: Turn<ProxiesOwn>): void {
  const { serviceId, status, plan, daemon } = entry
  const port = daemon ? entry.port : (status?.port ?? 0)
  const address = daemon?.address ?? plan?.inbound.address
  if (address === undefined || port === 0 || entry.announcedPort === port) return
  entry.announcedPort = port
  if (plan?.inbound.port === 0) keep(serviceId, port, turn)
  turn.call(
    localRef,
    'proxyListening',
    { serviceId, address, port, ...(daemon && { silent: true }) },
    { withinMs: ANNOUNCE_WITHIN_MS, then: (result) => ({ name: 'announced', request: { serviceId, result } }) },
  )
}

/** Somebody else has the port. A sidecar with a port of its own keeps trying; another one gets the next port. */
function portTaken(state: ProxiesState, entry: Entry, status: ProxyStatus, turn: Turn<ProxiesOwn>): void {
  if (entry.plan?.inbound.port !== 0) {
    const why = `${status.why} (connect.proxy.config.bind_port)`
    if (entry.why !== why) turn.print('error', 'the port of a proxy is in use', { service: entry.serviceId, error: why })
    entry.why = why
    return
  }
  state.book.foreign.add(status.port)
  turn.timer('ports', PORTS_AGAIN_MS, { name: 'portsAgain', request: null })
  adjust(state, entry, entry.definition, turn.view, turn)
}

function keep(serviceId: string, port: number | undefined, turn: Turn<ProxiesOwn>): void {
  turn.act(
    'store',
    port === undefined
      ? { do: 'remove', kind: PORT_KIND, key: serviceId }
      : { do: 'save', kind: PORT_KIND, key: serviceId, record: { port } },
    { then: (result) => ({ name: 'kept', request: { serviceId, result } }) },
  )
}

function entryOf(state: ProxiesState, serviceId: string, definition: ServiceDefinition): Entry {
  const known = state.entries.get(serviceId)
  if (known) return known
  const entry: Entry = {
    serviceId,
    definition,
    planned: '',
    plan: undefined,
    daemon: undefined,
    port: 0,
    why: '',
    status: null,
    announcedPort: 0,
    announceFailures: 0,
  }
  state.entries.set(serviceId, entry)
  return entry
}

function listOf({ entries, daemons }: ProxiesState): ManagedProxy[] {
  return [...entries.values()]
    .sort((a, b) => (a.serviceId < b.serviceId ? -1 : 1))
    .map(({ serviceId, definition, plan, daemon, status, why }) => {
      if (daemon) return shownDaemon(daemons, daemon)
      return {
        serviceId,
        service: definition.name,
        phase: plan ? (status?.phase ?? 'waiting') : 'stopped',
        why: why || status?.why || (status?.upstreams.find((upstream) => upstream.phase === 'failed')?.why ?? ''),
        status,
      }
    })
}

/** The sidecars that run, or will again. */
function* reportedOf({ entries }: ProxiesState): Generator<Reported, undefined> {
  for (const { serviceId, definition, plan, status } of entries.values()) {
    if (plan) yield { serviceId, service: definition.name, status }
  }
}

function tell(state: ProxiesState, turn: Turn<ProxiesOwn>): void {
  if (state.subscribers.length === 0) return
  state.told++
  for (const subscriber of state.subscribers) turn.emit(subscriber, state.told, listOf(state))
}

function noPortLeft({ portMin, portMax }: ProxySettings): string {
  if (portMax === 0) return 'connect.proxy.config.bind_port: must be set, because ports.proxy_min_port and proxy_max_port give out none'
  return `no port is left from ports.proxy_min_port ${portMin} to ports.proxy_max_port ${portMax}`
}

function isPortRecord(record: unknown): record is { port: number } {
  return typeof record === 'object' && record !== null && 'port' in record && Number.isInteger(record.port)
}
