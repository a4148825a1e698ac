import type { CertificateAuthority, KeyType, SignerOutcome } from '../../src/kernel/ports.ts'
import type { Caller, Cast } from '../../src/kernel/protocol.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import type { Token } from '../authorize.ts'
import type { SignedLeaf } from './protocol.ts'
import type { CaSettings } from './tables.ts'

/** With what an authority is founded. A key and a root are given together or made: then both texts are ''. */
export type CaArgs = {
  enabled: boolean
  datacenter: string
  settings: CaSettings
  privateKeyPem: string
  rootCertPem: string
  keyType: KeyType
  keyBits: number
}

/** The authority's private messages: the steps that make a first root, then those that sign. */
export type CaOwn = {
  keyMade: Cast<Result<SignerOutcome>>
  rootMade: Cast<{ keyPem: string; outcome: Result<SignerOutcome> }>
  rootRead: Cast<{ keyPem: string; certPem: string; outcome: Result<SignerOutcome> }>
  founded: Cast<Result<{ founded: boolean }>>
  foundAgain: Cast<null>

  changed: Cast<null>
  paced: Cast<Job>
  read: Cast<{ job: Job; outcome: Result<SignerOutcome> }>
  reserved: Cast<Result<{ from: number }>>
  made: Cast<{ job: Job; leaf: Omit<SignedLeaf, 'certPem'>; intermediatesPem: string[]; outcome: Result<SignerOutcome> }>
  settled: Cast<{ caller: Caller<null>; result: Result<null> }>
}

/** One CSR on its way. `uri` and `commonName` are what the certificate will say, '' until it was judged. */
export type Job = { caller: Caller<SignedLeaf>; csrPem: string; token: Token; uri: string; commonName: string }

export type Authority = CertificateAuthority & {
  rootId: string
  signingKeyId: string
  intermediatesPem: string[]
  settings: CaSettings
  trustDomain: string
}

export type CaState = {
  args: CaArgs
  authority: Authority | undefined
  founding: { clusterId: string; failures: number; underWay: boolean }
  /** Serial numbers reserved for this life of the actor: from `next`, below `until`. */
  serials: { next: number; until: number }
  reserving: boolean
  /** Read and allowed, waiting for a serial number. */
  ready: Job[]
  underWay: number
  /** Wall-clock ms before which the rate limit lets no other CSR in. */
  nextSlotMs: number
}
