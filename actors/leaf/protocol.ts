import { type Call, type Feed, refOf } from '../../src/kernel/protocol.ts'
import type { Token } from '../authorize.ts'

/** Certificates of this agent's services, made when first asked for and renewed before they end. */
export type LeafProtocol = {
  /** The newest leaf; its index is its serial number. Nothing comes while none could be made. */
  leaf: Feed<{ service: string; token: Token }, Leaf>
  /** The present leaf, from the active root. Refused as the authority refused. */
  get: Call<{ service: string; token: Token }, { leaf: Leaf; cached: boolean; ageMs: number }>
}

export type Leaf = {
  service: string
  /** The leaf, then certificates that lead to an older root. */
  certPem: string
  keyPem: string
  /** Colon-separated hex. */
  serial: string
  uri: string
  /** Key identifier of the root that signed. */
  signingKeyId: string
  validAfterMs: number
  validBeforeMs: number
  /** Grows with every leaf, across restarts too. */
  index: number
}

export const leafRef = refOf<LeafProtocol>('leaf')
