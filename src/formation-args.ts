import type { FormationArgs } from '../actors/formation/protocol.ts'
import type { Config } from './config/config.ts'
import { agentFacts } from './local-args.ts'
import { memberTags } from './member-tags.ts'

/** How this server comes to a cluster. */
export function formationArgs(config: Config): FormationArgs {
  const { node, datacenter, etcd, autopilot } = config
  const own = etcd?.own
  if (!own) return { own: undefined, shares: etcd !== undefined }
  const host = own.advertise.includes(':') ? `[${own.advertise}]` : own.advertise
  return {
    own: {
      id: node.id,
      name: node.name,
      datacenter,
      expect: own.expect,
      url: `https://${host}:${own.port}`,
      tags: tagsOf(config),
      cleansUp: autopilot.cleanupDeadServers,
      minQuorum: autopilot.minQuorum,
    },
    shares: true,
  }
}

/** What members know of this agent from the beginning. */
export function tagsOf(config: Config): Record<string, string> {
  const expect = config.etcd?.own?.expect ?? 0
  const tags = { ...memberTags(agentFacts(config)), ...(expect > 1 && { expect: String(expect) }), ...(expect === 1 && { bootstrap: '1' }) }
  return Object.fromEntries(Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1)))
}
