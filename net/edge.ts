import type { Config } from '../src/config/config.ts'
import { limitRate, rateOf } from '../src/http/rate-limit.ts'
import { routes } from '../src/http/routes/index.ts'
import type { Host } from '../src/kernel/host.ts'
import type { Devices } from '../src/kernel/ports.ts'
import { isRefused, type Result } from '../src/kernel/refusal.ts'
import { ownApi } from '../src/own-api.ts'
import type { Layout } from '../src/placement.ts'
import { dnsMetric } from '../src/telemetry/names.ts'
import type { Listening } from '../src/world.ts'
import { answerFar, answerHere, askFar } from './dns/far.ts'
import { startDns } from './dns/server.ts'
import { type DnsSettings, dnsSettings } from './dns/settings.ts'
import { startHttp } from './http/server.ts'
import { takeFile } from './take-file.ts'

export type Edge = { listening: Listening; reconfigure(config: Config): void; close(): Promise<void> }
export type EdgeOptions = { host: Host; config: Config; layout: Layout; filesDirectory: string; clients: SharedArrayBuffer }

/** The interfaces of one edge thread: HTTP and DNS. The system shares connections among the threads. */
export async function startEdge({ host, config, layout, filesDirectory, clients }: EdgeOptions): Promise<Result<Edge>> {
  let settings = settingsOf(config)
  const edges = layout.filter((roles) => roles.includes('edge')).length
  const limit = ({ server, limits }: Config) => {
    if (!server) limitRate(host, rateOf(limits, edges))
  }
  limit(config)
  const http = await startHttp({ host, config, layout, routes, filesDirectory, clients })
  if (isRefused(http)) return http
  const dns =
    config.ports.dns <= 0
      ? undefined
      : await startDns({
          addresses: config.addresses.dns,
          port: config.ports.dns,
          reusePort: layout.length > 1,
          answers: config.server ? answerHere(host, config.node.name) : askFar(host),
          settings: () => settings,
          report: (kind, ms) => host.samples.of(dnsMetric(kind, config.node.name)).add(ms),
          print: (level, line, facts) => host.ports.print(level, 'dns', line, facts),
        })
  if (isRefused(dns)) {
    await http.close()
    return dns
  }
  return {
    listening: { http: http.addresses, dns: dns ? config.addresses.dns.map((address) => `${address}:${dns.port}`) : [] },
    reconfigure(next) {
      http.reconfigure(next)
      settings = settingsOf(next)
      limit(next)
    },
    async close() {
      await Promise.all([http.close(), dns?.close()])
    },
  }
}

/** The same interfaces for the actors of an edge thread. */
export function edgeApi(host: () => Host, { config, layout }: Pick<EdgeOptions, 'config' | 'layout'>): Devices['api'] {
  return ownApi({ options: () => ({ host: host(), config, layout, routes }), answerDns: answerFar(host, config.datacenter), takeFile })
}

function settingsOf({ dns, datacenter, translateWanAddrs }: Config): DnsSettings {
  const { soa } = dns
  return dnsSettings({
    ...dns,
    maxStaleMs: dns.allowStale ? dns.maxStaleMs : 0,
    datacenter,
    translateWanAddrs,
    nodeMetaTxt: dns.enableAdditionalNodeMetaTxt,
    soa: { refreshMs: soa.refresh * 1_000, retryMs: soa.retry * 1_000, expireMs: soa.expire * 1_000, minTtlMs: soa.minTtl * 1_000 },
  })
}
