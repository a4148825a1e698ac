import { nodeOf } from '../../src/kernel/far.ts'
import type { EtcdOutcome, EtcdPeer } from '../../src/kernel/ports.ts'
import type { Caller } from '../../src/kernel/protocol.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { addressOf, memberToRemove } from './plan.ts'
import type { Admission } from './protocol.ts'
import { type FormationState, type FormationTurn, rulesOf } from './state.ts'

type Admitting = { caller: Caller<Admission>; peer: EtcdPeer; tries: number; outcome: Result<EtcdOutcome> }

/** Each former member at the same address, or with the same id, takes one. */
const TRIES_MAX = 3

/** Why a server is not admitted; undefined if it may be. `caller`: who asks. */
export function admission(
  { phase, servers }: FormationState,
  { id, url }: { id: string; url: string },
  caller: Pick<Caller, 'peer'>,
): Refusal | undefined {
  if (phase !== 'running') return refuse('busy', 'this server is no member of a cluster itself')
  const server = servers.find((one) => one.id === id)
  if (server?.status !== 'alive') return refuse('forbidden', `no server with the id ${id} is known to be alive`)
  const asker = nodeOf(caller)
  if (asker !== undefined && asker !== server.name) return refuse('forbidden', `${asker} is not ${server.name}`)
  if (addressOf(url) !== server.address) return refuse('forbidden', `${server.name} is at ${server.address}, not at ${addressOf(url)}`)
  return undefined
}

/**
 * One step towards a new member. Who was there under its name or at its address goes first, since it has nothing any more; then one that
 * has failed, whose place the new one takes: etcd takes no further member while one is away.
 */
export function admittedBy(state: FormationState, turn: FormationTurn, { caller, peer, tries, outcome }: Admitting): void {
  if (isRefused(outcome)) return turn.answer(caller, outcome)
  const { members = [] } = outcome
  const { cleansUp, minQuorum } = rulesOf(state, turn.view)
  const replaced = () => memberToRemove(members, state.servers, { cleansUp, minQuorum: minQuorum - 1, expect: 0 })
  const before = members.find(({ name, url }) => name === peer.name || url === peer.url) ?? replaced()
  if (!before) {
    turn.act('etcd', { do: 'add', url: peer.url }, { then: (added) => ({ name: 'admitted', request: { caller, outcome: added } }) })
    return
  }
  if (before.name === '' && before.url === peer.url) return turn.answer(caller, admitted(state, outcome))
  if (tries >= TRIES_MAX) return turn.answer(caller, refuse('busy', 'the cluster changes'))
  const next = (removed: Result<EtcdOutcome>) => ({
    name: 'admitting' as const,
    request: { caller, peer, tries: tries + 1, outcome: removed },
  })
  turn.act('etcd', { do: 'remove', id: before.id }, { then: next })
}

/** Who has not begun yet is named by its server: etcd wants a name for each. */
export function admitted({ authority, servers }: FormationState, outcome: Result<EtcdOutcome>): Result<Admission> {
  if (isRefused(outcome)) return outcome
  if (!authority) return refuse('busy', 'this server has no authority yet')
  const members = (outcome.members ?? []).map(({ name, url }): EtcdPeer => {
    const server = servers.find(({ address }) => address === addressOf(url))
    return { name: name === '' ? (server?.id ?? 'unknown') : name, url }
  })
  return { authority, members }
}
