import type { AgentFacts } from '../actors/local/protocol.ts'
import type { LocalArgs } from '../actors/local/state.ts'
import type { Config } from './config/config.ts'
import { hasCentralConfig, managedProxyDefaults } from './connect-args.ts'
import { COMPATIBLE_VERSION, VERSION } from './version.ts'

/** What the agent's own registrations begin with. */
export function localArgs(config: Config): LocalArgs {
  const { services, checks, ports, check, connect, antiEntropy } = config
  return {
    facts: agentFacts(config),
    boot: config.boot,
    services: [...services],
    checks: [...checks],
    sidecarPorts: { from: ports.sidecarMinPort, to: ports.sidecarMaxPort },
    checkUpdateIntervalMs: check.updateIntervalMs,
    discardCheckOutput: check.discardOutput,
    checkOutputMaxSize: check.outputMaxSize,
    localScripts: check.enableLocalScripts,
    remoteScripts: check.enableRemoteScripts,
    allowManagedApiRegistration: connect.proxy.allowManagedApiRegistration,
    proxyDefaults: managedProxyDefaults(config),
    centralConfig: hasCentralConfig(config),
    syncIntervalMs: antiEntropy.intervalMs,
    reapIntervalMs: antiEntropy.checkReapIntervalMs,
    deregisterMinMs: antiEntropy.checkDeregisterMinMs,
  }
}

export function agentFacts(config: Config): AgentFacts {
  const { node, datacenter, primaryDatacenter, server, addresses, ports, gossip } = config
  return {
    node: node.name,
    nodeId: node.id,
    datacenter,
    primaryDatacenter,
    server,
    address: addresses.advertise,
    taggedAddresses: { ...node.taggedAddresses },
    nodeMeta: { ...node.meta },
    ports: { server: ports.server, serfLan: ports.serfLan, serfWan: ports.serfWan, dns: ports.dns, http: ports.http, grpc: ports.grpc },
    isEncrypted: gossip !== undefined && gossip.key !== '',
    version: VERSION,
    compatibleVersion: COMPATIBLE_VERSION,
    debugConfig: debugConfig(config),
  }
}

/** The configuration under the names that clients look for. Secrets are left out. */
function debugConfig(config: Config): Record<string, unknown> {
  const { node, addresses, ports, dns, limits, check, connect, log } = config
  return {
    ACLsEnabled: config.acl.enabled,
    AdvertiseAddrLAN: addresses.advertise,
    AdvertiseAddrWAN: addresses.advertiseWan,
    BindAddr: addresses.bind,
    Bootstrap: config.bootstrap,
    CheckOutputMaxSize: check.outputMaxSize,
    ClientAddrs: [...addresses.client],
    ConnectCAProvider: connect.caProvider,
    ConnectEnabled: connect.enabled,
    ConnectSidecarMaxPort: ports.sidecarMaxPort,
    ConnectSidecarMinPort: ports.sidecarMinPort,
    DNSAddrs: addresses.dns.map((address) => `tcp://${address}:${ports.dns}`),
    DNSDomain: dns.domain,
    DNSPort: ports.dns,
    DataDir: config.dataDir,
    Datacenter: config.datacenter,
    DevMode: config.devMode,
    DiscardCheckOutput: check.discardOutput,
    EnableDebug: config.enableDebug,
    EnableLocalScriptChecks: check.enableLocalScripts,
    EnableRemoteScriptChecks: check.enableRemoteScripts,
    GRPCPort: ports.grpc,
    HTTPAddrs: addresses.http.map((address) => (address.startsWith('unix:') ? address : `tcp://${address}:${ports.http}`)),
    HTTPPort: ports.http,
    HTTPSPort: ports.https,
    KVMaxValueSize: limits.kvMaxValueSize,
    Logging: { LogLevel: log.level.toUpperCase(), LogJSON: log.json },
    NodeID: node.id,
    NodeMeta: { ...node.meta },
    NodeName: node.name,
    PrimaryDatacenter: config.primaryDatacenter,
    SerfPortLAN: ports.serfLan,
    SerfPortWAN: ports.serfWan,
    ServerMode: config.server,
    ServerPort: ports.server,
    TaggedAddresses: { ...node.taggedAddresses },
    Version: COMPATIBLE_VERSION,
  }
}
