import type { AgentFacts } from '../actors/local/protocol.ts'

/** What members know of this agent beside its name and address, by name in byte order. Source: the tags of Serf in http-api §members. */
export function memberTags({
  datacenter,
  nodeId,
  server,
  compatibleVersion,
  ports,
}: Pick<AgentFacts, 'datacenter' | 'nodeId' | 'server' | 'compatibleVersion' | 'ports'>): Record<string, string> {
  const serverTags = server && {
    ft_fs: '1',
    ft_si: '1',
    port: String(ports.server),
    raft_vsn: '3',
    ...(ports.serfWan > 0 && { wan_join_port: String(ports.serfWan) }),
  }
  const tags: Record<string, string> = {
    acls: '0',
    build: `${compatibleVersion}:`,
    dc: datacenter,
    id: nodeId,
    ...serverTags,
    role: server ? 'consul' : 'node',
    segment: '',
    vsn: '2',
    vsn_max: '3',
    vsn_min: '2',
  }
  return Object.fromEntries(Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The same among the servers of all datacenters. */
export function wideTags(tags: Readonly<Record<string, string>>): Record<string, string> {
  const { wan_join_port: _port, ...wide } = tags
  return wide
}
