import type { LinkMember } from '../../src/kernel/link-ports.ts'
import type { Member } from '../membership/protocol.ts'

/** Whether a member is not known to be gone. */
export function isThere({ status }: Member): boolean {
  return status !== 'failed' && status !== 'left'
}

/** The members with which this agent may have links. */
export function linkedOf(members: readonly Member[]): Member[] {
  return members.filter((member) => isThere(member) && !member.isSelf && member.peer !== '')
}

/** What a device for links is told of a member. */
export function linkMember({ name, peer, address, port }: Member): LinkMember {
  return { node: name, peer, host: address, port }
}
