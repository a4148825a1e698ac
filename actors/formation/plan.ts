import type { EtcdMember } from '../../src/kernel/ports.ts'
import type { Member } from '../membership/protocol.ts'

/** A server as others see it. `stage`: how far it is with having a cluster. */
export type Server = {
  readonly name: string
  readonly id: string
  readonly address: string
  readonly version: string
  readonly status: 'alive' | 'failed' | 'leaving' | 'left'
  readonly expect: number
  readonly stage: Stage
}

/**
 * What a server says of itself in its tags. `promised`: it leaves the founding to another server, or to itself, and to no third one.
 * `holds`: it has state that the cluster is to begin with, so it founds. `in`: it is a member of a cluster.
 */
export type Stage =
  | { readonly is: 'new' }
  | { readonly is: 'promised'; readonly to: string }
  | { readonly is: 'holds' }
  | { readonly is: 'in'; readonly cluster: string }

export type Plan =
  | { readonly do: 'wait'; readonly why: string }
  /** Something that only people can mend. */
  | { readonly do: 'complain'; readonly why: string }
  | { readonly do: 'promise'; readonly to: string }
  | { readonly do: 'found' }
  /** Any of them admits this server. */
  | { readonly do: 'join'; readonly through: readonly Server[] }

/** The tag with the stage; Consul has none of this name. */
export const STAGE_TAG = 'tribune_servers'

export function stageText(stage: Stage): string {
  if (stage.is === 'promised') return `promised:${stage.to}`
  return stage.is === 'in' ? `in:${stage.cluster}` : stage.is
}

/** The servers of a datacenter among its members, by id. */
export function serversAmong(members: readonly Member[], datacenter: string): Server[] {
  return members
    .filter(({ tags }) => tags['role'] === 'consul' && tags['dc'] === datacenter)
    .map((member): Server => {
      const { name, id, address, tags, status } = member
      const host = address.includes(':') ? `[${address}]` : address
      return {
        name,
        id,
        address: `${host}:${tags['port'] ?? ''}`,
        version: (tags['build'] ?? '').split(':')[0] ?? '',
        // Accused is not judged.
        status: status === 'suspect' ? 'alive' : status,
        expect: tags['bootstrap'] === '1' ? 1 : Number(tags['expect'] ?? 0) || 0,
        stage: readStage(tags[STAGE_TAG]),
      }
    })
    .sort((a, b) => (a.id < b.id ? -1 : 1))
}

/**
 * What a server without a cluster does next. Who founds one: the lowest by id of as many servers as all of them expect, once all of them
 * have promised it; so two of them never do. Whoever hears of a cluster joins it. `own` is among the servers, as it is now.
 */
export function planOf(own: Pick<Server, 'id' | 'expect' | 'stage'>, servers: readonly Server[]): Plan {
  const others = servers.filter(({ id, status }) => id !== own.id && status !== 'left')
  const inClusters = others.filter(({ stage }) => stage.is === 'in')
  if (own.stage.is === 'holds') {
    const [first] = inClusters
    return first ? { do: 'complain', why: `this server has state for a new cluster, but ${first.name} is in one already` } : { do: 'found' }
  }
  if (inClusters.length > 0) {
    const through = inClusters.filter(({ status }) => status === 'alive')
    if (through.length > 0) return { do: 'join', through }
    return { do: 'wait', why: `none of the servers that have a cluster is there: ${inClusters.map(({ name }) => name).join(', ')}` }
  }
  const there = others.filter(({ status }) => status === 'alive')
  const holder = there.find(({ stage }) => stage.is === 'holds')
  if (holder) return { do: 'wait', why: `${holder.name} founds the cluster, with the state that it has` }
  const expects = [own, ...there].filter(({ expect }) => expect > 0)
  const differing = there.find(({ expect }) => expect > 0 && own.expect > 0 && expect !== own.expect)
  if (differing) {
    return {
      do: 'complain',
      why: `all servers must expect the same number: this one has bootstrap_expect ${own.expect}, ${differing.name} has ${differing.expect}`,
    }
  }
  const expect = expects[0]?.expect ?? 0
  if (expect === 0) return { do: 'wait', why: 'there is no cluster to join, and no server has bootstrap_expect' }
  if (there.length + 1 < expect) return { do: 'wait', why: `${there.length + 1} of ${expect} servers are there` }
  return promisePlan(own, there, expects[0] ? expects : [own])
}

function promisePlan(
  own: Pick<Server, 'id' | 'expect' | 'stage'>,
  there: readonly Server[],
  founders: readonly Pick<Server, 'id'>[],
): Plan {
  const given = own.stage.is === 'promised' ? own.stage.to : undefined
  const stillThere = given === own.id || there.some(({ id }) => id === given)
  const to = given !== undefined && stillThere ? given : founders.map(({ id }) => id).reduce((a, b) => (a < b ? a : b))
  if (given !== to) return { do: 'promise', to }
  if (to !== own.id) return { do: 'wait', why: `${there.find(({ id }) => id === to)?.name} founds the cluster` }
  const missing = there.filter(({ stage }) => stage.is !== 'promised' || stage.to !== own.id)
  if (missing.length === 0) return { do: 'found' }
  return { do: 'wait', why: `${missing.map(({ name }) => name).join(', ')} did not leave the founding to this server yet` }
}

export type CleanUp = { readonly cleansUp: boolean; readonly minQuorum: number; readonly expect: number }

/**
 * The member that goes next: one whose server has left, or, if that is wanted, has failed or lost what it had while as many as are
 * expected vote without it. More than half of those who vote always stay, and are there.
 */
export function memberToRemove(
  members: readonly EtcdMember[],
  servers: readonly Server[],
  { cleansUp, minQuorum, expect }: CleanUp,
): EtcdMember | undefined {
  const statusOf = new Map(servers.map(({ id, status }) => [id, status]))
  const byAddress = new Map(servers.map(({ address, status }) => [address, status]))
  const isGone = ({ name, url }: EtcdMember, ...wanted: (string | undefined)[]) =>
    wanted.includes(name === '' ? byAddress.get(addressOf(url)) : statusOf.get(name))
  const voters = members.filter(({ learns }) => !learns)
  const well = voters.filter((member) => isGone(member, 'alive'))
  const mayGo = well.length * 2 > voters.length
  const learner = members.find((member) => member.learns && isGone(member, 'left', 'failed'))
  if (learner) return learner
  if (!mayGo) return undefined
  const left = voters.find((member) => isGone(member, 'left'))
  if (left) return left
  if (!cleansUp || well.length < Math.max(minQuorum, expect)) return undefined
  return voters.find((member) => isGone(member, 'failed', undefined))
}

/** `host:port` of a peer's URL. */
export function addressOf(url: string): string {
  return url.replace(/^https?:\/\//, '')
}

function readStage(text = ''): Stage {
  const [is, rest] = text.split(':', 2)
  if (is === 'promised' && rest !== undefined) return { is, to: rest }
  if (is === 'in' && rest !== undefined) return { is, cluster: rest }
  return { is: is === 'holds' ? is : 'new' }
}
