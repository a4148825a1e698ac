import type { ConnectProxyOptions, ProxySource } from '../cli/connect-proxy-options.ts'
import type { HttpClient } from '../cli/http.ts'
import type { LogLevel } from '../kernel/ports.ts'
import { isRefused } from '../kernel/refusal.ts'
import { pause } from './follow.ts'

type Print = (level: LogLevel, line: string, facts?: Record<string, unknown>) => void

const HEARTBEAT_MS = 10_000
/** The registration is repeated at every third heartbeat, because an agent may have lost it. */
const HEARTBEATS_PER_REGISTRATION = 3

/** Keeps the proxy registered with the agent, with a check that fails when this process dies, until the signal ends it. */
export async function keepRegistered(
  http: HttpClient,
  { id, name }: NonNullable<ConnectProxyOptions['registration']>,
  source: Extract<ProxySource, { mode: 'flags' }>,
  print: Print,
  signal: AbortSignal,
): Promise<void> {
  const checkId = `service:${id}`
  let registered = false
  let known = false
  for (let beat = 0; !signal.aborted; beat++) {
    if (!registered || beat % HEARTBEATS_PER_REGISTRATION === 0) {
      const reply = await http.request('PUT', '/v1/agent/service/register', { body: registrationBody(id, name, source), signal })
      if (isRefused(reply)) {
        if (!signal.aborted) print('warn', 'Failed to register Connect proxy', { error: reply.why })
      } else if (!registered) print('info', 'registered Connect proxy', { 'service-id': id })
      registered = !isRefused(reply)
      known ||= registered
    }
    if (registered) {
      const alive = await http.request('PUT', `/v1/agent/check/pass/${checkId}`, { signal })
      if (isRefused(alive) && !signal.aborted) print('warn', 'Failed to update the check of the Connect proxy', { error: alive.why })
      if (isRefused(alive)) registered = false
    }
    await pause(HEARTBEAT_MS, signal)
  }
  if (!known) return
  const gone = await http.request('PUT', `/v1/agent/service/deregister/${id}`)
  if (isRefused(gone)) print('warn', 'Failed to deregister Connect proxy', { error: gone.why })
}

function registrationBody(id: string, name: string, { service, listener, upstreams }: Extract<ProxySource, { mode: 'flags' }>): object {
  const local = /^(.*):(\d+)$/.exec(listener?.localServiceAddress ?? '')
  return {
    ID: id,
    Name: name,
    Kind: 'connect-proxy',
    ...(listener && listener.bindAddress !== '' && { Address: listener.bindAddress }),
    ...(listener && { Port: listener.bindPort }),
    Proxy: {
      DestinationServiceName: service,
      ...(local && { LocalServiceAddress: local[1]?.replace(/^\[|\]$/g, ''), LocalServicePort: Number(local[2]) }),
      Upstreams: upstreams.map((upstream) => ({
        DestinationType: upstream.destinationType,
        DestinationName: upstream.destinationName,
        LocalBindAddress: upstream.localBindAddress,
        LocalBindPort: upstream.localBindPort,
      })),
    },
    Check: { CheckID: `service:${id}`, Name: 'Connect Proxy Liveness', TTL: '30s' },
  }
}
