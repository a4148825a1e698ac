import { type Refusal, refuse } from '../../src/kernel/refusal.ts'
import { nameFault } from '../catalog/commands.ts'
import type { CheckDefinition, ServiceDefinition } from '../definitions.ts'
import type { LocalState } from './state.ts'

/** Why a service cannot be registered through the API. */
export function serviceFault(state: LocalState, service: ServiceDefinition): Refusal | undefined {
  const fault = namesFault({
    'Service name': service.name,
    'Service ID': service.id,
    Destination: service.proxy?.destinationServiceName ?? '',
  })
  if (fault) return fault
  if (service.connect?.proxy && !state.args.allowManagedApiRegistration) {
    return refuse('conflict', 'Bad request: Managed proxy registration via the API is disallowed.')
  }
  const { parent } = state.services.get(service.id) ?? { parent: '' }
  if (parent !== '') return refuse('conflict', `Service ID ${JSON.stringify(service.id)} belongs to service ${JSON.stringify(parent)}`)
  return definitionFault(state, [...service.checks, ...(service.connect?.sidecarService?.checks ?? [])], 'api')
}

/** Why checks cannot be carried out here. */
export function definitionFault(state: LocalState, checks: readonly CheckDefinition[], from: 'file' | 'api'): Refusal | undefined {
  for (const { id, type } of checks) {
    const fault = namesFault({ 'Check ID': id })
    if (fault) return fault
    if (type !== 'script' && type !== 'docker') continue
    if (from === 'api' && !state.args.remoteScripts) {
      return refuse('conflict', "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true")
    }
    if (!state.args.localScripts && !state.args.remoteScripts) {
      return refuse(
        'conflict',
        "Scripts are disabled on this agent; to enable, configure 'enable_script_checks' or 'enable_local_script_checks' to true",
      )
    }
  }
  return undefined
}

function namesFault(names: Record<string, string>): Refusal | undefined {
  for (const [what, name] of Object.entries(names)) {
    const fault = nameFault(name)
    if (fault !== undefined) return refuse('invalid', `${what} ${fault}`)
  }
  return undefined
}
