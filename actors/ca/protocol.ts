import { type Call, refOf } from '../../src/kernel/protocol.ts'
import type { Token } from '../authorize.ts'
import type { CaProvider, CaSettings } from './tables.ts'

/** The certificate authority. Its roots and settings are read from the tables: see queries.ts. */
export type CaProtocol = {
  /** Signs a CSR whose first URI is a service or agent of this datacenter and trust domain. `busy` when the rate limit is reached. */
  sign: Call<{ csrPem: string; token: Token }, SignedLeaf>
  /** Changes provider and settings as a whole; if that means another root, a rotation begins. One change at a time: others are `busy`. */
  configure: Call<CaChange, { plan: CaPlan | undefined }>
  /** Goes back to the root before the rotation under way. `missing` if there is none, or that root is not trusted any more. */
  abort: Call<{ token: Token }, { rootId: string }>
  /** Reads again what the provider has outside of the cluster: the files of an external authority. */
  refresh: Call<null, { plan: CaPlan | undefined }>
}

export type CaChange = {
  provider: CaProvider
  /** With the API's names, as it was written. */
  config: Record<string, unknown>
  settings: CaSettings
  /** Only says what would happen. */
  rehearse: boolean
  token: Token
}

/** What a change would do. */
export type CaPlan = {
  does: 'nothing' | 'settings' | 'rotation'
  /** Why it would be refused as it was asked for; '' if it would not. */
  refusedWhy: string
  /** '' where the root would have to be made first. */
  rootId: string
  keyType: string
  keyBits: number
  /** A certificate leads from the new root to the old one. Else the new one is only trusted, until every sidecar has it. */
  crossSigned: boolean
  /** Sidecars that tell what they have in force, and how many of them trust the active root; who does not, as `node/service`. */
  proxies: number
  trusting: number
  behind: string[]
  /** Members of the mesh that do not tell. */
  silent: number
  /** Leaves to be made anew, and how long that takes at least. */
  leaves: number
  leavesMs: number
  /** When the old root can be taken out at the earliest, in ms since 1970; 0 if it stays. */
  retireAtMs: number
}

export type SignedLeaf = {
  /** The leaf, then the certificates that lead to an older root. */
  certPem: string
  /** Grows with every certificate and is never given twice. */
  serial: number
  /** Of the certificate, colon-separated lower-case hex: that of `serial`, unless the provider chooses itself. */
  serialText: string
  uri: string
  rootId: string
  /** Key identifier of what signed: the root, or an intermediate of it. */
  signingKeyId: string
  validAfterMs: number
  validBeforeMs: number
}

export const caRef = refOf<CaProtocol>('ca')
