import type { Turn } from '../../src/kernel/actor.ts'
import { keepOnly } from './outliers.ts'
import type { UpstreamArgs } from './protocol.ts'
import type { Found, ProxyOwn, ProxyState } from './state.ts'

type Target = Pick<UpstreamArgs, 'service' | 'query'>

/** Under which the instances of an upstream are known, and followed. */
export function targetOf({ service, query }: Target): string {
  return query ? `query/${service}` : `instances/${service}`
}

/** How an upstream is called for people. */
export function labelOf({ service, query }: Target): string {
  return query ? `prepared_query:${service}` : service
}

/** Follows the instances of all upstreams, and of nobody else. */
export function followTargets({ args, found }: Pick<ProxyState, 'args' | 'found'>, before: readonly Target[], turn: Turn<ProxyOwn>): void {
  const followed = new Set(before.map(targetOf))
  const wanted = new Map(args.upstreams.map((upstream) => [targetOf(upstream), upstream]))
  for (const target of followed) {
    if (wanted.has(target)) continue
    turn.unsubscribe(target)
    found.delete(target)
  }
  for (const [target, { service, query }] of wanted) {
    if (followed.has(target)) continue
    const then = (told: Found) => ({ name: 'instances', request: { target, found: told } }) as const
    if (query) turn.subscribe(target, args.feeds, 'query', { query: service }, then)
    else turn.subscribe(target, args.feeds, 'instances', { service }, (instances) => then({ instances, why: '' }))
  }
}

/** Instances changed. */
export function takeFound(state: ProxyState, target: string, found: Found): void {
  if (!state.args.upstreams.some((upstream) => targetOf(upstream) === target)) return
  state.found.set(target, found)
  for (const { args, outliers } of state.upstreams) if (targetOf(args) === target) keepOnly(outliers, found.instances)
}
