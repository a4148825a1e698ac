import type { CheckDefinition, ServiceDefinition } from '../../actors/definitions.ts'
import type { Build } from './build.ts'
import { checkOf, type DefinitionDefaults, type Misfits, serviceOf } from './definitions.ts'
import { fileDialect } from './dialects.ts'
import type { Place } from './tree.ts'
import { CHECK_NAME_MISSING, validateCheck, validateFileService } from './validate-definitions.ts'

/** The services and checks of all files. Each problem says which definition, and where it stands. */
export function buildDefinitions(
  build: Build,
  places: ReadonlyMap<object, Place>,
): { services: ServiceDefinition[]; checks: CheckDefinition[] } {
  const { settings } = build
  const defaults: DefinitionDefaults = {
    outputMaxSize: Math.max(1, settings.check_output_max_size),
    proxy: { daemonCommand: settings.connect.proxy_defaults.daemon_command, config: settings.connect.proxy_defaults.config },
  }
  const services = settings.services.map((given) => {
    const misfits: Misfits = { service: [], checks: [] }
    const service = serviceOf(given, 'file', misfits, defaults)
    const problems = [...validateFileService(service), ...misfits.service, ...misfits.checks, ...scriptProblems(build, service.checks)]
    addProblems(build, `service ${JSON.stringify(service.name)}`, problems, places.get(given))
    return service
  })
  const checks = settings.checks.map((given) => {
    const misfits: Misfits = { service: [], checks: [] }
    const check = checkOf(given, misfits, defaults)
    const own = check.name === '' ? [CHECK_NAME_MISSING] : []
    const problems = [...own, ...validateCheck(check), ...misfits.checks, ...scriptProblems(build, [check])]
    addProblems(build, `check ${JSON.stringify(check.name)}`, problems, places.get(given))
    return check
  })
  warnOfTwins(build, 'service', services)
  warnOfTwins(build, 'check', [...checks, ...services.flatMap((service) => service.checks)])
  return { services, checks }
}

/** Where only the shape of a configuration matters, programs may be asked for that this agent would not run. */
function scriptProblems({ settings, purpose }: Build, checks: readonly CheckDefinition[]): string[] {
  const allowed = settings.enable_script_checks || settings.enable_local_script_checks === true || purpose === 'validate'
  if (allowed || !checks.some(({ type }) => type === 'script' || type === 'docker')) return []
  return ["Scripts are disabled on this agent; to enable, configure 'enable_script_checks' or 'enable_local_script_checks' to true"]
}

function addProblems({ problems }: Build, what: string, found: readonly string[], place: Place | undefined): void {
  for (const problem of found) {
    const text = `${what}: ${problem}`
    problems.push(place === undefined ? text : fileDialect.placed(text, place))
  }
}

function warnOfTwins({ warnings }: Build, what: string, definitions: readonly { id: string }[]): void {
  const seen = new Set<string>()
  for (const { id } of definitions) {
    if (seen.has(id)) warnings.push(`${what} id ${JSON.stringify(id)} is defined more than once; the last definition counts`)
    seen.add(id)
  }
}
