import type { Fields } from './fields.ts'

export const connectFields = {
  enabled: { type: 'boolean' },
  ca_provider: { type: 'string', default: 'consul' },
  ca_config: { type: 'opaque' },
  enable_mesh_gateway_wan_federation: { type: 'boolean', now: 'refused' },
  proxy: {
    type: 'object',
    fields: { allow_managed_api_registration: { type: 'boolean' }, allow_managed_root: { type: 'boolean' } },
  },
  proxy_defaults: {
    type: 'object',
    fields: {
      exec_mode: { type: 'string', default: 'daemon' },
      daemon_command: { type: 'strings' },
      script_command: { type: 'strings' },
      config: { type: 'opaque' },
    },
  },
} as const satisfies Fields

export const portsFields = {
  dns: { type: 'port', default: 8600, flag: 'dns-port' },
  http: { type: 'port', default: 8500, flag: 'http-port' },
  https: { type: 'port', default: -1, flag: 'https-port', now: 'refused' },
  grpc: { type: 'port', default: -1, flag: 'grpc-port', now: 'refused' },
  serf_lan: { type: 'port', default: 8301, flag: 'serf-lan-port' },
  serf_wan: { type: 'port', default: 8302, flag: 'serf-wan-port' },
  server: { type: 'port', default: 8300, flag: 'server-port' },
  sidecar_min_port: { type: 'int', default: 21000 },
  sidecar_max_port: { type: 'int', default: 21255 },
  expose_min_port: { type: 'int', default: 21500 },
  expose_max_port: { type: 'int', default: 21755 },
  proxy_min_port: { type: 'int', default: 20000 },
  proxy_max_port: { type: 'int', default: 20255 },
} as const satisfies Fields

export const dnsFields = {
  allow_stale: { type: 'boolean', default: true, reloadable: 'dns' },
  max_stale: { type: 'duration', default: '87600h', reloadable: 'dns' },
  node_ttl: { type: 'duration', reloadable: 'dns' },
  service_ttl: { type: 'durations', reloadable: 'dns' },
  enable_truncate: { type: 'boolean', reloadable: 'dns' },
  only_passing: { type: 'boolean', reloadable: 'dns' },
  recursor_timeout: { type: 'duration', default: '2s', reloadable: 'dns' },
  disable_compression: { type: 'boolean', reloadable: 'dns' },
  udp_answer_limit: { type: 'int', default: 3, reloadable: 'dns' },
  a_record_limit: { type: 'int', reloadable: 'dns' },
  enable_additional_node_meta_txt: { type: 'boolean', default: true, reloadable: 'dns' },
  use_cache: { type: 'boolean', reloadable: 'dns' },
  cache_max_age: { type: 'duration', reloadable: 'dns' },
  prefer_namespace: { type: 'anything', now: 'enterprise' },
  soa: {
    type: 'object',
    fields: {
      refresh: { type: 'int', default: 3600, reloadable: 'dns' },
      retry: { type: 'int', default: 600, reloadable: 'dns' },
      expire: { type: 'int', default: 86400, reloadable: 'dns' },
      min_ttl: { type: 'int', reloadable: 'dns' },
    },
  },
} as const satisfies Fields

export const httpFields = {
  block_endpoints: { type: 'strings' },
  allow_write_http_from: { type: 'strings', flag: 'allow-write-http-from' },
  response_headers: { type: 'texts' },
  use_cache: { type: 'boolean', default: true },
  max_header_bytes: { type: 'int' },
  allow_hosts: { type: 'strings', now: 'own' },
} as const satisfies Fields

export const limitsFields = {
  http_max_conns_per_client: { type: 'int', default: 200, reloadable: 'limits' },
  https_handshake_timeout: { type: 'duration', default: '5s', now: 'harmless' },
  rpc_handshake_timeout: { type: 'duration', default: '5s', now: 'harmless' },
  rpc_max_burst: { type: 'int', default: 1000, reloadable: 'limits' },
  rpc_max_conns_per_client: { type: 'int', default: 100, now: 'harmless', reloadable: 'limits' },
  rpc_rate: { type: 'float', default: -1, reloadable: 'limits' },
  kv_max_value_size: { type: 'int', default: 524288 },
  txn_max_req_len: { type: 'int', default: 524288 },
} as const satisfies Fields
