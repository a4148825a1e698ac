import type { Fields } from './fields.ts'

/** What a check looks at and how often. */
const checkKinds = {
  args: { type: 'strings', aliases: ['script_args', 'scriptargs'], apiAliases: ['scriptargs', 'script_args'] },
  http: { type: 'string' },
  header: { type: 'text lists' },
  method: { type: 'string', default: 'GET' },
  body: { type: 'string' },
  disable_redirects: { type: 'boolean', apiAliases: ['disable_redirects'] },
  tcp: { type: 'string' },
  ttl: { type: 'duration' },
  interval: { type: 'duration' },
  timeout: { type: 'duration' },
  alias_node: { type: 'string' },
  alias_service: { type: 'string' },
  grpc: { type: 'string' },
  grpc_use_tls: { type: 'boolean', apiAliases: ['grpc_use_tls'] },
  h2ping: { type: 'string' },
  docker_container_id: { type: 'string', aliases: ['dockercontainerid'], apiAliases: ['docker_container_id'] },
  shell: { type: 'string', now: 'harmless' },
  tls_server_name: { type: 'string', apiAliases: ['tls_server_name'] },
  tls_skip_verify: { type: 'boolean', aliases: ['tlsskipverify'], apiAliases: ['tls_skip_verify'] },
  success_before_passing: { type: 'int' },
  failures_before_critical: { type: 'int' },
  deregister_critical_service_after: {
    type: 'duration',
    aliases: ['deregistercriticalserviceafter'],
    apiAliases: ['deregister_critical_service_after'],
  },
  output_max_size: { type: 'int', default: 4096 },
} as const satisfies Fields

/** A check of its own, in a file or in `/v1/agent/check/register`; in files also a check inside a service. */
export const checkFields = {
  id: { type: 'string' },
  name: { type: 'string' },
  notes: { type: 'string' },
  service_id: { type: 'string', aliases: ['serviceid'], apiAliases: ['service_id'] },
  token: { type: 'string' },
  status: { type: 'string' },
  ...checkKinds,
} as const satisfies Fields

/** A check inside a service in an API body. */
export const nestedCheckFields = {
  check_id: { type: 'string' },
  name: { type: 'string' },
  notes: { type: 'string' },
  status: { type: 'string' },
  ...checkKinds,
} as const satisfies Fields

const meshGatewayField = { type: 'object', apiAliases: ['mesh_gateway'], fields: { mode: { type: 'string' } } } as const

export const upstreamFields = {
  destination_type: { type: 'string', default: 'service', apiAliases: ['destination_type'] },
  destination_name: { type: 'string', apiAliases: ['destination_name'] },
  destination_namespace: { type: 'string', apiAliases: ['destination_namespace'] },
  datacenter: { type: 'string' },
  local_bind_address: { type: 'string', default: '127.0.0.1', apiAliases: ['local_bind_address'] },
  local_bind_port: { type: 'int', apiAliases: ['local_bind_port'] },
  local_bind_socket_path: { type: 'string', apiAliases: ['local_bind_socket_path'] },
  local_bind_socket_mode: { type: 'string', apiAliases: ['local_bind_socket_mode'] },
  config: { type: 'opaque' },
  mesh_gateway: meshGatewayField,
} as const satisfies Fields

export const proxyFields = {
  destination_service_name: { type: 'string', apiAliases: ['destination_service_name'] },
  destination_service_id: { type: 'string', apiAliases: ['destination_service_id'] },
  local_service_address: { type: 'string', default: '127.0.0.1', apiAliases: ['local_service_address'] },
  local_service_port: { type: 'int', apiAliases: ['local_service_port'] },
  local_service_socket_path: { type: 'string', apiAliases: ['local_service_socket_path'] },
  mode: { type: 'string', now: { only: ['', 'direct'] } },
  transparent_proxy: {
    type: 'object',
    apiAliases: ['transparent_proxy'],
    fields: { outbound_listener_port: { type: 'int' }, dialed_directly: { type: 'boolean' } },
  },
  config: { type: 'opaque' },
  upstreams: { type: 'list', of: { ...upstreamFields, centrally_configured: { type: 'boolean' } } },
  mesh_gateway: meshGatewayField,
  expose: {
    type: 'object',
    fields: {
      checks: { type: 'boolean', now: 'refused' },
      paths: {
        type: 'list',
        now: 'refused',
        of: {
          listener_port: { type: 'int' },
          path: { type: 'string' },
          local_path_port: { type: 'int' },
          protocol: { type: 'string', default: 'http' },
          parsed_from_check: { type: 'boolean' },
        },
      },
    },
  },
} as const satisfies Fields

const managedProxyField = {
  type: 'object',
  open: true,
  fields: {
    exec_mode: { type: 'string', default: 'daemon', apiAliases: ['exec_mode'] },
    command: { type: 'strings' },
    config: { type: 'opaque' },
  },
} as const

const plainServiceFields = {
  id: { type: 'string' },
  name: { type: 'string' },
  kind: { type: 'string' },
  tags: { type: 'strings' },
  address: { type: 'string' },
  tagged_addresses: { type: 'map', apiAliases: ['tagged_addresses'], of: { address: { type: 'string' }, port: { type: 'int' } } },
  meta: { type: 'texts' },
  port: { type: 'int' },
  socket_path: { type: 'string' },
  enable_tag_override: { type: 'boolean', apiAliases: ['enable_tag_override'] },
  weights: { type: 'object', fields: { passing: { type: 'int', default: 1 }, warning: { type: 'int', default: 1 } } },
  token: { type: 'string' },
  proxy: { type: 'object', fields: proxyFields },
  /** Before 1.3: `proxy.destination_service_name`. */
  proxy_destination: { type: 'string', apiAliases: ['proxy_destination'] },
} as const satisfies Fields

function withChecks<const Check extends Fields>(check: Check) {
  return {
    ...plainServiceFields,
    check: { type: 'object', fields: check },
    checks: { type: 'list', of: check },
  } as const
}

function withConnect<const Service extends Fields>(service: Service) {
  return {
    ...service,
    connect: {
      type: 'object',
      open: true,
      fields: {
        native: { type: 'boolean' },
        proxy: managedProxyField,
        sidecar_service: {
          type: 'object',
          apiAliases: ['sidecar_service'],
          fields: {
            ...service,
            connect: {
              type: 'object',
              open: true,
              fields: { native: { type: 'boolean' }, proxy: managedProxyField, sidecar_service: { type: 'anything' } },
            },
          },
        },
      },
    },
  } as const
}

/** A service in a file. */
export const serviceFields = withConnect(withChecks(checkFields))

/** A service in `/v1/agent/service/register`. */
export const apiServiceFields = withConnect(withChecks(nestedCheckFields))
