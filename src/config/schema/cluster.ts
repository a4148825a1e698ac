import type { Fields } from './fields.ts'

/** Keys about other agents: finding them, talking to them, agreeing with them. */
export const clusterFields = {
  advertise_reconnect_timeout: { type: 'duration', now: 'harmless' },
  autopilot: {
    type: 'object',
    fields: {
      cleanup_dead_servers: { type: 'boolean', default: true },
      last_contact_threshold: { type: 'duration', default: '200ms' },
      max_trailing_logs: { type: 'int', default: 250 },
      min_quorum: { type: 'int' },
      server_stabilization_time: { type: 'duration', default: '10s' },
      disable_upgrade_migration: { type: 'boolean', now: 'enterprise' },
      redundancy_zone_tag: { type: 'string', now: 'enterprise' },
      upgrade_version_tag: { type: 'string', now: 'enterprise' },
    },
  },
  bootstrap: { type: 'boolean', flag: 'bootstrap' },
  bootstrap_expect: { type: 'int', flag: 'bootstrap-expect' },
  disable_coordinates: { type: 'boolean' },
  disable_keyring_file: { type: 'boolean', flag: 'disable-keyring-file' },
  gossip_lan: { type: 'object', fields: gossip('200ms', '1s', '500ms', 4) },
  gossip_wan: { type: 'object', fields: gossip('500ms', '5s', '3s', 6) },
  performance: {
    type: 'object',
    fields: {
      leave_drain_time: { type: 'duration', default: '5s' },
      raft_multiplier: { type: 'int', default: 5, now: 'harmless' },
      rpc_hold_timeout: { type: 'duration', default: '7s' },
    },
  },
  primary_datacenter: { type: 'string' },
  primary_gateways: { type: 'strings', flag: 'primary-gateway', now: 'refused' },
  primary_gateways_interval: { type: 'duration', default: '30s', now: 'harmless' },
  protocol: { type: 'int', default: 2, flag: 'protocol', now: { only: [2, 3] } },
  raft_protocol: { type: 'int', default: 3, flag: 'raft-protocol', now: 'harmless' },
  raft_snapshot_threshold: { type: 'int', default: 16384, now: 'harmless' },
  raft_snapshot_interval: { type: 'duration', default: '30s', now: 'harmless' },
  raft_trailing_logs: { type: 'int', default: 10240, now: 'harmless' },
  read_replica: { type: 'boolean', flag: 'read-replica', now: 'enterprise', aliases: ['non_voting_server'] },
  reconnect_timeout: { type: 'duration', default: '72h', now: 'harmless' },
  reconnect_timeout_wan: { type: 'duration', default: '72h', now: 'harmless' },
  rejoin_after_leave: { type: 'boolean', flag: 'rejoin' },
  retry_interval: { type: 'duration', default: '30s', flag: 'retry-interval' },
  retry_interval_wan: { type: 'duration', default: '30s', flag: 'retry-interval-wan' },
  retry_join: { type: 'strings', flag: 'retry-join' },
  retry_join_wan: { type: 'strings', flag: 'retry-join-wan' },
  retry_max: { type: 'int', flag: 'retry-max' },
  retry_max_wan: { type: 'int', flag: 'retry-max-wan' },
  rpc: { type: 'object', fields: { enable_streaming: { type: 'boolean', default: true, now: 'harmless' } } },
  segment: { type: 'string', flag: 'segment', now: { only: [''], why: 'Network segments are not supported in this version of Consul' } },
  segments: { type: 'anything', now: { only: [[]], why: 'Network segments are not supported in this version of Consul' } },
  serf_lan: { type: 'string', flag: 'serf-lan-bind' },
  serf_wan: { type: 'string', flag: 'serf-wan-bind' },
  serf_lan_allowed_cidrs: { type: 'strings', flag: 'serf-lan-allowed-cidrs' },
  serf_wan_allowed_cidrs: { type: 'strings', flag: 'serf-wan-allowed-cidrs' },
  server: { type: 'boolean', flag: 'server' },
  start_join: { type: 'strings', flag: 'join' },
  start_join_wan: { type: 'strings', flag: 'join-wan' },
  use_streaming_backend: { type: 'boolean', default: true, now: 'harmless' },
} as const satisfies Fields

function gossip(gossipInterval: string, probeInterval: string, probeTimeout: string, suspicionMultiplier: number) {
  return {
    gossip_nodes: { type: 'int', default: 3, now: 'harmless' },
    gossip_interval: { type: 'duration', default: gossipInterval, now: 'harmless' },
    probe_interval: { type: 'duration', default: probeInterval, now: 'harmless' },
    probe_timeout: { type: 'duration', default: probeTimeout, now: 'harmless' },
    suspicion_mult: { type: 'int', default: suspicionMultiplier, now: 'harmless' },
    retransmit_mult: { type: 'int', default: 4, now: 'harmless' },
  } as const
}
