import { type FlagKind, type FlagValues, goFlags, type ParsedFlags } from '../cli/go-flags.ts'

/** A flag of `agent`: the configuration key it sets, if it sets one, and what it is for. */
export type AgentFlag = { readonly kind: FlagKind; readonly key?: string; readonly help: string }

/** Every flag of `agent`. Those with a key mean the same as that key in a file. */
export const agentFlags = {
  advertise: { kind: 'string', key: 'advertise_addr', help: 'Address under which other machines reach this agent.' },
  'advertise-wan': { kind: 'string', key: 'advertise_addr_wan', help: 'Address under which other datacenters reach this server.' },
  'allow-write-http-from': {
    kind: 'strings',
    key: 'http_config.allow_write_http_from',
    help: 'Network, as in 127.0.0.0/8, from which HTTP requests may write. May be repeated; without any, writes are accepted from everywhere.',
  },
  'alt-domain': { kind: 'string', key: 'alt_domain', help: 'Second domain for which DNS questions are answered.' },
  bind: { kind: 'string', key: 'bind_addr', help: 'Address to listen on for other agents.' },
  bootstrap: { kind: 'boolean', key: 'bootstrap', help: 'Let this server start a cluster by itself.' },
  'bootstrap-expect': { kind: 'int', key: 'bootstrap_expect', help: 'Number of servers to wait for before starting a cluster.' },
  check_output_max_size: { kind: 'int', key: 'check_output_max_size', help: 'Bytes of output to keep of a check.' },
  client: { kind: 'string', key: 'client_addr', help: 'Addresses, separated by spaces, for HTTP and DNS clients.' },
  'config-dir': {
    kind: 'strings',
    help: 'Folder from which all .json and .hcl files are read in alphabetical order. May be repeated.',
  },
  'config-file': { kind: 'strings', help: 'Configuration file in JSON or HCL. May be repeated; later files win.' },
  'config-format': { kind: 'string', help: "Read all configuration files as this format, 'hcl' or 'json', whatever their names." },
  'data-dir': { kind: 'string', key: 'data_dir', help: 'Folder in which the agent keeps its state.' },
  datacenter: { kind: 'string', key: 'datacenter', help: 'Name of the datacenter this agent belongs to.' },
  'default-query-time': { kind: 'duration', key: 'default_query_time', help: 'How long a blocking query waits that does not say.' },
  dev: { kind: 'boolean', help: 'Start a server for development that keeps everything in memory.' },
  'disable-host-node-id': { kind: 'boolean', key: 'disable_host_node_id', help: 'Make the node id at random and not from the machine.' },
  'disable-keyring-file': { kind: 'boolean', key: 'disable_keyring_file', help: 'Do not keep the gossip keys on disk.' },
  'dns-port': { kind: 'int', key: 'ports.dns', help: 'Port for DNS; -1 switches it off.' },
  domain: { kind: 'string', key: 'domain', help: 'Domain for which DNS questions are answered.' },
  'enable-local-script-checks': {
    kind: 'boolean',
    key: 'enable_local_script_checks',
    help: 'Allow checks that run programs when they come from configuration files.',
  },
  'enable-script-checks': {
    kind: 'boolean',
    key: 'enable_script_checks',
    help: 'Allow checks that run programs, wherever they come from.',
  },
  encrypt: { kind: 'string', key: 'encrypt', help: 'Key, in base64, with which gossip is encrypted.' },
  'grpc-port': { kind: 'int', key: 'ports.grpc', help: 'Port for gRPC; -1 switches it off.' },
  hcl: { kind: 'strings', help: 'Piece of configuration in HCL. May be repeated; wins over files and other flags.' },
  'http-port': { kind: 'int', key: 'ports.http', help: 'Port for HTTP; -1 switches it off.' },
  'https-port': { kind: 'int', key: 'ports.https', help: 'Port for HTTPS; -1 switches it off.' },
  join: { kind: 'strings', key: 'start_join', help: 'Agent to join at the start. May be repeated.' },
  'join-wan': { kind: 'strings', key: 'start_join_wan', help: 'Server of another datacenter to join at the start. May be repeated.' },
  'log-file': { kind: 'string', key: 'log_file', help: 'File to which the log is written as well.' },
  'log-json': { kind: 'boolean', key: 'log_json', help: 'Write the log as one JSON object a line.' },
  'log-level': { kind: 'string', key: 'log_level', help: 'Least important lines to log: trace, debug, info, warn or err.' },
  'log-rotate-bytes': { kind: 'int', key: 'log_rotate_bytes', help: 'Bytes after which a new log file is begun.' },
  'log-rotate-duration': { kind: 'duration', key: 'log_rotate_duration', help: 'Time after which a new log file is begun.' },
  'log-rotate-max-files': { kind: 'int', key: 'log_rotate_max_files', help: 'Old log files to keep; 0 keeps all.' },
  'max-query-time': { kind: 'duration', key: 'max_query_time', help: 'Longest time a blocking query may wait.' },
  'mesh-threads': { kind: 'int', help: 'Threads for the proxies; -1 for as many as suit the machine, 0 for none of their own.' },
  node: { kind: 'string', key: 'node_name', help: 'Name of this node, unique in the cluster.' },
  'node-id': { kind: 'string', key: 'node_id', help: 'UUID of this node, unique for all time.' },
  'node-meta': { kind: 'strings', key: 'node_meta', help: 'Fact about this node as key:value. May be repeated.' },
  'pid-file': { kind: 'string', key: 'pid_file', help: 'File to which the process id is written.' },
  'primary-gateway': { kind: 'strings', key: 'primary_gateways', help: 'Mesh gateway of the primary datacenter. May be repeated.' },
  protocol: { kind: 'int', key: 'protocol', help: 'Version of the gossip protocol to speak.' },
  'raft-protocol': { kind: 'int', key: 'raft_protocol', help: 'Version of the consensus protocol to speak.' },
  'read-replica': { kind: 'boolean', key: 'read_replica', help: 'Be a server without a vote.' },
  recursor: { kind: 'strings', key: 'recursors', help: 'DNS server for names outside the domain. May be repeated.' },
  rejoin: { kind: 'boolean', key: 'rejoin_after_leave', help: 'Join the cluster again after having left it.' },
  'retry-interval': { kind: 'duration', key: 'retry_interval', help: 'Time between attempts to join.' },
  'retry-interval-wan': { kind: 'duration', key: 'retry_interval_wan', help: 'Time between attempts to join other datacenters.' },
  'retry-join': { kind: 'strings', key: 'retry_join', help: 'Agent to join, tried until it succeeds. May be repeated.' },
  'retry-join-wan': { kind: 'strings', key: 'retry_join_wan', help: 'Server of another datacenter to join, tried until it succeeds.' },
  'retry-max': { kind: 'int', key: 'retry_max', help: 'Attempts to join before giving up; 0 never gives up.' },
  'retry-max-wan': { kind: 'int', key: 'retry_max_wan', help: 'Attempts to join other datacenters before giving up; 0 never gives up.' },
  segment: { kind: 'string', key: 'segment', help: 'Network segment to join.' },
  'serf-lan-allowed-cidrs': {
    kind: 'strings',
    key: 'serf_lan_allowed_cidrs',
    help: 'Network from which agents may join. May be repeated.',
  },
  'serf-lan-bind': { kind: 'string', key: 'serf_lan', help: 'Address to listen on for gossip in the datacenter.' },
  'serf-lan-port': { kind: 'int', key: 'ports.serf_lan', help: 'Port for gossip in the datacenter.' },
  'serf-wan-allowed-cidrs': { kind: 'strings', key: 'serf_wan_allowed_cidrs', help: 'Network from which other datacenters may join.' },
  'serf-wan-bind': { kind: 'string', key: 'serf_wan', help: 'Address to listen on for gossip between datacenters.' },
  'serf-wan-port': { kind: 'int', key: 'ports.serf_wan', help: 'Port for gossip between datacenters; -1 switches it off.' },
  server: { kind: 'boolean', key: 'server', help: 'Be a server.' },
  'server-port': { kind: 'int', key: 'ports.server', help: 'Port for other agents.' },
  syslog: { kind: 'boolean', key: 'enable_syslog', help: 'Send the log to syslog as well.' },
  threads: { kind: 'int', help: 'Threads for HTTP and DNS; -1 for as many as suit the machine, 0 to run everything on one thread.' },
  ui: { kind: 'boolean', key: 'ui_config.enabled', help: 'Serve the web page.' },
  'ui-content-path': { kind: 'string', key: 'ui_config.content_path', help: 'Path under which the web page is served.' },
  'ui-dir': { kind: 'string', key: 'ui_config.dir', help: 'Folder with a web page of your own.' },
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
