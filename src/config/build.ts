import type { AutopilotSettings } from '../../actors/autopilot/commands.ts'
import type { ConfigEntry } from '../../actors/config-entries/entry.ts'
import type { LogLevel } from '../kernel/ports.ts'
import { isRefused } from '../kernel/refusal.ts'

import type { AgentFlagValues } from './agent-flags.ts'
import { buildDefinitions } from './build-definitions.ts'
import { buildEtcd, hasOwnEtcd } from './build-etcd.ts'
import { buildGossip, isNetwork } from './build-gossip.ts'
import { buildAddresses, buildDatacenter, buildDns, buildNode, buildPorts } from './build-network.ts'
import { buildWatches } from './build-watches.ts'
import { fileCaConfig, isCaProvider } from './ca-config.ts'
import type { Config, ConnectConfig, HttpConfig, LogConfig, TelemetryConfig } from './config.ts'
import { configEntryOf } from './entries/index.ts'
import type { ConfigHost } from './host.ts'
import { completed } from './merge.ts'
import { managedProxyConfig } from './proxies.ts'
import type { Purpose } from './read-fields.ts'
import type { Fields } from './schema/fields.ts'
import { configFields, type Settings } from './schema/index.ts'
import type { Sources } from './sources.ts'

/** What a builder needs and where it says what is wrong. */
export type Build = {
  settings: Settings
  flags: AgentFlagValues
  host: ConfigHost
  purpose: Purpose
  problems: string[]
  warnings: string[]
}

/** `definitions` are the problems of services and checks, which are among `problems` too. */
export type Built = { config: Config; problems: string[]; definitions: string[]; warnings: string[] }

/** The configuration that the sources add up to. It only holds if nothing was added to `problems`. Source: config §2. */
export function buildConfig(sources: Sources, flags: AgentFlagValues, host: ConfigHost, purpose: Purpose): Built {
  const settings = completed(configFields, sources.given)
  const build: Build = { settings, flags, host, purpose, problems: [], warnings: [] }
  const devMode = flags.dev === true
  checkServer(build, devMode)
  checkRanges(build)
  const datacenter = buildDatacenter(build)
  const addresses = buildAddresses(build)
  const ports = buildPorts(build, addresses)
  const before = build.problems.length
  const { services, checks } = buildDefinitions(build, sources.places)
  const definitions = build.problems.slice(before)
  if (settings.data_dir === '' && !devMode) build.problems.push('data_dir cannot be empty')
  const config: Config = {
    devMode,
    boot: '',
    server: settings.server,
    bootstrap: settings.server && (!hasOwnEtcd(build) || settings.bootstrap || settings.bootstrap_expect === 1),
    datacenter,
    primaryDatacenter: datacenter,
    node: buildNode(build, addresses),
    dataDir: devMode ? '' : settings.data_dir,
    pidFile: settings.pid_file,
    addresses,
    ports,
    gossip: buildGossip(build, addresses, ports),
    dns: buildDns(build, datacenter),
    http: buildHttp(build),
    unixSockets: settings.unix_sockets,
    limits: {
      httpMaxConnsPerClient: settings.limits.http_max_conns_per_client,
      kvMaxValueSize: settings.limits.kv_max_value_size,
      txnMaxReqLen: settings.limits.txn_max_req_len,
      rpcRate: settings.limits.rpc_rate,
      rpcMaxBurst: settings.limits.rpc_max_burst,
    },
    query: {
      defaultQueryTimeMs: settings.default_query_time,
      maxQueryTimeMs: settings.max_query_time,
      discoveryMaxStaleMs: settings.discovery_max_stale,
    },
    log: buildLog(build),
    checks,
    services,
    check: {
      updateIntervalMs: settings.check_update_interval,
      outputMaxSize: settings.check_output_max_size,
      discardOutput: settings.discard_check_output,
      enableLocalScripts: settings.enable_script_checks || settings.enable_local_script_checks === true,
      enableRemoteScripts: settings.enable_script_checks,
    },
    watches: buildWatches(build, sources.places),
    configEntries: buildConfigEntries(build),
    connect: buildConnect(build),
    autopilot: buildAutopilot(build),
    acl: { enabled: false, defaultPolicy: defaultPolicyOf(build) },
    leave: {
      skipOnInterrupt: settings.skip_leave_on_interrupt ?? settings.server,
      onTerminate: settings.leave_on_terminate ?? !settings.server,
      drainTimeMs: settings.performance.leave_drain_time,
    },
    threads: { threads: threadsOf(build, 'threads'), meshThreads: threadsOf(build, 'mesh-threads') },
    telemetry: buildTelemetry(build),
    etcd: buildEtcd(build, addresses, ports),
    sessionTtlMinMs: settings.session_ttl_min,
    translateWanAddrs: settings.translate_wan_addrs,
    enableDebug: settings.enable_debug,
    disableUpdateCheck: settings.disable_update_check,
    antiEntropy: { intervalMs: 60_000, checkReapIntervalMs: 30_000, checkDeregisterMinMs: 60_000 },
    keys: Object.fromEntries(keysOf(configFields, settings, '')),
  }
  checkMemberName(build, config)
  return { config, problems: build.problems, definitions, warnings: build.warnings }
}

/** Of Serf. */
const MEMBER_NAME_LENGTH_MAX = 128

/** Others know this agent by a name of a bounded length. */
function checkMemberName({ problems }: Build, { gossip, node, datacenter }: Config): void {
  const name = gossip?.wan ? `${node.name}.${datacenter}` : node.name
  if (gossip && name.length > MEMBER_NAME_LENGTH_MAX)
    problems.push(`NodeName is ${name.length} characters. Valid length is between 1 and ${MEMBER_NAME_LENGTH_MAX} characters`)
}

function checkServer(build: Build, devMode: boolean): void {
  const { problems, warnings, settings, purpose } = build
  const { bootstrap, bootstrap_expect: expect, server } = settings
  if (bootstrap && !server) problems.push("'bootstrap = true' requires 'server = true'")
  if (expect > 0 && !server) problems.push("'bootstrap_expect > 0' requires 'server = true'")
  if (expect > 0 && devMode) problems.push("'bootstrap_expect > 0' not allowed in dev mode")
  if (expect > 0 && bootstrap) problems.push("'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive")
  if (expect === 1) warnings.push('BootstrapExpect is set to 1; this is the same as Bootstrap mode.')
  if (expect > 1 && purpose === 'simulate')
    warnings.push('bootstrap_expect: the servers of a simulation are one cluster from the beginning')
  if (expect < 0) problems.push(`bootstrap_expect cannot be ${expect}. Must be greater than or equal to zero`)
  if (server && !bootstrap && expect === 0 && !devMode && purpose !== 'simulate' && settings.log !== 'etcd' && !hasOwnEtcd(build)) {
    warnings.push(
      "neither 'bootstrap' nor 'bootstrap_expect' is set and there is nobody to join: this server starts a cluster by itself and shares it with nobody",
    )
  }
}

function checkRanges({ problems, warnings, settings, flags }: Build): void {
  const { raft_multiplier: multiplier } = settings.performance
  if (multiplier < 1 || multiplier > 10) problems.push(`performance.raft_multiplier cannot be ${multiplier}. Must be between 1 and 10`)
  if (settings.raft_protocol !== 3)
    problems.push(`raft_protocol version ${settings.raft_protocol} is not supported by this version of Consul`)
  for (const key of ['reconnect_timeout', 'reconnect_timeout_wan'] as const) {
    if (settings[key] < RECONNECT_MS_MIN) problems.push(`${key} must be >= 8h0m0s`)
  }
  if (settings.check_output_max_size < 1) problems.push(`check_output_max_size must be positive, got ${settings.check_output_max_size}`)
  const { limits } = settings
  for (const key of ['http_max_conns_per_client', 'kv_max_value_size', 'txn_max_req_len', 'rpc_max_burst'] as const) {
    if (limits[key] < 0) problems.push(`limits.${key} cannot be ${limits[key]}. Must be greater than or equal to zero`)
  }
  const path = settings.ui_content_path === '' ? settings.ui_config.content_path : settings.ui_content_path
  if (/[^A-Za-z0-9_/-]/.test(path)) {
    problems.push(`ui-content-path can only contain alphanumeric, -, _, or /. received: ${JSON.stringify(path)}`)
  }
  if (flags.dev === true && settings.data_dir !== '') warnings.push('data_dir is not used in dev mode, which keeps nothing')
  if (settings.enable_script_checks && settings.http_config.allow_write_http_from.length === 0) {
    warnings.push(
      'enable_script_checks without ACLs and without allow_write_http_from lets everyone who reaches the HTTP port run programs; enable_local_script_checks does not',
    )
  }
}

const RECONNECT_MS_MIN = 8 * 3_600_000

function buildHttp({ problems, settings }: Build): HttpConfig {
  const { http_config: http } = settings
  for (const network of http.allow_write_http_from) {
    if (!isNetwork(network)) problems.push(`http_config.allow_write_http_from: invalid CIDR address: ${network}`)
  }
  for (const host of http.allow_hosts) {
    if (!/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/i.test(host))
      problems.push(`http_config.allow_hosts: ${JSON.stringify(host)} is not the name of a host`)
  }
  if (http.max_header_bytes < 0)
    problems.push(`http_config.max_header_bytes cannot be ${http.max_header_bytes}. Must be greater than or equal to zero`)
  for (const [name, value] of Object.entries(http.response_headers)) {
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(value)) {
      problems.push(`http_config.response_headers: ${JSON.stringify(name)} cannot be sent as a header`)
    }
  }
  return {
    responseHeaders: http.response_headers,
    blockEndpoints: http.block_endpoints,
    allowWriteHttpFrom: http.allow_write_http_from,
    allowHosts: http.allow_hosts,
    maxHeaderBytes: http.max_header_bytes,
    useCache: http.use_cache,
    disableUnprintableCharFilter: settings.disable_http_unprintable_char_filter,
  }
}

function buildLog({ problems, settings }: Build): LogConfig {
  const level = LEVELS.get(settings.log_level.toUpperCase())
  if (level === undefined) problems.push(`Invalid log level: ${settings.log_level}. Valid log levels are: [TRACE DEBUG INFO WARN ERR]`)
  return {
    level: level ?? 'info',
    json: settings.log_json,
    file: settings.log_file,
    rotateBytes: settings.log_rotate_bytes,
    rotateDurationMs: settings.log_rotate_duration,
    rotateMaxFiles: settings.log_rotate_max_files,
  }
}

const LEVELS = new Map<string, LogLevel>([
  ['TRACE', 'trace'],
  ['DEBUG', 'debug'],
  ['INFO', 'info'],
  ['WARN', 'warn'],
  ['ERR', 'error'],
  ['ERROR', 'error'],
])

function buildConfigEntries({ problems, settings }: Build): ConfigEntry[] {
  const written = settings.config_entries.bootstrap ?? []
  return (Array.isArray(written) ? written : [written]).flatMap((value: unknown, position) => {
    const entry = configEntryOf(value)
    if (!isRefused(entry)) return [entry]
    problems.push(`config_entries.bootstrap[${position}]: ${entry.why}`)
    return []
  })
}

function buildAutopilot({ settings: { autopilot } }: Build): AutopilotSettings {
  return {
    cleanupDeadServers: autopilot.cleanup_dead_servers,
    lastContactThresholdMs: autopilot.last_contact_threshold,
    maxTrailingLogs: autopilot.max_trailing_logs,
    minQuorum: autopilot.min_quorum,
    serverStabilizationTimeMs: autopilot.server_stabilization_time,
    redundancyZoneTag: autopilot.redundancy_zone_tag,
    disableUpgradeMigration: autopilot.disable_upgrade_migration,
    upgradeVersionTag: autopilot.upgrade_version_tag,
  }
}

function buildConnect({ problems, settings }: Build): ConnectConfig {
  const { connect } = settings
  const { proxy_defaults: defaults } = connect
  const provider = isCaProvider(connect.ca_provider) ? connect.ca_provider : 'consul'
  if (connect.ca_provider !== provider) problems.push(`${connect.ca_provider} is not a valid CA provider`)
  if (defaults.exec_mode === 'script') problems.push('connect.proxy_defaults.exec_mode "script" is not supported by this version')
  else if (defaults.exec_mode !== 'daemon') problems.push(`invalid exec mode: ${defaults.exec_mode}`)
  managedProxyConfig(defaults.config, problems)
  return {
    // Agents that are no servers have what their servers have.
    enabled: connect.enabled || !settings.server,
    caProvider: provider,
    ca: fileCaConfig(provider, connect.ca_config, problems),
    proxy: {
      allowManagedApiRegistration: connect.proxy.allow_managed_api_registration,
      allowManagedRoot: connect.proxy.allow_managed_root,
    },
    proxyDefaults: {
      execMode: 'daemon',
      daemonCommand: defaults.daemon_command,
      scriptCommand: defaults.script_command,
      config: defaults.config,
    },
  }
}

/** The key from before `acl {}` gives way to the one inside, unless only it was given. */
function defaultPolicyOf({ problems, settings }: Build): 'allow' | 'deny' {
  const policy = settings.acl.default_policy ?? settings.acl_default_policy ?? 'allow'
  if (policy === 'allow' || policy === 'deny') return policy
  problems.push(`acl.default_policy must be "allow" or "deny", got ${JSON.stringify(policy)}`)
  return 'allow'
}

function threadsOf({ problems, flags }: Build, flag: 'threads' | 'mesh-threads'): number {
  const count = flags[flag] ?? -1
  if (count < -1 || count > THREADS_MAX)
    problems.push(`-${flag} must be a whole number up to ${THREADS_MAX}, or -1 for automatic, got ${count}`)
  return count
}

const THREADS_MAX = 256

function buildTelemetry({ problems, warnings, settings }: Build): TelemetryConfig {
  const { telemetry } = settings
  for (const rule of telemetry.prefix_filter) {
    if (rule === '') warnings.push('telemetry.prefix_filter: Cannot have empty filter rule in prefix_filter')
    else if (!/^[+-]/.test(rule))
      warnings.push(`telemetry.prefix_filter: Filter rule must begin with either '+' or '-': ${JSON.stringify(rule)}`)
  }
  for (const key of ['statsd_address', 'statsite_address', 'dogstatsd_addr'] as const) {
    if (telemetry[key] !== '' && !/^.*:\d{1,5}$/.test(telemetry[key])) {
      problems.push(`telemetry.${key} must be an address with a port, got ${JSON.stringify(telemetry[key])}`)
    }
  }
  if (telemetry.prometheus_retention_time < 0) problems.push('telemetry.prometheus_retention_time cannot be negative')
  const withSign = (sign: string) => telemetry.prefix_filter.flatMap((rule) => (rule.startsWith(sign) ? [rule.slice(1)] : []))
  return {
    metricsPrefix: telemetry.metrics_prefix,
    disableHostname: telemetry.disable_hostname,
    filterDefault: telemetry.filter_default,
    allowedPrefixes: withSign('+'),
    blockedPrefixes: withSign('-'),
    prometheusRetentionMs: telemetry.prometheus_retention_time,
    statsdAddress: telemetry.statsd_address,
    statsiteAddress: telemetry.statsite_address,
    dogstatsdAddress: telemetry.dogstatsd_addr,
    dogstatsdTags: telemetry.dogstatsd_tags,
    disableCompat19: telemetry['disable_compat_1.9'],
  }
}

function keysOf(fields: Fields, values: Readonly<Record<string, unknown>>, prefix: string): [string, unknown][] {
  return Object.entries(fields).flatMap(([key, field]) => {
    const value = values[key]
    if (field.type !== 'object') return [[prefix + key, value] as [string, unknown]]
    // A completed object field is an object.
    return keysOf(field.fields, value as Readonly<Record<string, unknown>>, `${prefix}${key}.`)
  })
}
