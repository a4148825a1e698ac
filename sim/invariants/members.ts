import { membersOf } from '../members/group.ts'
import { perRun } from '../per-run.ts'
import type { Run } from '../run.ts'
import type { Invariant } from './invariant.ts'

/** One look serves all. */
const looked = perRun((_run: Run) => ({ atMs: -1, found: {} as ReturnType<ReturnType<typeof membersOf>['look']> }))

export const healthyMembersStay: Invariant = {
  name: 'healthy-members-stay',
  sentence: 'no member counts another one as failed while both are well and reach everybody, whoever else stalls or crashes',
  when: 'always',
  broken: (run) => foundIn(run).healthy,
}

export const incarnationsNeverGoBack: Invariant = {
  name: 'incarnations-never-go-back',
  sentence: 'for no member does the incarnation of another one ever go back',
  when: 'always',
  broken: (run) => foundIn(run).back,
}

export const leftStaysLeft: Invariant = {
  name: 'left-stays-left',
  sentence: 'a member that has left is gone for whoever knows that until it comes back, with a higher incarnation',
  when: 'always',
  broken: (run) => foundIn(run).left,
}

export const membersAgree: Invariant = {
  name: 'members-agree',
  sentence: 'once their trouble has ended, all members that run know of all members that run, and of no other',
  when: 'always',
  marks: [{ name: 'members agreed', kind: 'members.found', events: 2, chance: 0.8 }],
  broken: (run) => membersOf(run).endIfDue(),
}

function foundIn(run: Run): { healthy?: string; back?: string; left?: string } {
  const last = looked(run)
  if (last.atMs !== run.world.nowMs) {
    last.atMs = run.world.nowMs
    last.found = membersOf(run).look()
  }
  return last.found
}
