import { isIP, isIPv6 } from 'node:net'
import type { ConnectInstance } from '../../actors/feeds/protocol.ts'
import type { UpstreamArgs } from '../../actors/proxy/protocol.ts'
import { serviceUri } from '../../actors/spiffe.ts'
import type { ProxyPlan } from '../connect-proxy/translate.ts'
import { type Refusal, type Result, refuse } from '../kernel/refusal.ts'

/** Where HAProxy finds what changes while it runs, all in one folder of this user's. */
export type Paths = { lua: string; leaf: string; roots: string; access: string; control: string; alive: string }

export type Identity = { trustDomain: string; datacenter: string }
/** A server of an upstream, in a place that stays its own: `instance` is absent while nobody is there. */
export type Slot = { name: string; instance: ConnectInstance | undefined }

export type Settings = {
  plan: ProxyPlan
  identity: Identity
  paths: Paths
  /** For each upstream, in its order. */
  slots: readonly (readonly Slot[])[]
}

/** The certificate that HAProxy shows, the ciphers of connect §8, and nothing of a handshake that would outlive certificate or roots. */
const TLS_DEFAULTS = [
  'ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets',
  'ssl-default-server-options ssl-min-ver TLSv1.2 no-tls-tickets',
  ...['bind', 'server'].map(
    (side) =>
      `ssl-default-${side}-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305`,
  ),
  'tune.ssl.cachesize 0',
]
/** The longest time that HAProxy knows: connections of the mesh may be silent. */
const IDLE = '24d'
const LOG = '%ci:%cp %ft %b/%s %ts %Tt'

/** What HAProxy cannot do of what a proxy was told; undefined if it can do all of it. */
export function planFault({ inbound, upstreams, drainMs }: ProxyPlan): Refusal | undefined {
  const unfit = (path: string, why: string) => refuse('invalid', `${path}: ${why}; the proxy of the agent does it`)
  for (const [position, { query, ejection, socketPath = '' }] of upstreams.entries()) {
    const path = `Proxy.Upstreams[${position}]`
    if (query) return unfit(`${path}.DestinationType`, 'HAProxy is not led by prepared queries')
    if (ejection) return unfit(`${path}.Config.passive_health_check`, 'HAProxy does not leave instances out for the agent')
    if (!isPlain(socketPath)) return unfit(`${path}.LocalBindSocketPath`, 'has characters that do not go into a configuration of HAProxy')
  }
  if (!isPlain(inbound?.localSocketPath ?? '')) return unfit('Proxy.LocalServiceSocketPath', 'has characters that HAProxy does not take')
  if (!isPlain(`${inbound?.address}${inbound?.localHost}`)) return unfit('Address', 'has characters that HAProxy does not take')
  if (drainMs) return unfit('Proxy.Config.drain_ms', 'HAProxy ends with its connections')
  return undefined
}

function isPlain(text: string): boolean {
  return /^[\w./:@%+-]*$/.test(text)
}

/** The whole configuration. Every text that is not of this program's making was looked at by `planFault`, or is encoded. */
export function configurationOf({ plan, identity, paths, slots }: Settings): string {
  const { service, inbound, upstreams } = plan
  const global = [
    'log stdout format raw local0 info',
    `stats socket ${paths.control} mode 600 level admin expose-fd listeners`,
    'stats timeout 1h',
    // With several, HAProxy 2.6 now and then forgets a connection that waits for the identity of its server: it hangs for ever.
    'nbthread 1',
    `lua-load ${paths.lua}`,
    ...TLS_DEFAULTS,
  ]
  const defaults = [
    'mode tcp',
    'log global',
    'option dontlog-normal',
    `log-format "${LOG}"`,
    'balance random',
    'retries 2',
    'option redispatch 1',
  ]
  return [
    section('global', global),
    section('defaults', [...defaults, `timeout client ${IDLE}`, `timeout server ${IDLE}`, `timeout tunnel ${IDLE}`, 'timeout connect 10s']),
    ...(inbound ? [publicSide(service, inbound, paths)] : []),
    ...upstreams.map((upstream, position) => upstreamSide(upstream, position, identity, paths, slots[position] ?? [])),
  ].join('\n')
}

/** The names of all that take connections. */
export function frontendsOf({ inbound, upstreams }: ProxyPlan): string[] {
  return [...(inbound ? [PUBLIC] : []), ...upstreams.map((_upstream, position) => backendOf(position))]
}

const PUBLIC = 'public'

/** The name of an upstream's backend: names of services may have any character. */
export function backendOf(position: number): string {
  return `upstream_${position + 1}`
}

/** Where one more instance may go: names of hosts are for whoever runs HAProxy to look up. */
export function placeOf({ address, port }: ConnectInstance): Result<{ address: string; port: number }> {
  return isIP(address) === 0 ? refuse('invalid', `${JSON.stringify(address)} is not an IP address`) : { address, port }
}

type Inbound = NonNullable<ProxyPlan['inbound']>

function publicSide(service: string, inbound: Inbound, { leaf, roots }: Paths): string {
  const { address, port, handshakeMs, localHost, localPort, localSocketPath, connectWithinMs, connectionsMax, perSecondMax, sendProxy } =
    inbound
  const target = localSocketPath === '' ? hostPort(localHost, localPort) : `unix@${localSocketPath}`
  return section(`listen ${PUBLIC}`, [
    `# ${JSON.stringify(service.replace(/[^\w.-]/g, '?'))}`,
    `bind ${hostPort(address, port)} ssl crt ${leaf} ca-file ${roots} verify required`,
    // Until a connection is admitted; then the time for tunnels holds.
    `timeout client ${handshakeMs}`,
    `timeout connect ${connectWithinMs}`,
    `log-format "${LOG} source=%[var(sess.mesh_source)] verdict=%[var(sess.mesh_verdict)]"`,
    'error-log-format "mesh-handshake %ci:%cp %[ssl_fc_err_str]"',
    ...(connectionsMax ? [`tcp-request connection reject if { fe_conn gt ${connectionsMax} }`] : []),
    ...(perSecondMax ? [`tcp-request connection reject if { fe_sess_rate gt ${perSecondMax} }`] : []),
    'option dontlognull',
    'tcp-request content lua.mesh_admit',
    'tcp-request content reject unless { var(sess.mesh_verdict) -m str allow }',
    `server application ${target}${sendProxy ? ' send-proxy-v2' : ''}`,
  ])
}

function upstreamSide(
  { service, address, port, socketPath, socketMode, connectWithinMs, connectionsMax }: UpstreamArgs,
  position: number,
  identity: Identity,
  { leaf, roots }: Paths,
  slots: readonly Slot[],
): string {
  const mode = socketMode === undefined ? '' : ` mode ${socketMode.toString(8)}`
  const servers = slots.map(({ name, instance }) => {
    const place = instance ? hostPort(instance.address, instance.port) : '127.0.0.1:1'
    const state = instance ? ` weight ${weightOf(instance)}` : ' disabled'
    return `server ${name} ${place} ssl crt ${leaf} ca-file ${roots} verify required no-ssl-reuse${state}`
  })
  return section(`listen ${backendOf(position)}`, [
    `bind ${socketPath ? `unix@${socketPath}${mode}` : hostPort(address, port)}`,
    `timeout connect ${connectWithinMs}`,
    ...(connectionsMax ? [`tcp-request connection reject if { fe_conn gt ${connectionsMax} }`] : []),
    `filter lua.mesh_identity ${serviceUri({ ...identity, service })}`,
    ...servers,
  ])
}

/** From 1 to 256. */
export function weightOf({ weight }: ConnectInstance): number {
  return Math.min(256, Math.max(1, Math.trunc(weight)))
}

function hostPort(host: string, port: number): string {
  const plain = host.replace(/^\[|\]$/g, '')
  return isIPv6(plain) ? `[${plain}]:${port}` : `${plain}:${port}`
}

function section(title: string, lines: readonly string[]): string {
  return `${title}\n${lines.map((line) => `  ${line}\n`).join('')}`
}
