import type { Fields } from './fields.ts'

export const aclFields = {
  enabled: { type: 'boolean', now: 'refused' },
  default_policy: { type: 'string', optional: true },
  down_policy: { type: 'string', default: 'extend-cache', now: 'harmless' },
  token_ttl: { type: 'duration', default: '30s', now: 'harmless' },
  policy_ttl: { type: 'duration', default: '30s', now: 'harmless' },
  role_ttl: { type: 'duration', default: '0s', now: 'harmless' },
  enable_key_list_policy: { type: 'boolean', now: 'harmless' },
  enable_token_replication: { type: 'boolean', now: 'refused' },
  enable_token_persistence: { type: 'boolean', now: 'harmless' },
  msp_disable_bootstrap: { type: 'anything', now: 'enterprise' },
  tokens: {
    type: 'object',
    fields: {
      master: { type: 'string', now: 'harmless' },
      replication: { type: 'string', now: 'harmless' },
      agent_master: { type: 'string', now: 'harmless' },
      default: { type: 'string', now: 'harmless' },
      agent: { type: 'string', now: 'harmless' },
      managed_service_provider: { type: 'anything', now: 'enterprise' },
    },
  },
} as const satisfies Fields

/** The keys from before `acl {}`. `acl_datacenter` is the one that switches ACLs on. */
export const legacyAclFields = {
  acl_agent_master_token: { type: 'string', now: 'harmless' },
  acl_agent_token: { type: 'string', now: 'harmless' },
  acl_token: { type: 'string', now: 'harmless' },
  acl_master_token: { type: 'string', now: 'harmless' },
  acl_replication_token: { type: 'string', now: 'refused' },
  acl_datacenter: { type: 'string', now: 'refused' },
  acl_default_policy: { type: 'string', optional: true },
  acl_down_policy: { type: 'string', default: 'extend-cache', now: 'harmless' },
  acl_enable_key_list_policy: { type: 'boolean', now: 'harmless' },
  acl_enforce_version_8: { type: 'boolean', now: 'deprecated' },
  acl_ttl: { type: 'duration', default: '30s', now: 'harmless' },
  enable_acl_replication: { type: 'boolean', now: 'refused' },
} as const satisfies Fields

export const tlsFields = {
  ca_file: { type: 'string', now: 'refused' },
  ca_path: { type: 'string', now: 'refused' },
  cert_file: { type: 'string', now: 'refused' },
  key_file: { type: 'string', now: 'refused' },
  enable_agent_tls_for_checks: { type: 'boolean', now: 'refused' },
  encrypt: { type: 'string', flag: 'encrypt' },
  encrypt_verify_incoming: { type: 'boolean', default: true, now: 'harmless' },
  encrypt_verify_outgoing: { type: 'boolean', default: true, now: 'harmless' },
  server_name: { type: 'string', now: 'harmless' },
  tls_cipher_suites: { type: 'string', now: 'harmless' },
  tls_min_version: { type: 'string', default: 'tls12', now: 'harmless' },
  tls_prefer_server_cipher_suites: { type: 'boolean', now: 'harmless' },
  verify_incoming: { type: 'boolean', now: 'refused' },
  verify_incoming_rpc: { type: 'boolean', now: 'refused' },
  verify_incoming_https: { type: 'boolean', now: 'refused' },
  verify_outgoing: { type: 'boolean', now: 'refused' },
  verify_server_hostname: { type: 'boolean', now: 'refused' },
} as const satisfies Fields

const authorizationFields = {
  allow_reuse: { type: 'boolean', now: 'harmless' },
  claim_assertions: { type: 'strings', now: 'harmless' },
  bound_audiences: { type: 'strings', now: 'harmless' },
  bound_issuer: { type: 'string', now: 'harmless' },
  claim_mappings: { type: 'texts', now: 'harmless' },
  list_claim_mappings: { type: 'texts', now: 'harmless' },
  clock_skew_leeway: { type: 'duration', now: 'harmless' },
  expiration_leeway: { type: 'duration', now: 'harmless' },
  not_before_leeway: { type: 'duration', now: 'harmless' },
  jwks_url: { type: 'string', now: 'harmless' },
  jwks_ca_cert: { type: 'string', now: 'harmless' },
  jwt_supported_algs: { type: 'strings', now: 'harmless' },
  jwt_validation_pub_keys: { type: 'strings', now: 'harmless' },
  oidc_discovery_url: { type: 'string', now: 'harmless' },
  oidc_discovery_ca_cert: { type: 'string', now: 'harmless' },
} as const satisfies Fields

/** Everything but the switches is harmless, since it means nothing while they are off. */
export const autoFields = {
  auto_config: {
    type: 'object',
    fields: {
      enabled: { type: 'boolean', now: 'refused' },
      intro_token: { type: 'string', now: 'harmless' },
      intro_token_file: { type: 'string', now: 'harmless' },
      server_addresses: { type: 'strings', now: 'harmless' },
      dns_sans: { type: 'strings', now: 'harmless' },
      ip_sans: { type: 'strings', now: 'harmless' },
      authorization: {
        type: 'object',
        fields: { enabled: { type: 'boolean', now: 'refused' }, static: { type: 'object', fields: authorizationFields } },
      },
    },
  },
  auto_encrypt: {
    type: 'object',
    fields: {
      tls: { type: 'boolean', now: 'refused' },
      allow_tls: { type: 'boolean', now: 'refused' },
      dns_san: { type: 'strings', now: 'harmless' },
      ip_san: { type: 'strings', now: 'harmless' },
    },
  },
} as const satisfies Fields
