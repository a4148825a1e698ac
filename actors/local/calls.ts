import type { Handlers } from '../../src/kernel/actor.ts'
import { type CallsOf, LATER } from '../../src/kernel/protocol.ts'
import { isRefused, refuse } from '../../src/kernel/refusal.ts'
import { authorize } from '../authorize.ts'
import { withCentralDefaults } from '../config-entries/merge.ts'
import type { CheckDefinition, ServiceDefinition } from '../definitions.ts'
import { definitionFault, serviceFault } from './allowed.ts'
import { operation, settle } from './announce.ts'
import { plainCheck, sidecarId, sidecarPort } from './expand.ts'
import { localService } from './feeds.ts'
import { keep } from './keep.ts'
import { type LocalProtocol, managedProxyId } from './protocol.ts'
import { putManagedProxy } from './registrations.ts'
import { checksOfService, type LocalOwn, type LocalState, localCheck, portsTaken, type Step } from './state.ts'
import { cutOutput } from './statuses.ts'

type Calls = Pick<Handlers<LocalProtocol, LocalOwn, LocalState>, CallsOf<LocalProtocol>>

export const NODE_MAINTENANCE = '_node_maintenance'
export const SERVICE_MAINTENANCE = '_service_maintenance:'

/** What may be asked once everything that was kept is loaded. */
export const calls: Calls = {
  registerService(state, { service, replaceExistingChecks, token }, turn, caller) {
    const denied = authorize(turn.view, token, { resource: 'service', name: service.name, access: 'write' })
    if (denied) return denied
    const fault = serviceFault(state, service)
    if (fault) return fault
    const port = sidecarPort(service, state.sidecarPorts.get(sidecarId(service.id)), () => portsTaken(state), state.args.sidecarPorts)
    if (isRefused(port)) return port
    if (port !== 0) state.sidecarPorts.set(sidecarId(service.id), port)
    const definition = replaceExistingChecks ? service : withEarlierChecks(state, service)
    keep(turn, { do: 'put-service', definition, sidecarPort: port, replaceExistingChecks }, caller, state.args.boot)
    return LATER
  },

  deregisterService(state, { serviceId, token }, turn, caller) {
    const entry = state.services.get(serviceId)
    const denied = authorize(turn.view, token, { resource: 'service', name: entry?.definition.name ?? serviceId, access: 'write' })
    if (denied) return denied
    if (!entry) {
      turn.print('warn', 'Failed to deregister service', {
        service: serviceId,
        error: `Service ${JSON.stringify(serviceId)} does not exist`,
      })
      return null
    }
    const parent = state.services.get(entry.parent)
    if (parent && serviceId === managedProxyId(entry.parent)) {
      return refuse('conflict', `Service ID ${JSON.stringify(serviceId)} is the managed proxy of ${JSON.stringify(entry.parent)}`)
    }
    const step: Step =
      parent?.origin === 'api'
        ? { do: 'put-service', definition: withoutSidecar(parent.definition), sidecarPort: 0, replaceExistingChecks: false }
        : { do: 'remove-service', serviceId }
    keep(turn, step, caller, state.args.boot)
    return LATER
  },

  registerCheck(state, { check, token }, turn, caller) {
    const service = state.services.get(check.serviceId)
    const denied = authorize(
      turn.view,
      token,
      service
        ? { resource: 'service', name: service.definition.name, access: 'write' }
        : { resource: 'node', name: turn.node, access: 'write' },
    )
    if (denied) return denied
    if (check.serviceId !== '' && !service) return refuse('conflict', `ServiceID ${JSON.stringify(check.serviceId)} does not exist`)
    const fault = definitionFault(state, [check], 'api')
    if (fault) return fault
    keep(turn, { do: 'put-check', definition: check, type: check.type }, caller, state.args.boot)
    return LATER
  },

  deregisterCheck(state, { checkId, token }, turn, caller) {
    const denied = authorize(turn.view, token, { resource: 'node', name: turn.node, access: 'write' })
    if (denied) return denied
    if (!state.checks.has(checkId)) {
      turn.print('warn', 'Failed to deregister check', { check: checkId, error: `Check ${JSON.stringify(checkId)} does not exist` })
      return null
    }
    keep(turn, { do: 'remove-check', checkId }, caller, state.args.boot)
    return LATER
  },

  ttlUpdate(state, { checkId, status, output, token }, turn, caller) {
    const denied = authorize(turn.view, token, { resource: 'node', name: turn.node, access: 'write' })
    if (denied) return denied
    const entry = state.checks.get(checkId)
    if (entry?.type !== 'ttl') return refuse('conflict', `CheckID ${JSON.stringify(checkId)} does not have associated TTL`)
    const { outputMaxSize, ttlMs } = entry.definition
    keep(turn, { do: 'ttl', checkId, status, output: cutOutput(output, outputMaxSize), ttlMs }, caller, state.args.boot)
    return LATER
  },

  serviceMaintenance(state, { serviceId, enable, reason, token }, turn, caller) {
    const service = state.services.get(serviceId)?.definition
    if (!service) return refuse('missing', `No service registered with ID ${JSON.stringify(serviceId)}`)
    const denied = authorize(turn.view, token, { resource: 'service', name: service.name, access: 'write' })
    if (denied) return denied
    const checkId = `${SERVICE_MAINTENANCE}${serviceId}`
    if (state.checks.has(checkId) === enable) return null
    keep(turn, enable ? maintenance(checkId, 'service', serviceId, reason) : { do: 'remove-check', checkId }, caller, state.args.boot)
    return LATER
  },

  nodeMaintenance(state, { enable, reason, token }, turn, caller) {
    const denied = authorize(turn.view, token, { resource: 'node', name: turn.node, access: 'write' })
    if (denied) return denied
    if (state.checks.has(NODE_MAINTENANCE) === enable) return null
    keep(
      turn,
      enable ? maintenance(NODE_MAINTENANCE, 'node', '', reason) : { do: 'remove-check', checkId: NODE_MAINTENANCE },
      caller,
      state.args.boot,
    )
    return LATER
  },

  list(state, _request, turn) {
    const services = [...state.services.values()].map(({ definition, origin }) => ({
      definition: withCentralDefaults(turn.view, definition, state.args),
      origin,
    }))
    return {
      services: services.sort((a, b) => (a.definition.id < b.definition.id ? -1 : 1)),
      checks: [...state.checks.values()].map((entry) => localCheck(state, entry)).sort((a, b) => (a.checkId < b.checkId ? -1 : 1)),
    }
  },

  service(state, { serviceId }, turn) {
    const checks = [...checksOfService(state, ''), ...(serviceId === '' ? [] : checksOfService(state, serviceId))]
    return { service: localService(state, turn, serviceId), checks: checks.map((entry) => localCheck(state, entry)) }
  },

  facts: ({ args }) => args.facts,

  reload(state, reload, turn, caller) {
    keep(turn, { do: 'reload', ...reload }, caller, state.args.boot)
    return LATER
  },

  proxyListening(state, { serviceId, address, port, silent = false }, turn, caller) {
    const parent = state.services.get(serviceId)
    if (!parent?.definition.connect?.proxy) return refuse('missing', `service ${JSON.stringify(serviceId)} has no managed proxy`)
    const of = operation(state, caller)
    putManagedProxy(state, turn, parent, { address, port, silent }, of)
    settle(state, turn, of, null)
    return LATER
  },
}

function maintenance(
  id: string,
  of: 'node' | 'service',
  serviceId: string,
  reason: string,
): { do: 'put-check'; definition: CheckDefinition; type: 'maintenance' } {
  const name = of === 'node' ? 'Node Maintenance Mode' : 'Service Maintenance Mode'
  const fallback = `Maintenance mode is enabled for this ${of}, but no reason was provided. This is a default message.`
  return {
    do: 'put-check',
    definition: plainCheck({ id, name, serviceId, notes: reason === '' ? fallback : reason, status: 'critical' }),
    type: 'maintenance',
  }
}

/** The definition with the checks that an earlier one had under other ids. */
function withEarlierChecks(state: LocalState, service: ServiceDefinition): ServiceDefinition {
  const named = new Set(service.checks.map(({ id }) => id))
  const earlier = checksOfService(state, service.id).filter(({ standalone, definition }) => !standalone && !named.has(definition.id))
  return earlier.length === 0 ? service : { ...service, checks: [...service.checks, ...earlier.map(({ definition }) => definition)] }
}

function withoutSidecar({ connect, ...service }: ServiceDefinition): ServiceDefinition {
  const { sidecarService: _sidecarService, ...rest } = connect ?? { native: false }
  return { ...service, connect: rest }
}
