import type { Flag } from '../cli/command.ts'
import { type FlagValues, goFlags, type ParsedFlags } from '../cli/go-flags.ts'

/** A flag of `agent`, with the configuration key it sets, if it sets one. */
export type AgentFlag = Flag & { readonly key?: string }

/** Every flag of `agent`. Those with a key mean the same as that key in a file. */
export const agentFlags = {
  advertise: { kind: 'string', key: 'advertise_addr', about: 'Address under which other machines reach this agent.' },
  'advertise-wan': { kind: 'string', key: 'advertise_addr_wan', about: 'Address under which other datacenters reach this server.' },
  'allow-write-http-from': {
    kind: 'strings',
    key: 'http_config.allow_write_http_from',
    about:
      'Network, as in 127.0.0.0/8, from which HTTP requests may write. May be repeated; without any, writes are accepted from everywhere.',
  },
  'alt-domain': { kind: 'string', key: 'alt_domain', about: 'Second domain for which DNS questions are answered.' },
  bind: { kind: 'string', key: 'bind_addr', about: 'Address to listen on for other agents.' },
  bootstrap: { kind: 'boolean', key: 'bootstrap', about: 'Let this server start a cluster by itself.' },
  'bootstrap-expect': { kind: 'int', key: 'bootstrap_expect', about: 'Number of servers to wait for before starting a cluster.' },
  check_output_max_size: { kind: 'int', key: 'check_output_max_size', about: 'Bytes of output to keep of a check.' },
  client: { kind: 'string', key: 'client_addr', about: 'Addresses, separated by spaces, for HTTP and DNS clients.' },
  'config-dir': {
    kind: 'strings',
    about: 'Folder from which all .json and .hcl files are read in alphabetical order. May be repeated.',
  },
  'config-file': { kind: 'strings', about: 'Configuration file in JSON or HCL. May be repeated; later files win.' },
  'config-format': { kind: 'string', about: "Read all configuration files as this format, 'hcl' or 'json', whatever their names." },
  'data-dir': { kind: 'string', key: 'data_dir', about: 'Folder in which the agent keeps its state.' },
  datacenter: { kind: 'string', key: 'datacenter', about: 'Name of the datacenter this agent belongs to.' },
  'default-query-time': { kind: 'duration', key: 'default_query_time', about: 'How long a blocking query waits that does not say.' },
  dev: { kind: 'boolean', about: 'Start a server for development that keeps everything in memory.' },
  'disable-host-node-id': { kind: 'boolean', key: 'disable_host_node_id', about: 'Make the node id at random and not from the machine.' },
  'disable-keyring-file': { kind: 'boolean', key: 'disable_keyring_file', about: 'Do not keep the gossip keys on disk.' },
  'dns-port': { kind: 'int', key: 'ports.dns', about: 'Port for DNS; -1 switches it off.' },
  domain: { kind: 'string', key: 'domain', about: 'Domain for which DNS questions are answered.' },
  'enable-local-script-checks': {
    kind: 'boolean',
    key: 'enable_local_script_checks',
    about: 'Allow checks that run programs when they come from configuration files.',
  },
  'enable-script-checks': {
    kind: 'boolean',
    key: 'enable_script_checks',
    about: 'Allow checks that run programs, wherever they come from.',
  },
  encrypt: { kind: 'string', key: 'encrypt', about: 'Key, in base64, with which gossip is encrypted.' },
  'etcd-ca-file': { kind: 'string', key: 'etcd.ca_file', about: 'File with the authorities that sign certificates of etcd.' },
  'etcd-cert-file': { kind: 'string', key: 'etcd.cert_file', about: 'File with the certificate to show to etcd.' },
  'etcd-endpoints': {
    kind: 'strings',
    key: 'etcd.endpoints',
    about: 'Where etcd is that keeps the log, as in https://10.0.0.1:2379; several are separated by commas. May be repeated.',
  },
  'etcd-key-file': { kind: 'string', key: 'etcd.key_file', about: 'File with the private key of that certificate.' },
  'grpc-port': { kind: 'int', key: 'ports.grpc', about: 'Port for gRPC; -1 switches it off.' },
  hcl: { kind: 'strings', about: 'Piece of configuration in HCL. May be repeated; wins over files and other flags.' },
  'http-port': { kind: 'int', key: 'ports.http', about: 'Port for HTTP; -1 switches it off.' },
  'https-port': { kind: 'int', key: 'ports.https', about: 'Port for HTTPS; -1 switches it off.' },
  join: { kind: 'strings', key: 'start_join', about: 'Agent to join at the start. May be repeated.' },
  'join-wan': { kind: 'strings', key: 'start_join_wan', about: 'Server of another datacenter to join at the start. May be repeated.' },
  log: {
    kind: 'string',
    key: 'log',
    about: "Where the order of all changes is kept: 'local', by this server alone, or 'etcd', by all servers that share it.",
  },
  'log-file': { kind: 'string', key: 'log_file', about: 'File to which the log is written as well.' },
  'log-json': { kind: 'boolean', key: 'log_json', about: 'Write the log as one JSON object a line.' },
  'log-level': { kind: 'string', key: 'log_level', about: 'Least important lines to log: trace, debug, info, warn or err.' },
  'log-rotate-bytes': { kind: 'int', key: 'log_rotate_bytes', about: 'Bytes after which a new log file is begun.' },
  'log-rotate-duration': { kind: 'duration', key: 'log_rotate_duration', about: 'Time after which a new log file is begun.' },
  'log-rotate-max-files': { kind: 'int', key: 'log_rotate_max_files', about: 'Old log files to keep; 0 keeps all.' },
  'max-query-time': { kind: 'duration', key: 'max_query_time', about: 'Longest time a blocking query may wait.' },
  'mesh-threads': { kind: 'int', about: 'Threads for the proxies; -1 for as many as suit the machine, 0 for none of their own.' },
  node: { kind: 'string', key: 'node_name', about: 'Name of this node, unique in the cluster.' },
  'node-id': { kind: 'string', key: 'node_id', about: 'UUID of this node, unique for all time.' },
  'node-meta': { kind: 'strings', key: 'node_meta', about: 'Fact about this node as key:value. May be repeated.' },
  'pid-file': { kind: 'string', key: 'pid_file', about: 'File to which the process id is written.' },
  'primary-gateway': { kind: 'strings', key: 'primary_gateways', about: 'Mesh gateway of the primary datacenter. May be repeated.' },
  protocol: { kind: 'int', key: 'protocol', about: 'Version of the gossip protocol to speak.' },
  'raft-protocol': { kind: 'int', key: 'raft_protocol', about: 'Version of the consensus protocol to speak.' },
  'read-replica': { kind: 'boolean', key: 'read_replica', about: 'Be a server without a vote.' },
  recursor: { kind: 'strings', key: 'recursors', about: 'DNS server for names outside the domain. May be repeated.' },
  rejoin: { kind: 'boolean', key: 'rejoin_after_leave', about: 'Join the cluster again after having left it.' },
  'retry-interval': { kind: 'duration', key: 'retry_interval', about: 'Time between attempts to join.' },
  'retry-interval-wan': { kind: 'duration', key: 'retry_interval_wan', about: 'Time between attempts to join other datacenters.' },
  'retry-join': { kind: 'strings', key: 'retry_join', about: 'Agent to join, tried until it succeeds. May be repeated.' },
  'retry-join-wan': { kind: 'strings', key: 'retry_join_wan', about: 'Server of another datacenter to join, tried until it succeeds.' },
  'retry-max': { kind: 'int', key: 'retry_max', about: 'Attempts to join before giving up; 0 never gives up.' },
  'retry-max-wan': { kind: 'int', key: 'retry_max_wan', about: 'Attempts to join other datacenters before giving up; 0 never gives up.' },
  segment: { kind: 'string', key: 'segment', about: 'Network segment to join.' },
  'serf-lan-allowed-cidrs': {
    kind: 'strings',
    key: 'serf_lan_allowed_cidrs',
    about: 'Network from which agents may join. May be repeated.',
  },
  'serf-lan-bind': { kind: 'string', key: 'serf_lan', about: 'Address to listen on for gossip in the datacenter.' },
  'serf-lan-port': { kind: 'int', key: 'ports.serf_lan', about: 'Port for gossip in the datacenter.' },
  'serf-wan-allowed-cidrs': { kind: 'strings', key: 'serf_wan_allowed_cidrs', about: 'Network from which other datacenters may join.' },
  'serf-wan-bind': { kind: 'string', key: 'serf_wan', about: 'Address to listen on for gossip between datacenters.' },
  'serf-wan-port': { kind: 'int', key: 'ports.serf_wan', about: 'Port for gossip between datacenters; -1 switches it off.' },
  server: { kind: 'boolean', key: 'server', about: 'Be a server.' },
  'server-port': { kind: 'int', key: 'ports.server', about: 'Port for other agents.' },
  syslog: { kind: 'boolean', key: 'enable_syslog', about: 'Send the log to syslog as well.' },
  threads: {
    kind: 'int',
    about: 'Threads for HTTP and DNS; -1 for as many as suit the machine, on a client none of their own; 0 runs everything on one thread.',
  },
  ui: { kind: 'boolean', key: 'ui_config.enabled', about: 'Serve the web page.' },
  'ui-content-path': { kind: 'string', key: 'ui_config.content_path', about: 'Path under which the web page is served.' },
  'ui-dir': { kind: 'string', key: 'ui_config.dir', about: 'Folder with a web page of your own.' },
} as const satisfies Readonly<Record<string, AgentFlag>>

type AgentFlagSpec = { readonly [Name in keyof typeof agentFlags]: (typeof agentFlags)[Name]['kind'] }

/** For `goFlags`. */
// The entries are the table's own.
export const agentFlagSpec = Object.fromEntries(Object.entries(agentFlags).map(([name, { kind }]) => [name, kind])) as AgentFlagSpec

/** Other names of flags. Folders are read where they stand among the files, so both are one list. */
export const agentFlagAliases = { 'config-dir': 'config-file', 'non-voting-server': 'read-replica' } as const

/** Values of the agent's flags; files and folders, in the order of the command line, are all under `config-file`. */
export type AgentFlagValues = FlagValues<AgentFlagSpec>

/** Reads the arguments of `agent`. */
export function parseAgentFlags(args: readonly string[]): ParsedFlags<AgentFlagSpec> {
  return goFlags(args, agentFlagSpec, agentFlagAliases)
}
