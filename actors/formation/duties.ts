import type { EtcdOutcome } from '../../src/kernel/ports.ts'
import { membershipRef } from '../membership/protocol.ts'
import { leaderOf } from '../servers/commands.ts'
import { addressOf, memberToRemove, planOf, STAGE_TAG, type Stage, stageText } from './plan.ts'
import { type ClusterMember, formationRef } from './protocol.ts'
import { type FormationState, type FormationTurn, rulesOf } from './state.ts'

export type Listed = { members?: ClusterMember[]; term: number }

const ADMIT_WITHIN_MS = 10_000
const TAG_WITHIN_MS = 5_000

/** One look at whether there can be a cluster now. */
export function gather(state: FormationState, turn: FormationTurn): void {
  const { own } = state.args
  if (!own) return
  const plan = planOf({ id: own.id, expect: own.expect, stage: state.stage }, state.servers)
  switch (plan.do) {
    case 'wait':
      return say(state, turn, 'info', plan.why)
    case 'complain':
      return say(state, turn, 'error', plan.why)
    case 'promise':
      return noteStage(state, turn, { is: 'promised', to: plan.to })
    case 'found':
      state.phase = 'asking'
      return turn.act('etcd', { do: 'authorize' }, { then: (outcome) => ({ name: 'founded', request: { outcome } }) })
    case 'join': {
      const through = plan.through[state.through % plan.through.length]
      if (!through) return
      state.phase = 'asking'
      const request = { id: own.id, url: own.url }
      return turn.call({ ...formationRef, node: through.name }, 'admit', request, {
        withinMs: ADMIT_WITHIN_MS,
        then: (result) => ({ name: 'admission', request: { result } }),
      })
    }
  }
}

/** Lets the others know how far this server is. */
export function noteStage(state: FormationState, turn: FormationTurn, stage: Stage): void {
  const { own } = state.args
  if (!own || stageText(stage) === stageText(state.stage)) return
  state.stage = stage
  const tags = stage.is === 'new' ? { ...own.tags } : { ...own.tags, [STAGE_TAG]: stageText(stage) }
  turn.call(membershipRef, 'tag', { tags }, { withinMs: TAG_WITHIN_MS, then: (result) => ({ name: 'tagged', request: { result } }) })
}

/** What members see to: those who have learned may vote, and, by the one that leads, those who are gone go out. */
export function keepUp(state: FormationState, turn: FormationTurn, { members = [], cluster = '', leader = '' }: EtcdOutcome): void {
  const { own } = state.args
  const self = members.find(({ name }) => name === own?.id)
  if (!own || !self || leader === '') return
  if (!isFounded(state)) turn.print('info', 'This server is a member of the cluster of servers', { members: members.length })
  noteStage(state, turn, { is: 'in', cluster })
  const learner = members.find(({ learns, name }) => learns && name !== '')
  if (learner) {
    const what = `${nameOf(state, learner.name)} votes from now on`
    turn.act('etcd', { do: 'promote', id: learner.id }, { then: (outcome) => ({ name: 'changed', request: { what, outcome } }) })
  }
  if (leaderOf(turn.view) !== own.id) return
  const gone = memberToRemove(members, state.servers, { ...rulesOf(state, turn.view), expect: own.expect })
  if (!gone || gone.id === self.id) return
  const what = `${nameOf(state, gone.name)} is no server of the cluster any more`
  turn.act('etcd', { do: 'remove', id: gone.id }, { then: (outcome) => ({ name: 'changed', request: { what, outcome } }) })
}

/** Whether this server is in a cluster that works. */
export function isFounded({ stage }: FormationState): boolean {
  return stage.is === 'in'
}

export function shownMembers(
  { servers, args: { own } }: FormationState,
  { members = [], term = 0 }: EtcdOutcome,
  leader: string | undefined,
): Listed {
  const shown = members.map(({ name, url, learns }): ClusterMember => {
    const server = servers.find(({ id, address }) => (name === '' ? address === addressOf(url) : id === name))
    return {
      id: name,
      name: server?.name ?? (name === own?.id ? own.name : ''),
      address: addressOf(url),
      votes: !learns,
      leads: name !== '' && name === leader,
      serf: server?.status ?? (name === own?.id ? 'alive' : ''),
      version: server?.version ?? '',
    }
  })
  return { members: shown.sort((a, b) => (a.id < b.id ? -1 : 1)), term }
}

function nameOf({ servers }: FormationState, id: string): string {
  return servers.find((server) => server.id === id)?.name ?? (id === '' ? 'A server that never began' : id)
}

/** Once for as long as it does not change. */
export function say(state: FormationState, turn: FormationTurn, level: 'info' | 'error', why: string): void {
  if (state.said === why) return
  state.said = why
  turn.print(level, 'There is no cluster of servers yet', { reason: why })
}
