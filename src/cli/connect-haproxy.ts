import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { proxyFor, withProxyToken } from './connect-proxy.ts'
import { parseLogLevel } from './connect-proxy-options.ts'
import type { HttpClient } from './http.ts'
import type { Io } from './io.ts'

export const connectHaproxyCommand = defineApiCommand({
  summary: 'Run HAProxy as a sidecar',
  usage: 'connect haproxy [options]',
  about: `
Runs HAProxy (2.5 or newer, with Lua) as the proxy of a service until it is stopped, and keeps its certificates, roots, instances and who may connect up to date. It takes connections for the service over mutual TLS if intentions allow them, and opens connections to other services.

To run the proxy that is registered for a service of the agent:

    $ tribune connect haproxy -sidecar-for=web

To have the agent start it, name it as the command of a managed proxy:

    connect { proxy { command = ["tribune", "connect", "haproxy"] } }
`,
  answers: 'servers',
  flags: {
    'haproxy-binary': { kind: 'string', about: 'Path of HAProxy. The default is "haproxy", looked for in PATH.' },
    'log-level': {
      kind: 'string',
      about: 'Least important lines to log: "trace", "debug", "info", "warn" or "err". The default is "info".',
    },
    'proxy-id': {
      kind: 'string',
      about: "ID of the proxy's own service with the agent, which has its configuration. Also CONNECT_PROXY_ID.",
    },
    'sidecar-for': {
      kind: 'string',
      about: 'ID of a service of the agent; the proxy is the one that is registered for it. Also CONNECT_SIDECAR_FOR.',
    },
  },
  async run({ flags, rest, io, http: plain, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const logLevel = parseLogLevel(flags['log-level'] ?? 'info')
    if (isRefused(logLevel)) return misused(logLevel.why)
    const http = withProxyToken(plain, io.env)
    const proxyId = await proxyIdOf(flags['proxy-id'], flags['sidecar-for'], http, io)
    if (isRefused(proxyId)) return fail(`==> Error preparing configuration: ${proxyId.why}`)
    io.out('==> HAProxy as a sidecar starting...')
    io.out(`              Proxy ID: ${proxyId.found}`)
    io.out('\n==> Log data will now stream in as it occurs:\n')
    const { runConnectHaproxy } = await import('../connect-haproxy.ts')
    const code = await runConnectHaproxy({ proxyId: proxyId.found, binary: flags['haproxy-binary'] || 'haproxy', logLevel, http }, io)
    io.out('==> HAProxy shutdown')
    return code
  },
})

async function proxyIdOf(
  given: string | undefined,
  serviceId: string | undefined,
  http: HttpClient,
  { env }: Io,
): Promise<Result<{ found: string }>> {
  const id = given || env['CONNECT_PROXY_ID'] || ''
  if (id !== '') return { found: id }
  const service = serviceId || env['CONNECT_SIDECAR_FOR'] || ''
  return service === '' ? refuse('invalid', '-sidecar-for or -proxy-id must say which proxy this is.') : proxyFor(service, http)
}
