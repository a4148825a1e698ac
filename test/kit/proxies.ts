import type { ProxySettings } from '../../actors/proxies/plan.ts'

/** What the actor of sidecars is started with, with three ports if nothing else is said. */
export function proxySettings(more: Partial<ProxySettings> = {}): ProxySettings {
  return {
    datacenter: 'dc1',
    bindAddress: '0.0.0.0',
    portMin: 20_000,
    portMax: 20_002,
    defaults: { upstreams: [], opaque: {} },
    centralConfig: true,
    command: [],
    ...more,
  }
}
