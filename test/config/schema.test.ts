import test from 'ava'
import { agentFlags } from '../../src/config/agent-flags.ts'
import { parseDuration } from '../../src/config/durations.ts'
import type { Field, Fields, LeafType } from '../../src/config/schema/fields.ts'
import { configFields } from '../../src/config/schema/index.ts'
import { apiServiceFields } from '../../src/config/schema/services.ts'
import { isRefused } from '../../src/kernel/refusal.ts'

const KEYS = new Map([...keysOf(configFields, ''), ...keysOf(apiServiceFields, 'api.')])

test('every default is a value of its type', (t) => {
  const isDefaultOf: Record<LeafType, (value: unknown) => boolean> = {
    string: (value) => typeof value === 'string',
    boolean: (value) => typeof value === 'boolean',
    int: Number.isSafeInteger,
    port: Number.isSafeInteger,
    float: (value) => typeof value === 'number',
    duration: (value) => typeof value === 'string' && !isRefused(parseDuration(value)),
    strings: Array.isArray,
    texts: (value) => typeof value === 'object',
    'text lists': () => false,
    durations: () => false,
    opaque: () => false,
    anything: () => false,
  }
  const wrong = [...KEYS].flatMap(([path, field]) =>
    'default' in field && field.default !== undefined && !isDefaultOf[field.type](field.default) ? [path] : [],
  )
  t.deepEqual(wrong, [])
})

test('flags and keys name each other', (t) => {
  const ofKeys = [...KEYS].flatMap(([path, { flag }]) => (flag === undefined ? [] : [`-${flag} ${path}`]))
  const ofFlags = Object.entries(agentFlags).flatMap(([name, flag]) => ('key' in flag ? [`-${name} ${flag.key}`] : []))
  t.deepEqual(ofKeys.sort(), ofFlags.sort())
})

test('no spelling means two keys', (t) => {
  const tables: [string, Fields][] = [['', configFields], ...tablesOf(configFields, ''), ...tablesOf(apiServiceFields, 'api.')]
  const twice = tables.flatMap(([path, fields]) =>
    (['aliases', 'apiAliases'] as const).flatMap((kind) => {
      const spellings = Object.entries(fields).flatMap(([name, field]) => [
        kind === 'aliases' ? name : name.replaceAll('_', ''),
        ...(field[kind] ?? []),
      ])
      const repeated = spellings.filter((one, index) => spellings.indexOf(one) !== index)
      return repeated.map((one) => `${path}${one} (${kind})`)
    }),
  )
  t.deepEqual(twice, [])
})

/** The keys of the reference, by their paths. */
const REFERENCE = `acl_agent_master_token acl_agent_token acl_token acl_master_token acl_replication_token acl_datacenter
acl_default_policy acl_down_policy acl_enable_key_list_policy acl_ttl enable_acl_replication acl_enforce_version_8
acl.enabled acl.default_policy acl.down_policy acl.token_ttl acl.policy_ttl acl.role_ttl acl.enable_key_list_policy
acl.enable_token_replication acl.enable_token_persistence acl.tokens.master acl.tokens.replication acl.tokens.agent_master
acl.tokens.default acl.tokens.agent addresses.dns addresses.http addresses.https addresses.grpc advertise_addr
advertise_addr_ipv4 advertise_addr_ipv6 advertise_addr_wan advertise_addr_wan_ipv4 advertise_addr_wan_ipv6
advertise_reconnect_timeout alt_domain auto_config.enabled auto_config.intro_token auto_config.authorization.static.bound_issuer
auto_encrypt.tls auto_encrypt.allow_tls auto_encrypt.dns_san auto_encrypt.ip_san autopilot.cleanup_dead_servers
autopilot.last_contact_threshold autopilot.max_trailing_logs autopilot.min_quorum autopilot.server_stabilization_time
autopilot.disable_upgrade_migration autopilot.redundancy_zone_tag autopilot.upgrade_version_tag bind_addr bootstrap
bootstrap_expect cache.entry_fetch_max_burst cache.entry_fetch_rate ca_file ca_path cert_file key_file checks
check_output_max_size check_update_interval client_addr config_entries.bootstrap connect.enabled connect.ca_provider
connect.ca_config connect.enable_mesh_gateway_wan_federation connect.proxy.allow_managed_api_registration
connect.proxy.allow_managed_root connect.proxy_defaults.exec_mode connect.proxy_defaults.daemon_command
connect.proxy_defaults.script_command connect.proxy_defaults.config data_dir datacenter default_query_time
disable_anonymous_signature disable_update_check disable_coordinates disable_host_node_id disable_http_unprintable_char_filter
disable_keyring_file disable_remote_exec discard_check_output discovery_max_stale dns_config.allow_stale dns_config.max_stale
dns_config.node_ttl dns_config.service_ttl dns_config.enable_truncate dns_config.only_passing dns_config.recursor_timeout
dns_config.disable_compression dns_config.udp_answer_limit dns_config.a_record_limit
dns_config.enable_additional_node_meta_txt dns_config.soa.refresh dns_config.soa.retry dns_config.soa.expire
dns_config.soa.min_ttl dns_config.use_cache dns_config.cache_max_age domain enable_agent_tls_for_checks
enable_central_service_config enable_debug enable_local_script_checks enable_script_checks enable_syslog syslog_facility encrypt
encrypt_verify_incoming encrypt_verify_outgoing gossip_lan.gossip_nodes gossip_lan.gossip_interval gossip_lan.probe_interval
gossip_lan.probe_timeout gossip_lan.suspicion_mult gossip_lan.retransmit_mult gossip_wan.gossip_nodes
http_config.block_endpoints http_config.allow_write_http_from http_config.response_headers http_config.use_cache
http_config.max_header_bytes leave_on_terminate limits.http_max_conns_per_client limits.https_handshake_timeout
limits.rpc_handshake_timeout limits.rpc_max_burst limits.rpc_max_conns_per_client limits.rpc_rate limits.kv_max_value_size
limits.txn_max_req_len log_level log_json log_file log_rotate_bytes log_rotate_duration log_rotate_max_files max_query_time
node_id node_meta node_name performance.leave_drain_time performance.raft_multiplier performance.rpc_hold_timeout pid_file
ports.dns ports.http ports.https ports.grpc ports.serf_lan ports.serf_wan ports.server ports.sidecar_min_port
ports.sidecar_max_port ports.expose_min_port ports.expose_max_port ports.proxy_min_port ports.proxy_max_port
primary_datacenter primary_gateways primary_gateways_interval protocol raft_protocol raft_snapshot_threshold
raft_snapshot_interval raft_trailing_logs read_replica reconnect_timeout reconnect_timeout_wan recursors rejoin_after_leave
retry_interval retry_interval_wan retry_join retry_join_wan retry_max retry_max_wan rpc.enable_streaming segment segments
serf_lan serf_wan serf_lan_allowed_cidrs serf_wan_allowed_cidrs server server_name services session_ttl_min
skip_leave_on_interrupt start_join start_join_wan tagged_addresses telemetry.circonus_api_token telemetry.disable_compat_1.9
telemetry.disable_hostname telemetry.dogstatsd_addr telemetry.dogstatsd_tags telemetry.filter_default telemetry.prefix_filter
telemetry.metrics_prefix telemetry.prometheus_retention_time telemetry.statsd_address telemetry.statsite_address
tls_cipher_suites tls_min_version tls_prefer_server_cipher_suites translate_wan_addrs ui ui_dir ui_content_path
ui_config.enabled ui_config.dir ui_config.content_path ui_config.metrics_provider ui_config.metrics_provider_files
ui_config.metrics_provider_options_json ui_config.metrics_proxy.base_url ui_config.metrics_proxy.add_headers
ui_config.metrics_proxy.path_allowlist ui_config.dashboard_url_templates unix_sockets.user unix_sockets.group unix_sockets.mode
use_streaming_backend verify_incoming verify_incoming_rpc verify_incoming_https verify_outgoing verify_server_hostname watches
license_path audit snapshot_agent`

test('every key of the reference is in the tables', (t) => {
  t.deepEqual(
    REFERENCE.split(/\s+/).filter((key) => !KEYS.has(key)),
    [],
  )
})

function keysOf(fields: Fields, prefix: string): [string, Field][] {
  return Object.entries(fields).flatMap(([name, field]): [string, Field][] => {
    const own: [string, Field] = [prefix + name, field]
    if (field.type === 'object') return [own, ...keysOf(field.fields, `${prefix}${name}.`)]
    return field.type === 'list' || field.type === 'map' ? [own, ...keysOf(field.of, `${prefix}${name}[].`)] : [own]
  })
}

function tablesOf(fields: Fields, prefix: string): [string, Fields][] {
  return Object.entries(fields).flatMap(([name, field]): [string, Fields][] => {
    const inner = field.type === 'object' ? field.fields : field.type === 'list' || field.type === 'map' ? field.of : undefined
    return inner === undefined ? [] : [[`${prefix}${name}.`, inner], ...tablesOf(inner, `${prefix}${name}.`)]
  })
}
