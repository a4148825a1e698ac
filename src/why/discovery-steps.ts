import { type Instance, onlyPassing, worstStatus } from '../../actors/catalog/queries.ts'
import type { CheckRecord } from '../../actors/catalog/tables.ts'
import { counted, placeOf, quoted, type Side, type Step, type WhyFacts } from './facts.ts'
import { nearNames } from './near-names.ts'

const CHECKS_NAMED_MAX = 3
const OUTPUT_LENGTH_MAX = 120
/** What an application can ask for by DNS as a label of a name. */
const LABEL = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/i

/** Both services are registered, by these very names. */
export function catalogStep({ source, destination, from, to, services }: WhyFacts): Step {
  for (const [name, side] of [
    [source, from],
    [destination, to],
  ] as const) {
    const missing = missingOf(name, side, services)
    if (missing) return { name: 'catalog', state: 'broken', ...missing }
  }
  const seen = `${quoted(source)} has ${counted(from.instances.length, 'instance')}, ${quoted(destination)} has ${counted(to.instances.length, 'instance')}`
  return { name: 'catalog', state: 'ok', seen }
}

/** At least one instance that takes connections of the mesh passes all its checks. */
export function healthStep({ destination, to }: WhyFacts): Step {
  const name = 'health'
  const reached = to.members.length > 0 ? to.members : to.instances
  if (reached.length === 0) return { name, state: 'unknown', seen: `there is no instance of ${quoted(destination)} to look at` }
  const passing = onlyPassing(reached).length
  const failing = checksNamed(reached)
  if (passing === reached.length) return { name, state: 'ok', seen: `${all(reached.length)} of ${quoted(destination)} passes its checks` }
  if (passing > 0) {
    return {
      name,
      state: 'ok',
      seen: `${passing} of ${counted(reached.length, 'instance')} of ${quoted(destination)} pass their checks; ${failing}`,
    }
  }
  return {
    name,
    state: 'broken',
    seen: `no instance of ${quoted(destination)} passes all its checks, so none is given connections: ${failing}`,
    advice: `find out why the check fails, and follow it with: tribune watch -type=checks -service=${destination}`,
  }
}

/** Its name can be asked for. An upstream of a sidecar does not need it. */
export function dnsStep({ destination, to, dns }: WhyFacts): Step {
  const name = 'dns'
  const asked = `${destination}.service.${dns.domain}`
  if (!dns.enabled) return { name, state: 'unknown', seen: 'this agent does not answer DNS' }
  if (!LABEL.test(destination)) {
    return {
      name,
      state: 'unknown',
      seen: `${quoted(destination)} cannot be asked for by DNS, because of its characters; an upstream reaches it`,
    }
  }
  const named = to.instances.filter((instance) => worstStatus(instance) !== 'critical').length
  if (named > 0) return { name, state: 'ok', seen: `${asked} names ${named} of ${to.instances.length} instances` }
  return {
    name,
    state: 'broken',
    seen: `${asked} names nobody: ${to.instances.length === 0 ? 'there is no instance' : 'every instance has a critical check'}`,
    advice: `register the service, or heal its checks; then: dig ${asked}`,
  }
}

function missingOf(name: string, { instances }: Side, services: readonly string[]): Pick<Step, 'seen' | 'advice'> | undefined {
  if (instances.some(({ instance }) => instance.name === name)) return undefined
  const alike = instances[0]?.instance.name
  if (alike !== undefined) {
    return {
      seen: `no service is called ${quoted(name)}, but one is called ${quoted(alike)}: identities and intentions mind letter case`,
      advice: `use ${quoted(alike)}`,
    }
  }
  const near = nearNames(name, services).map(quoted)
  return {
    seen: `no service is called ${quoted(name)}${near.length > 0 ? `; there is ${near.join(', ')}` : ''}`,
    advice: near.length > 0 ? `check the spelling: tribune catalog services` : `register ${quoted(name)}: tribune services register FILE`,
  }
}

/** The first few checks that do not pass, with what they say. */
function checksNamed(instances: readonly Instance[]): string {
  const failing = instances.flatMap((found) =>
    [...found.node.checks, ...found.instance.checks].filter(({ status }) => status !== 'passing').map((check) => checkText(check, found)),
  )
  const distinct = [...new Set(failing)]
  const more = distinct.length > CHECKS_NAMED_MAX ? `; and ${distinct.length - CHECKS_NAMED_MAX} more` : ''
  return distinct.slice(0, CHECKS_NAMED_MAX).join('; ') + more
}

function checkText({ name, status, output }: CheckRecord, found: Instance): string {
  const said = output.trim().replace(/\s+/g, ' ').slice(0, OUTPUT_LENGTH_MAX)
  return `check ${quoted(name)} of ${placeOf(found)} is ${status}${said === '' ? '' : ` (${said})`}`
}

function all(count: number): string {
  return count === 1 ? 'the one instance' : `each of ${count} instances`
}
