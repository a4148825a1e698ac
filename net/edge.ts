import type { Config } from '../src/config/config.ts'
import type { Host } from '../src/kernel/host.ts'
import { isRefused, type Result } from '../src/kernel/refusal.ts'
import type { Layout } from '../src/placement.ts'
import { routes } from './http/routes/index.ts'
import { startHttp } from './http/server.ts'

export type Edge = { listening: { http: string[]; dns: string[] }; close(): Promise<void> }
export type EdgeOptions = { host: Host; config: () => Config; layout: Layout }

/** The interfaces of one edge thread: HTTP and DNS. The system shares connections among the threads. */
export async function startEdge({ host, config, layout }: EdgeOptions): Promise<Result<Edge>> {
  const http = await startHttp({ host, config: config(), layout, routes })
  if (isRefused(http)) return http
  return {
    listening: { http: http.addresses, dns: [] },
    async close() {
      await http.close()
    },
  }
}
