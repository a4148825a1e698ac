import type { WatchDefinition, WatchHandler, WatchQuestion } from '../../actors/watches/protocol.ts'
import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import type { Build } from './build.ts'
import { fileDialect } from './dialects.ts'
import { completed } from './merge.ts'
import type { Complete } from './schema/fields.ts'
import { watchFields } from './schema/observation.ts'
import type { Place } from './tree.ts'

/**
 * The watches of all files. What is wrong with one does not keep a configuration from being valid, only an agent from running
 * it. Source: config §1, §9.
 */
export function buildWatches({ settings, purpose, problems, warnings }: Build, places: ReadonlyMap<object, Place>): WatchDefinition[] {
  return settings.watches.flatMap((given) => {
    const place = places.get(given)
    const placed = (text: string) => (place === undefined ? text : fileDialect.placed(text, place))
    const fields = completed(watchFields, given)
    if (fields.handler !== '') warnings.push(placed("watches: 'handler' is deprecated, use 'args'"))
    const watch = watchOf(fields)
    if (!isRefused(watch)) return [watch]
    if (purpose !== 'validate') problems.push(placed(`Failed to parse watch: ${watch.why}`))
    return []
  })
}

type Written = Complete<typeof watchFields>

function watchOf(written: Written): Result<WatchDefinition> {
  const question = questionOf(written)
  if (isRefused(question)) return question
  const unused = UNUSED.find((name) => !(USED[question.type] ?? []).includes(name) && isGiven(written[name]))
  if (unused !== undefined) return refuse('invalid', `Invalid parameters: [${unused}]`)
  const handler = handlerOf(written)
  if (isRefused(handler)) return handler
  const { datacenter, token, stale } = written
  return { question, datacenter, token, stale, handler }
}

/** Which parameters mean something for which type. */
const USED: { readonly [Type in WatchQuestion['type']]?: readonly (keyof Written)[] } = {
  key: ['key'],
  keyprefix: ['prefix'],
  service: ['service', 'tag', 'passingonly'],
  checks: ['service', 'state'],
  event: ['name'],
  connect_leaf: ['service'],
  agent_service: ['service_id'],
  connect_proxy_config: ['proxy_service_id'],
}
const UNUSED = ['key', 'prefix', 'service', 'tag', 'passingonly', 'state', 'name', 'service_id', 'proxy_service_id'] as const

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== '' && value !== false
}

function questionOf(written: Written): Result<WatchQuestion> {
  const { type, key, prefix, service, tag, passingonly, state, name, service_id: serviceId, proxy_service_id: proxyServiceId } = written
  switch (type) {
    case '':
      return refuse('invalid', 'Watch type must be specified')
    case 'key':
      return key === '' ? refuse('invalid', 'Must specify a single key to watch') : { type, key }
    case 'keyprefix':
      return prefix === '' ? refuse('invalid', 'Must specify a single prefix to watch') : { type, prefix }
    case 'services':
    case 'nodes':
    case 'connect_roots':
      return { type }
    case 'service': {
      const tags = tagsOf(tag)
      if (isRefused(tags)) return tags
      return service === '' ? SERVICE_MISSING : { type, service, tags, passingOnly: passingonly }
    }
    case 'checks':
      return service !== '' && state !== '' ? refuse('invalid', 'Cannot specify service and state') : { type, service, state }
    case 'event':
      return { type, name }
    case 'connect_leaf':
      return service === '' ? SERVICE_MISSING : { type, service }
    case 'agent_service':
      return serviceId === '' ? refuse('invalid', 'Must specify a single service ID to watch') : { type, serviceId }
    case 'connect_proxy_config':
      return proxyServiceId === '' ? refuse('invalid', 'Must specify a single proxy service ID to watch') : { type, proxyServiceId }
    default:
      return refuse('invalid', `Unsupported watch type: ${type}`)
  }
}

const SERVICE_MISSING = refuse('invalid', 'Must specify a single service to watch')

function tagsOf(tag: unknown): Result<string[]> {
  const tags = tag === undefined || tag === '' ? [] : Array.isArray(tag) ? tag : [tag]
  return tags.every((one): one is string => typeof one === 'string') ? tags : refuse('invalid', 'tag must be a string or a list of strings')
}

function handlerOf({ handler_type: type, handler, args, http_handler_config: http }: Written): Result<WatchHandler> {
  if (type !== 'script' && type !== 'http') return refuse('invalid', `Handler type '${type}' not recognized`)
  const programs = Number(handler !== '') + Number(args.length > 0)
  if (programs > 1 || (programs > 0 && type === 'http')) return refuse('invalid', 'Only one watch handler allowed')
  if (type === 'script') {
    if (programs === 0) return refuse('invalid', 'Must define a watch handler')
    return { kind: 'script', args: handler === '' ? args : ['/bin/sh', '-c', handler] }
  }
  if (http.path === '') return refuse('invalid', "http_handler_config: Requires 'path' to be set")
  return {
    kind: 'http',
    url: http.path,
    method: http.method,
    headers: http.header,
    timeoutMs: http.timeout,
    tlsSkipVerify: http.tls_skip_verify,
  }
}
