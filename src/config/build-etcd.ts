import type { Build } from './build.ts'
import type { AddressesConfig, EtcdConfig, OwnEtcdConfig, PortsConfig } from './config.ts'

/** Where the servers' common log is, if they have one. */
export function buildEtcd(build: Build, addresses: AddressesConfig, ports: PortsConfig): EtcdConfig | undefined {
  const { problems, settings } = build
  const { log, etcd } = settings
  const holdMs = settings.performance.rpc_hold_timeout
  const written = etcd.endpoints.flatMap((text) => text.split(',')).filter((text) => text !== '')
  if (written.length === 0 && hasOwnEtcd(build)) {
    if (etcd.ca_file + etcd.cert_file + etcd.key_file !== '') problems.push('etcd.ca_file, cert_file and key_file go with etcd.endpoints')
    return { own: ownEtcd(build, addresses, ports), endpoints: [], caFile: '', certFile: '', keyFile: '', holdMs }
  }
  if (log !== 'local' && log !== 'etcd') problems.push(`log must be "local" or "etcd", got ${JSON.stringify(log)}`)
  if (log !== 'etcd') {
    if (written.length > 0) problems.push('etcd.endpoints are used only with log = "etcd"')
    return undefined
  }
  if (written.length === 0) problems.push('log = "etcd" requires etcd.endpoints')
  if ((etcd.cert_file === '') !== (etcd.key_file === '')) problems.push('etcd.cert_file and etcd.key_file are given together or not at all')
  const endpoints = written.flatMap((text) => {
    const endpoint = endpointOf(text)
    if (endpoint) return [endpoint]
    problems.push(`etcd.endpoints: ${JSON.stringify(text)} is not an address such as https://10.0.0.1:2379`)
    return []
  })
  return { own: undefined, endpoints, caFile: etcd.ca_file, certFile: etcd.cert_file, keyFile: etcd.key_file, holdMs }
}

/** Whether this agent is one of several servers, and is to look after the etcd that it shares with the others. */
export function hasOwnEtcd({ settings, flags, purpose }: Pick<Build, 'settings' | 'flags' | 'purpose'>): boolean {
  const { server, bootstrap, bootstrap_expect: expect, log, etcd } = settings
  if (!server || flags.dev === true || purpose === 'simulate' || etcd.endpoints.length > 0) return false
  const joins = !bootstrap && expect === 0 && settings.retry_join.length + settings.start_join.length > 0
  return log === 'etcd' || expect > 1 || joins
}

function ownEtcd(
  { problems, warnings, settings }: Build,
  { bind, advertise }: AddressesConfig,
  { server, serfLan }: PortsConfig,
): OwnEtcdConfig {
  const { bootstrap, bootstrap_expect: expect } = settings
  if (serfLan < 1) problems.push('ports.serf_lan: servers that share their state find each other by it, it cannot be switched off')
  if (server < 1) problems.push('ports.server: servers that share their state need it, it cannot be switched off')
  if (expect > 1) warnings.push(`bootstrap_expect > 0: expecting ${expect} servers`)
  if (expect === 2) warnings.push('bootstrap_expect = 2: a cluster with 2 servers stands still when one of them is away')
  else if (expect > 0 && expect % 2 === 0) {
    warnings.push(`bootstrap_expect is even: a cluster of ${expect} servers does not outlive more of them than one of ${expect - 1}`)
  }
  return { expect: bootstrap ? 1 : expect, bind, advertise, port: server }
}

const PORT_DEFAULT = 2379

/** `https://host:port`, `http://host:port` or `host:port`, which is http. Nothing else may follow but a slash. */
function endpointOf(text: string): EtcdConfig['endpoints'][number] | undefined {
  const [, scheme = 'http', bracketed, plain, port] =
    /^(?:(https?):\/\/)?(?:\[([0-9a-fA-F:.%]+)\]|([\w.-]+))(?::(\d{1,5}))?\/?$/.exec(text) ?? []
  const host = bracketed ?? plain
  const number = port === undefined ? PORT_DEFAULT : Number(port)
  return host === undefined || number < 1 || number > 65_535 ? undefined : { host, port: number, tls: scheme === 'https' }
}
