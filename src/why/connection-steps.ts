import type { Instance } from '../../actors/catalog/queries.ts'
import {
  applicationOf,
  counted,
  hostPort,
  placeOf,
  quoted,
  type SidecarFact,
  type Step,
  targetOf,
  type UpstreamFact,
  type WhyFacts,
} from './facts.ts'

/** The source has a way into the mesh that leads to the destination. */
export function upstreamStep({ source, destination, from }: WhyFacts): Step {
  const name = 'upstream'
  if (from.members.length === 0) {
    const starting = startingOf(from.sidecars)
    if (starting !== undefined)
      return { name, state: 'broken', seen: `the sidecar of ${quoted(source)} is not ready: ${starting}`, advice: NOT_READY }
    return {
      name,
      state: 'broken',
      seen: `${quoted(source)} has no sidecar and is not native: it has no way into the mesh`,
      advice: `register ${quoted(source)} with connect { proxy { config { upstreams = ${upstreamText(destination)} } } } or a sidecar_service`,
    }
  }
  if (from.members.some(({ instance }) => instance.native))
    return { name, state: 'ok', seen: `${quoted(source)} is native: it dials by itself` }
  const having = from.members.flatMap((member) => upstreamsOf(member, destination).map((at) => ({ member, at })))
  if (having.length === 0) {
    const proxies = from.members.map(placeOf).join(', ')
    return {
      name,
      state: 'broken',
      seen: `no sidecar of ${quoted(source)} has ${quoted(destination)} as an upstream (${proxies})`,
      advice: `add ${upstreamText(destination)} to the upstreams of the sidecar; the application then dials that port on 127.0.0.1`,
    }
  }
  const known = having.map(({ member, at }) => ({
    text: `${at} of ${placeOf(member)}`,
    listening: listeningOf(member, destination, from.sidecars),
  }))
  const failed = known.find(({ listening }) => typeof listening === 'string')
  const places = known.map(({ text }) => text).join(', ')
  if (known.some(({ listening }) => listening === true))
    return { name, state: 'ok', seen: `the application dials ${places}, which listens` }
  if (failed) {
    return {
      name,
      state: 'broken',
      seen: `${failed.text} does not listen: ${String(failed.listening)}`,
      advice: 'free the port, or give the upstream another local_bind_port',
    }
  }
  return { name, state: 'unknown', seen: `the application dials ${places}; whether it listens is not to be seen from here` }
}

/** Somebody takes connections for the destination where the catalog says. */
export function sidecarStep({ destination, node, to, dialled }: WhyFacts): Step {
  const name = 'sidecar'
  if (to.members.length === 0) {
    const starting = startingOf(to.sidecars)
    if (starting !== undefined)
      return { name, state: 'broken', seen: `the sidecar of ${quoted(destination)} is not ready: ${starting}`, advice: NOT_READY }
    return {
      name,
      state: 'broken',
      seen: `${quoted(destination)} has no sidecar and is not native: it takes no connections of the mesh`,
      advice: `register ${quoted(destination)} with connect { proxy {} } or connect { sidecar_service {} }`,
    }
  }
  const failed = to.members.flatMap((member) => {
    const why = dialled.get(targetOf(member))
    return why === undefined || why === '' ? [] : [`${placeOf(member)} does not: ${why}${saidBy(member, to.sidecars)}`]
  })
  const reached = to.members.filter((member) => dialled.get(targetOf(member)) === '')
  const listening = reached.map((member) => `${placeOf(member)} at ${targetOf(member)}`).join(', ')
  if (reached.length > 0) return { name, state: 'ok', seen: [`${listening} takes connections`, ...failed].join('; ') }
  if (failed.length === 0) return { name, state: 'unknown', seen: `${counted(to.members.length, 'instance')} could not be tried from here` }
  const isHere = to.members.some((member) => member.node.name === node)
  return {
    name,
    state: 'broken',
    seen: `nobody takes connections for ${quoted(destination)}: ${failed.join('; ')}`,
    advice: isHere
      ? 'start the sidecar, or look at the reason in: curl http://127.0.0.1:8500/v1/tribune/proxies'
      : 'start the sidecar, or open the way to its port between the two machines',
  }
}

/** The application behind a sidecar takes what the sidecar hands on. Only on its own node this can be tried. */
export function applicationStep({ destination, node, to, dialled }: WhyFacts): Step {
  const name = 'application'
  const behind = to.members.filter(({ instance }) => instance.proxy)
  if (to.members.length > 0 && behind.length === 0)
    return { name, state: 'ok', seen: `${quoted(destination)} is native: no sidecar is between` }
  const tried = behind.flatMap((member) => {
    const at = applicationOf(member)
    const why = at !== undefined && member.node.name === node ? dialled.get(at) : undefined
    return at === undefined || why === undefined ? [] : [{ at, why, member }]
  })
  if (tried.length === 0)
    return { name, state: 'unknown', seen: `the application of ${quoted(destination)} can be tried on its own node only` }
  const failed = tried.filter(({ why }) => why !== '')
  const reached = tried.filter(({ why }) => why === '')
  const refusals = failed.map(({ at, why, member }) => `${at} behind ${placeOf(member)}: ${why}`).join('; ')
  if (failed.length === 0) return { name, state: 'ok', seen: `${reached.map(({ at }) => at).join(', ')} takes connections` }
  if (reached.length > 0)
    return { name, state: 'ok', seen: `${reached.map(({ at }) => at).join(', ')} takes connections; not so ${refusals}` }
  return {
    name,
    state: 'broken',
    seen: `the application does not take connections: ${refusals}`,
    advice: `start ${quoted(destination)}, or correct the port that it is registered with`,
  }
}

const NOT_READY = 'wait a moment; if it stays so, correct what it says: curl http://127.0.0.1:8500/v1/tribune/proxies'

/** What a sidecar waits for that this agent runs and has not announced. */
function startingOf(sidecars: readonly SidecarFact[]): string | undefined {
  const here = sidecars.find((sidecar) => sidecar.here)?.here
  return here && (here.why || 'it was started just now')
}

/** Where the application finds an upstream. */
function upstreamsOf({ instance }: Instance, destination: string): string[] {
  const upstreams = instance.proxy?.upstreams ?? []
  return upstreams
    .filter(({ destinationType, destinationName }) => destinationType === 'service' && destinationName === destination)
    .map((one) => one.localBindSocketPath || hostPort(one.localBindAddress || '127.0.0.1', one.localBindPort))
}

/** Whether the upstream of a sidecar listens, or why not; undefined if that is not to be seen from here. */
function listeningOf(member: Instance, destination: string, sidecars: readonly SidecarFact[]): true | string | undefined {
  const here = sidecarOf(member, sidecars)?.here
  if (!here) return undefined
  if (here.phase === 'stopped') return here.why
  const upstream = here.upstreams.find(({ service }) => service === destination)
  return upstream && upstreamListens(upstream)
}

function upstreamListens({ phase, why }: UpstreamFact): true | string {
  if (phase === 'listening') return true
  return why === '' ? 'it is not open yet' : why
}

/** What a sidecar of this agent says about itself. */
function saidBy(member: Instance, sidecars: readonly SidecarFact[]): string {
  const why = sidecarOf(member, sidecars)?.here?.why ?? ''
  return why === '' ? '' : `, it says: ${why}`
}

function sidecarOf({ node, instance }: Instance, sidecars: readonly SidecarFact[]): SidecarFact | undefined {
  const serviceId = instance.proxy?.destinationServiceId
  return sidecars.find((one) => one.node === node.name && one.serviceId === serviceId)
}

function upstreamText(destination: string): string {
  return `{ destination_name = ${quoted(destination)}, local_bind_port = 9191 }`
}
