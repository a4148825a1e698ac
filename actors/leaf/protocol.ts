import { type Call, type Feed, refOf } from '../../src/kernel/protocol.ts'
import type { Token } from '../authorize.ts'

/** Certificates of this agent's services, made when first asked for and renewed before they end. */
export type LeafProtocol = {
  /** The newest leaf; its index is its serial number. Nothing comes while none could be made. */
  leaf: Feed<{ service: string; token: Token }, Leaf>
  /** The present leaf, from the active root. Refused as the authority refused. */
  get: Call<{ service: string; token: Token }, { leaf: Leaf; cached: boolean; ageMs: number }>
  /** What is known of the service's present leaf if that has this serial number; null otherwise. Makes none. */
  find: Call<{ service: string; serial: string }, LeafFacts | null>
}

export type LeafFacts = Pick<Leaf, 'signingKeyId' | 'validBeforeMs' | 'issuedMs' | 'renewAtMs' | 'renewalWhy'>

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
  /** When this agent got it, and when it means to have a newer one; 0 if it is not this agent that renews it. */
  issuedMs: number
  renewAtMs: number
  /** Why a newer one could not be had; '' unless that was tried and failed. */
  renewalWhy: string
  /** Grows with every leaf that this agent gets, across its restarts too, whoever signs them. */
  index: number
}

export const leafRef = refOf<LeafProtocol>('leaf')
