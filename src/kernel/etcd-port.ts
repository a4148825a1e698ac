import type { CertificateAuthority } from './ports.ts'

/**
 * The etcd of this server's own: a program that runs for as long as the agent does, and the cluster that it is a member of. One that ends
 * is started again, later and later. Members know each other by certificates of one authority. Who is to be a member is not decided here.
 */
export type EtcdRequest =
  /** What is there from an earlier life. */
  | { do: 'look' }
  /** The authority of a cluster that does not exist yet: what is kept, or a new one. */
  | { do: 'authorize' }
  /**
   * Has the member run. `members`: all there are with it, itself too; only itself if it founds the cluster. Both count only if it has
   * nothing from an earlier life. Done once it was started; nothing says that it answers. `busy`: it was not started, and nothing will.
   */
  | { do: 'start'; name: string; members: readonly EtcdPeer[]; founds: boolean; authority: CertificateAuthority }
  /** Ends it and removes all that it kept, but for the authority. */
  | { do: 'forget' }
  /** Who belongs to the cluster. As all of the following: `busy` or `late` if the program does not answer, or does not find the others. */
  | { do: 'members' }
  /** One more member, which learns before it may vote. `busy`: another one learns. `conflict`: it would harm the cluster. */
  | { do: 'add'; url: string }
  /** Lets a member vote. `conflict`: it does not know enough yet. */
  | { do: 'promote'; id: string }
  /** `missing`: there is no such member. `conflict`: it would harm the cluster. */
  | { do: 'remove'; id: string }
/** `name` is the server's id, '' if it has not begun yet; `url` is where the others reach it. */
export type EtcdPeer = { name: string; url: string }
/** `id`: lower-case hex. */
export type EtcdMember = EtcdPeer & { id: string; learns: boolean }
/** Each request fills what it is asked for. */
export type EtcdOutcome = {
  /** Of `look`: whether there is a member from an earlier life. */
  isMember?: boolean
  authority?: CertificateAuthority
  /** Of all that ask the cluster. */
  members?: EtcdMember[]
  /** Of `members`: lower-case hex. `leader` is the member that leads, as far as this one knows; '' for none. */
  cluster?: string
  leader?: string
  term?: number
}
export type EtcdEvent =
  /** The program ended. `isOut`: the others have removed this member, and it cannot be one any more; it is not started again. */
  { did: 'ended'; why: string; isOut: boolean }
