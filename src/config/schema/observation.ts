import type { Fields } from './fields.ts'

export const telemetryFields = {
  circonus_api_app: { type: 'string', now: 'harmless' },
  circonus_api_token: { type: 'string', now: 'refused' },
  circonus_api_url: { type: 'string', now: 'harmless' },
  circonus_broker_id: { type: 'string', now: 'harmless' },
  circonus_broker_select_tag: { type: 'string', now: 'harmless' },
  circonus_check_display_name: { type: 'string', now: 'harmless' },
  circonus_check_force_metric_activation: { type: 'string', now: 'harmless' },
  circonus_check_id: { type: 'string', now: 'harmless' },
  circonus_check_instance_id: { type: 'string', now: 'harmless' },
  circonus_check_search_tag: { type: 'string', now: 'harmless' },
  circonus_check_tags: { type: 'string', now: 'harmless' },
  circonus_submission_interval: { type: 'string', now: 'harmless' },
  circonus_submission_url: { type: 'string', now: 'refused' },
  'disable_compat_1.9': { type: 'boolean' },
  disable_hostname: { type: 'boolean' },
  dogstatsd_addr: { type: 'string' },
  dogstatsd_tags: { type: 'strings' },
  filter_default: { type: 'boolean', default: true, reloadable: 'telemetry filters' },
  prefix_filter: { type: 'strings', reloadable: 'telemetry filters' },
  metrics_prefix: { type: 'string', default: 'consul' },
  prometheus_retention_time: { type: 'duration' },
  statsd_address: { type: 'string' },
  statsite_address: { type: 'string' },
} as const satisfies Fields

export const uiFields = {
  enabled: { type: 'boolean', flag: 'ui', now: 'refused' },
  dir: { type: 'string', flag: 'ui-dir', now: 'refused' },
  content_path: { type: 'string', default: '/ui/', flag: 'ui-content-path', now: 'harmless' },
  metrics_provider: { type: 'string', now: 'harmless' },
  metrics_provider_files: { type: 'strings', now: 'harmless' },
  metrics_provider_options_json: { type: 'string', now: 'harmless' },
  metrics_proxy: {
    type: 'object',
    fields: {
      base_url: { type: 'string', now: 'harmless' },
      add_headers: { type: 'list', now: 'harmless', of: { name: { type: 'string' }, value: { type: 'string' } } },
      path_allowlist: { type: 'strings', now: 'harmless' },
    },
  },
  dashboard_url_templates: { type: 'texts', now: 'harmless' },
} as const satisfies Fields

export const logFields = {
  log_level: { type: 'string', default: 'INFO', flag: 'log-level', reloadable: 'log level' },
  log_json: { type: 'boolean', flag: 'log-json' },
  log_file: { type: 'string', flag: 'log-file' },
  log_rotate_bytes: { type: 'int', flag: 'log-rotate-bytes' },
  log_rotate_duration: { type: 'duration', default: '24h', flag: 'log-rotate-duration' },
  log_rotate_max_files: { type: 'int', flag: 'log-rotate-max-files' },
  enable_syslog: { type: 'boolean', flag: 'syslog', now: 'refused' },
  syslog_facility: { type: 'string', default: 'LOCAL0', now: 'harmless' },
} as const satisfies Fields

/** A watch runs a program or calls a URL when an answer changes. */
export const watchFields = {
  type: { type: 'string' },
  key: { type: 'string' },
  prefix: { type: 'string' },
  service: { type: 'string' },
  /** One tag or a list of them. */
  tag: { type: 'anything' },
  passingonly: { type: 'boolean' },
  state: { type: 'string' },
  name: { type: 'string' },
  service_id: { type: 'string' },
  proxy_service_id: { type: 'string' },
  datacenter: { type: 'string' },
  token: { type: 'string' },
  stale: { type: 'boolean' },
  handler_type: { type: 'string', default: 'script' },
  handler: { type: 'string' },
  args: { type: 'strings' },
  http_handler_config: {
    type: 'object',
    fields: {
      path: { type: 'string' },
      method: { type: 'string', default: 'POST' },
      timeout: { type: 'duration', default: '10s' },
      header: { type: 'text lists' },
      tls_skip_verify: { type: 'boolean' },
    },
  },
} as const satisfies Fields
