import type { Config } from '../src/config/config.ts'
import type { Host } from '../src/kernel/host.ts'
import { isRefused, type Result } from '../src/kernel/refusal.ts'
import { routes } from './http/routes/index.ts'
import { startHttp } from './http/server.ts'

export type Edge = { listening: { http: string[]; dns: string[] }; close(): Promise<void> }

/** The interfaces of one edge thread: HTTP and DNS. With `reusePort` the system shares connections among the threads. */
export async function startEdge({
  host,
  config,
  reusePort,
}: {
  host: Host
  config: () => Config
  reusePort: boolean
}): Promise<Result<Edge>> {
  const http = await startHttp({ host, config: config(), routes, reusePort })
  if (isRefused(http)) return http
  return {
    listening: { http: http.addresses, dns: [] },
    async close() {
      await http.close()
    },
  }
}
