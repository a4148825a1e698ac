import type { Coordinate } from '../../../actors/coordinates/tables.ts'
import { datacentersRef } from '../../../actors/datacenters/protocol.ts'
import { type AgentFacts, localRef } from '../../../actors/local/protocol.ts'
import { type Member, membershipRef, wanMembershipRef } from '../../../actors/membership/protocol.ts'
import { isRefused } from '../../kernel/refusal.ts'
import { memberTags, wideTags } from '../../member-tags.ts'
import { agentStats } from '../agent-stats.ts'
import { contactOf } from '../answers.ts'
import type { Route } from '../route.ts'

/** GET /v1/agent/self */
export const agentSelfRoute: Route = {
  method: 'GET',
  path: '/v1/agent/self',
  async run(_request, { host, asked, awaited, settings }) {
    const facts = await asked(localRef, 'facts', null)
    if (isRefused(facts)) return facts
    const list = await asked(localRef, 'list', null)
    if (isRefused(list)) return list
    const place = settings.coordinates ? await asked(membershipRef, 'whereabouts', null) : null
    if (isRefused(place)) return place
    const { datacenter, primaryDatacenter, node, nodeId, server, compatibleVersion } = facts
    const members = await awaited(membershipRef, 'members', null, () => true, MEMBERS_WITHIN_MS)
    const health = await asked(membershipRef, 'health', null)
    if (isRefused(health)) return health
    const wanMembers = server ? await awaited(wanMembershipRef, 'members', null, () => true, MEMBERS_WITHIN_MS) : undefined
    const wanHealth = server ? await asked(wanMembershipRef, 'health', null) : health
    if (isRefused(wanHealth)) return wanHealth
    const known = server ? await asked(datacentersRef, 'show', null) : { datacenters: [] }
    if (isRefused(known)) return known
    return {
      json: {
        Config: {
          Datacenter: datacenter,
          PrimaryDatacenter: primaryDatacenter,
          NodeName: node,
          NodeID: nodeId,
          Revision: '',
          Server: server,
          Version: compatibleVersion,
        },
        DebugConfig: facts.debugConfig,
        Coord: place && shownPlace(place.coordinate),
        Member: ownShape(facts),
        Stats: agentStats({
          facts,
          list,
          members: members?.value ?? [],
          healthScore: health.score,
          wan: { members: wanMembers?.value ?? [], healthScore: wanHealth.score },
          datacenters: known.datacenters.length,
          view: host.ports.tables.view(),
          contact: contactOf(host),
          actors: host.stats().length,
        }),
        Meta: { ...facts.nodeMeta, 'consul-network-segment': '' },
        Tribune: { Version: facts.version },
      },
    }
  },
}

/** GET /v1/agent/members: whom this agent knows, at least itself; `wan`: the servers of all datacenters. */
export const agentMembersRoute: Route = {
  method: 'GET',
  path: '/v1/agent/members',
  async run({ query }, { asked, awaited }) {
    const segment = query.get('segment') ?? ''
    if (segment !== '' && query.has('wan')) return { status: 400, text: 'Cannot provide a segment with wan=true' }
    if (segment !== '' && segment !== '_all') return { status: 500, text: 'Network segments are not supported in this version of Consul' }
    const facts = await asked(localRef, 'facts', null)
    if (isRefused(facts)) return facts
    if (query.has('wan')) {
      if (!facts.server) return { json: null }
      const wide = await awaited(wanMembershipRef, 'members', null, () => true, MEMBERS_WITHIN_MS)
      return { json: wide === undefined || wide.value.length === 0 ? [ownWideShape(facts)] : wide.value.map(memberShape) }
    }
    const members = await awaited(membershipRef, 'members', null, () => true, MEMBERS_WITHIN_MS)
    return { json: members === undefined || members.value.length === 0 ? [ownShape(facts)] : members.value.map(memberShape) }
  },
}

function shownPlace({ vec, error, adjustment, height }: Coordinate): object {
  return { Vec: vec, Error: error, Adjustment: adjustment, Height: height }
}

function ownShape(facts: AgentFacts): Record<string, unknown> {
  const { node: name, address, ports } = facts
  return memberShape({ name, address, port: ports.serfLan, tags: memberTags(facts), status: 'alive' })
}

/** Among the servers of all datacenters. */
function ownWideShape(facts: AgentFacts): Record<string, unknown> {
  const { node, datacenter, taggedAddresses, address, ports } = facts
  const name = `${node}.${datacenter}`
  return memberShape({
    name,
    address: taggedAddresses['wan'] ?? address,
    port: ports.serfWan,
    tags: wideTags(memberTags(facts)),
    status: 'alive',
  })
}

function memberShape({
  name,
  address,
  port,
  tags,
  status,
}: Pick<Member, 'name' | 'address' | 'port' | 'tags' | 'status'>): Record<string, unknown> {
  return {
    Name: name,
    Addr: address,
    Port: port,
    Tags: tags,
    Status: STATUS_NUMBERS[status],
    ProtocolMin: 1,
    ProtocolMax: 5,
    ProtocolCur: 2,
    DelegateMin: 2,
    DelegateMax: 5,
    DelegateCur: 4,
  }
}

const MEMBERS_WITHIN_MS = 1_000
/** Of Serf. Whoever is only suspected is alive. */
const STATUS_NUMBERS: Readonly<Record<Member['status'], number>> = { alive: 1, suspect: 1, leaving: 2, left: 3, failed: 4 }
