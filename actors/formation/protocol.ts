import type { CertificateAuthority, EtcdPeer } from '../../src/kernel/ports.ts'
import { type Call, refOf } from '../../src/kernel/protocol.ts'
import type { Token } from '../authorize.ts'

/** How the servers that each have an etcd of their own come to be one cluster, and stay one when some of them come and go. */
export type FormationProtocol = {
  /**
   * Of another server: it is to be a member. Answered with what it needs to be one; it learns before it may vote. `forbidden`: it is no
   * server of this datacenter that others see alive. `busy`: this server is no member itself, or another one is just learning.
   */
  admit: Call<{ id: string; url: string }, Admission>
  /** How this server is, for others. */
  /** Refused if the server cannot reach its log. */
  status: Call<null, ServerStatus>
  /** The members of the cluster. Without an etcd of its own `members` is undefined. `busy`: the cluster does not answer. */
  members: Call<null, { members?: ClusterMember[]; term: number }>
  /** Takes a server out by its id, or by host:port. `missing`: there is no such server. */
  remove: Call<{ id: string; address: string; token: Token }, null>
  /** Goes out of the cluster, unless nobody else is in it. */
  leave: Call<null, null>
  /**
   * Makes the state of a server that shares it with nobody the one that a cluster begins with: the next start may share it. `conflict`:
   * it is shared already.
   */
  migrate: Call<{ token: Token }, { id: string }>
}

export const formationRef = refOf<FormationProtocol>('formation')

/** `members`: all there are, the new one too. */
export type Admission = { authority: CertificateAuthority; members: EtcdPeer[] }
/** `index`: the last one it has. `startedMs`: since when it runs, on its clock. `contactMs`: what it took to hear of its log just now. */
export type ServerStatus = { index: number; startedMs: number; contactMs: number }
/** `id` is the server's, '' if it has not begun yet; `address` host:port. `serf`: '' if nobody knows it. */
export type ClusterMember = {
  id: string
  name: string
  address: string
  votes: boolean
  leads: boolean
  serf: '' | 'alive' | 'failed' | 'leaving' | 'left'
  version: string
}

/** `own` undefined: this agent has no etcd of its own. */
export type FormationArgs = {
  own: OwnServer | undefined
  /** Whether the state is shared, with an etcd of its own or another one. */
  shares: boolean
}

export type OwnServer = {
  id: string
  name: string
  datacenter: string
  /** So many servers found a cluster; 0: this one founds none. */
  expect: number
  /** Where peers reach its etcd. */
  url: string
  tags: Readonly<Record<string, string>>
  /** What holds until the cluster's own settings say something else. */
  cleansUp: boolean
  minQuorum: number
}
