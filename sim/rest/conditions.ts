import { caRoots } from '../../actors/ca/queries.ts'
import { nodeChecks, servicesOf } from '../../actors/catalog/queries.ts'
import { SERF_HEALTH, SERVER_SERVICE } from '../../actors/catalog/tables.ts'
import { decide } from '../../actors/intentions/decide.ts'
import { intentionsTo } from '../../actors/intentions/queries.ts'
import { meshMembers, proxyReports } from '../../actors/reports/queries.ts'
import type { ProxyReport } from '../../actors/reports/tables.ts'
import { heldTable, lockDelayTable, termTable } from '../../actors/sessions/tables.ts'
import type { View } from '../../src/kernel/tables.ts'
import type { Cluster } from '../cluster.ts'
import { membersOf } from '../members/group.ts'
import type { SimNode } from '../node.ts'
import type { Run } from '../run.ts'
import type { Rest, Said } from './index.ts'

/** Something that must become so once all trouble has ended: a sentence, and what is still in its way. */
export type Condition = { name: string; sentence: string; notYet(run: Run, rest: Rest): string | undefined }

/** In larger clusters each agent is compared with its own copy of the catalog only. */
const COMPARED_MAX = 5

/** How long they may take is judged by `members-agree`. */
const membersAreDone: Condition = {
  name: 'members-are-done',
  sentence: 'once all trouble has ended, members come to agree, and their group ends',
  notYet: (run) => (membersOf(run).estate === undefined ? undefined : 'there are members'),
}

const agentsRun: Condition = {
  name: 'agents-run',
  sentence: 'once all trouble has ended, every agent runs and answers',
  notYet(run, { said, beganMs }) {
    for (const { name, isUp } of run.cluster.nodes.values()) {
      if (!isUp) return `${name} does not run`
      if ((said.get(name)?.askedMs ?? -1) < beganMs) return `${name} does not answer`
    }
    return undefined
  },
}

const replicasFollow: Condition = {
  name: 'replicas-follow',
  sentence: 'once all trouble has ended, every server has applied the whole log',
  notYet({ cluster }) {
    const { log } = cluster
    if (!log) return undefined
    for (const { name } of cluster.servers) {
      if (log.appliedOf(name) < log.head) return `${name} has applied ${log.appliedOf(name)} of ${log.head} entries`
    }
    return undefined
  },
}

const catalogAgrees: Condition = {
  name: 'catalog-agrees',
  sentence: 'once all trouble has ended, every catalog has what each agent has registered, with the same health',
  notYet({ cluster }, { said }) {
    for (const node of cluster.nodes.values()) {
      const own = said.get(node.name)
      if (!own) return `${node.name} does not answer`
      for (const looker of lookersAt(cluster, node)) {
        const difference = catalogDifference(looker.tables.view(), node, own)
        if (difference !== undefined) return `${difference} in the catalog of ${looker.name}`
      }
    }
    return undefined
  },
}

const servicesPass: Condition = {
  name: 'services-pass',
  sentence: 'once all trouble has ended, services whose programs run pass their checks',
  notYet({ cluster }, { said }) {
    for (const { node, id } of cluster.estate.applications) {
      const failing = said.get(node)?.list.checks.find(({ serviceId, status }) => serviceId === id && status !== 'passing')
      if (failing) return `check ${failing.checkId} on ${node} is ${failing.status} (${failing.output.trim()})`
    }
    return undefined
  },
}

const upstreamsWork: Condition = {
  name: 'upstreams-work',
  sentence: 'once all trouble has ended, every service reaches the upstreams that it may connect to',
  notYet({ cluster }, { echoedMs, beganMs }) {
    for (const upstream of cluster.estate.upstreams) {
      const { node, source, destination } = upstream
      if (!mayConnect(cluster.stateFor(node), source, destination)) continue
      if ((echoedMs.get(upstream) ?? -1) < beganMs) return `${source} on ${node} does not reach ${destination}`
    }
    return undefined
  },
}

const reportsAreTrue: Condition = {
  name: 'reports-are-true',
  sentence: 'once all trouble has ended, the cluster knows of every sidecar what it has in force, and of no others',
  notYet({ cluster }) {
    for (const looker of cluster.servers) {
      const view = looker.tables.view()
      const { proxies } = meshMembers(view)
      for (const { node, serviceId, service, report } of proxies) {
        const fault = reportFault(cluster.node(node), view, serviceId, service, report)
        if (fault !== undefined) return `the report of ${serviceId} on ${node}, as ${looker.name} has it, ${fault}`
      }
      const { reports } = proxyReports(view)
      if (reports.length !== proxies.length) return `${looker.name} has ${reports.length} reports of ${proxies.length} sidecars`
    }
    return undefined
  },
}

const sessionsEnd: Condition = {
  name: 'sessions-end',
  sentence: 'once all trouble has ended, sessions that nobody renews end, their keys are free and can be taken',
  notYet({ cluster }) {
    for (const { name, tables } of cluster.servers) {
      const view = tables.view()
      for (const [, { id }] of view.range(termTable, { limit: 1 })) return `session ${id} has not ended on ${name}`
      for (const [key] of view.range(lockDelayTable, { limit: 1 })) return `${key} cannot be taken yet on ${name}`
      for (const [, { key }] of view.range(heldTable, { limit: 1 })) return `${key} is held by nobody who lives on ${name}`
    }
    return undefined
  },
}

/** Everything that must be so in the end, what the rest depends on first. */
export const conditions: readonly Condition[] = [
  agentsRun,
  replicasFollow,
  sessionsEnd,
  catalogAgrees,
  servicesPass,
  upstreamsWork,
  reportsAreTrue,
  membersAreDone,
]

/** Whose catalogs must have what an agent has registered: all servers', and what a client keeps of itself. */
function lookersAt({ nodes, servers }: Cluster, node: SimNode): readonly SimNode[] {
  if (nodes.size > COMPARED_MAX && node.isServer) return [node]
  return [...servers.slice(0, COMPARED_MAX), ...(node.isServer ? [] : [node])]
}

/** What the intentions that a server knows say about two services. */
export function mayConnect({ tables, config }: SimNode, source: string, destination: string): boolean {
  const { intentions } = intentionsTo(tables.view(), destination)
  return decide(intentions, source, destination, config.acl.defaultPolicy === 'allow').allowed
}

function reportFault(
  { mesh }: SimNode,
  view: View,
  serviceId: string,
  service: string,
  report: ProxyReport | undefined,
): string | undefined {
  if (!report) return 'is missing'
  const { index } = intentionsTo(view, service)
  if (report.intentionIndex !== index) return `tells of intentions ${report.intentionIndex} instead of ${index}`
  const serial = mesh?.leaves().find(({ owner }) => owner === serviceId)?.leaf.serial
  if (report.leafSerial !== serial) return `tells of the certificate ${report.leafSerial}, and it shows ${serial}`
  const roots =
    caRoots(view)
      ?.roots.map(({ id }) => id)
      .sort() ?? []
  return report.bundle.join() === roots.join() ? undefined : `tells of the roots ${report.bundle} instead of ${roots}`
}

function catalogDifference(view: View, { name }: SimNode, { list }: Said): string | undefined {
  const known = new Map(servicesOf(view, name).map((record) => [record.id, record]))
  for (const { definition } of list.services) {
    const record = known.get(definition.id)
    if (!record) return `service ${definition.id} of ${name} is missing`
    if (record.port !== definition.port) return `service ${definition.id} of ${name} has port ${record.port} instead of ${definition.port}`
    known.delete(definition.id)
  }
  known.delete(SERVER_SERVICE)
  for (const id of known.keys()) return `service ${id}, which ${name} does not have, is`
  const checks = new Map(nodeChecks(view, name).checks.map(({ check }) => [check.checkId, check]))
  for (const { checkId, status } of list.checks) {
    const record = checks.get(checkId)
    if (!record) return `check ${checkId} of ${name} is missing`
    if (record.status !== status) return `check ${checkId} of ${name} is ${record.status} instead of ${status}`
    checks.delete(checkId)
  }
  checks.delete(SERF_HEALTH)
  for (const id of checks.keys()) return `check ${id}, which ${name} does not have, is`
  return undefined
}
