import { type Call, refOf } from '../../src/kernel/protocol.ts'
import type { Token } from '../authorize.ts'

/** The certificate authority. Its roots and settings are read from the tables: see queries.ts. */
export type CaProtocol = {
  /** Signs a CSR whose first URI is a service or agent of this datacenter and trust domain. `busy` when the rate limit is reached. */
  sign: Call<{ csrPem: string; token: Token }, SignedLeaf>
  /** Changes the lifetime of future leaves. `config` is the provider's configuration as it was written; what it does not name stays. */
  configure: Call<{ leafCertTtlMs: number; config: Record<string, unknown>; token: Token }, null>
}

export type SignedLeaf = {
  /** The leaf, then the certificates that lead to an older root. */
  certPem: string
  /** Grows with every certificate and is never given twice. */
  serial: number
  uri: string
  rootId: string
  /** Key identifier of the root that signed. */
  signingKeyId: string
  validAfterMs: number
  validBeforeMs: number
}

export const caRef = refOf<CaProtocol>('ca')
