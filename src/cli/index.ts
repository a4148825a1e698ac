import { aclNames } from './acl-names.ts'
import type { Command } from './command.ts'

/** Every command, by its full name. A file is read only when its command runs or is described. */
export const commands: readonly Listing[] = [
  ...aclNames.map((name) => ({ name, load: async () => (await import('./acl.ts')).aclCommandOf(name) })),
  { name: 'actors', load: async () => (await import('./actors.ts')).actorsCommand },
  { name: 'agent', load: async () => (await import('./agent.ts')).agentCommand },
  { name: 'catalog datacenters', load: async () => (await import('./catalog-datacenters.ts')).catalogDatacentersCommand },
  { name: 'catalog nodes', load: async () => (await import('./catalog-nodes.ts')).catalogNodesCommand },
  { name: 'catalog services', load: async () => (await import('./catalog-services.ts')).catalogServicesCommand },
  { name: 'config delete', load: async () => (await import('./config-delete.ts')).configDeleteCommand },
  { name: 'config list', load: async () => (await import('./config-list.ts')).configListCommand },
  { name: 'config read', load: async () => (await import('./config-read.ts')).configReadCommand },
  { name: 'config write', load: async () => (await import('./config-write.ts')).configWriteCommand },
  { name: 'connect ca abort', load: async () => (await import('./connect-ca-abort.ts')).connectCaAbortCommand },
  { name: 'connect ca get-config', load: async () => (await import('./connect-ca-get-config.ts')).connectCaGetConfigCommand },
  { name: 'connect ca set-config', load: async () => (await import('./connect-ca-set-config.ts')).connectCaSetConfigCommand },
  { name: 'connect ca status', load: async () => (await import('./connect-ca-status.ts')).connectCaStatusCommand },
  { name: 'connect decisions', load: async () => (await import('./connect-decisions.ts')).connectDecisionsCommand },
  { name: 'connect envoy', load: async () => (await import('./connect-envoy.ts')).connectEnvoyCommand },
  { name: 'connect expose', load: async () => (await import('./connect-expose.ts')).connectExposeCommand },
  { name: 'connect haproxy', load: async () => (await import('./connect-haproxy.ts')).connectHaproxyCommand },
  { name: 'connect proxy', load: async () => (await import('./connect-proxy.ts')).connectProxyCommand },
  { name: 'connect redirect-traffic', load: async () => (await import('./connect-redirect-traffic.ts')).connectRedirectTrafficCommand },
  { name: 'connect why', load: async () => (await import('./connect-why.ts')).connectWhyCommand },
  { name: 'debug', load: async () => (await import('./debug.ts')).debugCommand },
  { name: 'event', load: async () => (await import('./event.ts')).eventCommand },
  { name: 'exec', load: async () => (await import('./exec.ts')).execCommand },
  { name: 'force-leave', load: async () => (await import('./force-leave.ts')).forceLeaveCommand },
  { name: 'gossip record', load: async () => (await import('./gossip-record.ts')).gossipRecordCommand },
  { name: 'gossip replay', load: async () => (await import('./gossip-replay.ts')).gossipReplayCommand },
  { name: 'gossip trace', load: async () => (await import('./gossip-trace.ts')).gossipTraceCommand },
  { name: 'gossip watch', load: async () => (await import('./gossip-watch.ts')).gossipWatchCommand },
  { name: 'info', load: async () => (await import('./info.ts')).infoCommand },
  { name: 'intention check', load: async () => (await import('./intention-check.ts')).intentionCheckCommand },
  { name: 'intention create', load: async () => (await import('./intention-create.ts')).intentionCreateCommand },
  { name: 'intention delete', load: async () => (await import('./intention-delete.ts')).intentionDeleteCommand },
  { name: 'intention get', load: async () => (await import('./intention-get.ts')).intentionGetCommand },
  { name: 'intention list', load: async () => (await import('./intention-list.ts')).intentionListCommand },
  { name: 'intention match', load: async () => (await import('./intention-match.ts')).intentionMatchCommand },
  { name: 'join', load: async () => (await import('./join.ts')).joinCommand },
  { name: 'keygen', load: async () => (await import('./keygen.ts')).keygenCommand },
  { name: 'keyring', load: async () => (await import('./keyring.ts')).keyringCommand },
  { name: 'kv delete', load: async () => (await import('./kv-delete.ts')).kvDeleteCommand },
  { name: 'kv export', load: async () => (await import('./kv-export.ts')).kvExportCommand },
  { name: 'kv get', load: async () => (await import('./kv-get.ts')).kvGetCommand },
  { name: 'kv import', load: async () => (await import('./kv-import.ts')).kvImportCommand },
  { name: 'kv put', load: async () => (await import('./kv-put.ts')).kvPutCommand },
  { name: 'leave', load: async () => (await import('./leave.ts')).leaveCommand },
  { name: 'lock', load: async () => (await import('./lock.ts')).lockCommand },
  { name: 'login', load: async () => (await import('./login.ts')).loginCommand },
  { name: 'logout', load: async () => (await import('./logout.ts')).logoutCommand },
  { name: 'maint', load: async () => (await import('./maint.ts')).maintCommand },
  { name: 'members', load: async () => (await import('./members.ts')).membersCommand },
  { name: 'monitor', load: async () => (await import('./monitor.ts')).monitorCommand },
  {
    name: 'operator autopilot get-config',
    load: async () => (await import('./operator-autopilot-get-config.ts')).operatorAutopilotGetConfigCommand,
  },
  {
    name: 'operator autopilot set-config',
    load: async () => (await import('./operator-autopilot-set-config.ts')).operatorAutopilotSetConfigCommand,
  },
  { name: 'operator autopilot state', load: async () => (await import('./operator-autopilot-state.ts')).operatorAutopilotStateCommand },
  { name: 'operator log migrate', load: async () => (await import('./operator-log-migrate.ts')).operatorLogMigrateCommand },
  { name: 'operator raft list-peers', load: async () => (await import('./operator-raft-list-peers.ts')).operatorRaftListPeersCommand },
  { name: 'operator raft remove-peer', load: async () => (await import('./operator-raft-remove-peer.ts')).operatorRaftRemovePeerCommand },
  { name: 'reload', load: async () => (await import('./reload.ts')).reloadCommand },
  { name: 'rtt', load: async () => (await import('./rtt.ts')).rttCommand },
  { name: 'services deregister', load: async () => (await import('./services-deregister.ts')).servicesDeregisterCommand },
  { name: 'services register', load: async () => (await import('./services-register.ts')).servicesRegisterCommand },
  { name: 'sim', load: async () => (await import('./sim.ts')).simCommand },
  { name: 'snapshot inspect', load: async () => (await import('./snapshot-inspect.ts')).snapshotInspectCommand },
  { name: 'snapshot restore', load: async () => (await import('./snapshot-restore.ts')).snapshotRestoreCommand },
  { name: 'snapshot save', load: async () => (await import('./snapshot-save.ts')).snapshotSaveCommand },
  { name: 'tls ca create', load: async () => (await import('./tls-ca-create.ts')).tlsCaCreateCommand },
  { name: 'tls cert create', load: async () => (await import('./tls-cert-create.ts')).tlsCertCreateCommand },
  { name: 'validate', load: async () => (await import('./validate.ts')).validateCommand },
  { name: 'version', load: async () => (await import('./version.ts')).versionCommand },
  { name: 'watch', load: async () => (await import('./watch.ts')).watchCommand },
]

/** First words that several commands share, and what they are about. */
export const groups: readonly Group[] = [
  {
    name: 'acl',
    summary: 'Manage access control lists',
    about:
      'Policies, tokens, roles, and how to log in. Agents without access control lists answer all of these commands with "ACL support disabled".',
  },
  {
    name: 'acl auth-method',
    summary: 'Manage auth methods',
    about: 'Creates, shows, changes and deletes auth methods. Agents without access control lists refuse it.',
  },
  {
    name: 'acl binding-rule',
    summary: 'Manage binding rules',
    about: 'Creates, shows, changes and deletes binding rules. Agents without access control lists refuse it.',
  },
  {
    name: 'acl policy',
    summary: 'Manage policies',
    about: 'Creates, shows, changes and deletes policies. Agents without access control lists refuse it.',
  },
  {
    name: 'acl role',
    summary: 'Manage roles',
    about: 'Creates, shows, changes and deletes roles. Agents without access control lists refuse it.',
  },
  {
    name: 'acl token',
    summary: 'Manage tokens',
    about: 'Creates, shows, changes and deletes tokens. Agents without access control lists refuse it.',
  },
  {
    name: 'catalog',
    summary: 'Look into the catalog of nodes and services',
    about: 'Shows what the servers know about datacenters, nodes and services, whichever agent told them.',
  },
  {
    name: 'config',
    summary: 'Read and write central settings for many services',
    about:
      'Config entries say once how many services and proxies behave: their protocol, what all proxies have in common, and who may connect.',
  },
  {
    name: 'connect',
    summary: 'Work with Connect, the service mesh',
    about: 'Runs sidecar proxies by hand and manages the certificate authority that gives services their identities.',
  },
  {
    name: 'connect ca',
    summary: 'Look at and change the certificate authority of the mesh',
    about: 'Shows and changes the configuration of the certificate authority that signs the certificates of services.',
  },
  {
    name: 'gossip',
    summary: 'Look into how members watch each other',
    about:
      'Shows what an agent knows of the other agents of its cluster, how it came to know that, and how much they say to each other; records it and plays it again.',
  },
  {
    name: 'intention',
    summary: 'Decide which services may talk to each other',
    about:
      'An intention says whether one service may connect to another over the mesh. The most precise one wins: exact names count before the wildcard "*", and the destination before the source.',
  },
  {
    name: 'kv',
    summary: 'Read and write the key/value store',
    about: 'Reads, writes, deletes, exports and imports entries of the key/value store that all servers share.',
  },
  {
    name: 'operator',
    summary: 'Look after the servers',
    about: 'Shows and changes how the servers of the cluster keep its state together.',
  },
  {
    name: 'operator autopilot',
    summary: 'Look at how servers look after themselves, and change it',
    about: 'Shows how the servers are, and by which rules servers that failed are removed and new ones get a vote.',
  },
  {
    name: 'operator log',
    summary: 'Change where the order of all changes is kept',
    about: 'Prepares a server that keeps its state alone for sharing it with others.',
  },
  {
    name: 'operator raft',
    summary: 'Look at the servers that keep the state together',
    about: 'Lists the servers and takes out those that will not come back.',
  },
  {
    name: 'services',
    summary: 'Register and deregister services with the agent',
    about: 'Tells the local agent about services without a restart. The agent keeps them until they are deregistered.',
  },
  {
    name: 'snapshot',
    summary: 'Save, restore and look into the state of the servers',
    about: 'Saves everything that the servers keep into one file and puts such a file in the place of everything.',
  },
  {
    name: 'tls',
    summary: 'Make certificates for agents',
    about: 'Makes an authority of your own and certificates for the connections between agents, and for HTTPS.',
  },
  { name: 'tls ca', summary: 'Make an authority', about: 'Makes the certificate authority that all agents are to believe.' },
  { name: 'tls cert', summary: 'Make certificates', about: 'Makes the certificate of an agent, or of a program that asks one.' },
]

export type Listing = { readonly name: string; load(): Promise<Command> }
export type Group = { readonly name: string; readonly summary: string; readonly about: string }
