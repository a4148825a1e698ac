import type { AuthorityConfig, AuthorityOutcome, AuthorityState, PreparedAuthority, SignerOutcome } from '../../src/kernel/ports.ts'
import type { Caller, Cast } from '../../src/kernel/protocol.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import type { Token } from '../authorize.ts'
import type { Seen } from './commands.ts'
import type { CaChange, CaPlan, SignedLeaf } from './protocol.ts'
import type { CaSettings } from './tables.ts'

/** With what an authority is founded where there is none: the provider's configuration, with its secrets. */
export type CaArgs = {
  enabled: boolean
  datacenter: string
  settings: CaSettings
  config: Record<string, unknown>
}

/** The authority's private messages: the steps that make a first root, those that sign, those of a change, and what is due by itself. */
export type CaOwn = {
  foundingPrepared: Cast<Result<AuthorityOutcome>>
  founded: Cast<Result<{ founded: boolean }>>
  foundAgain: Cast<null>

  changed: Cast<null>
  paced: Cast<Job>
  read: Cast<{ job: Job; outcome: Result<SignerOutcome> }>
  reserved: Cast<Result<{ from: number }>>
  made: Cast<{ job: Job; leaf: Omit<SignedLeaf, 'certPem' | 'serialText'>; intermediatesPem: string[]; outcome: Result<AuthorityOutcome> }>

  changeNumbered: Cast<{ id: string; result: Result<{ from: number }> }>
  changePrepared: Cast<{ id: string; outcome: Result<AuthorityOutcome> }>
  changeCrossSigned: Cast<{ id: string; prepared: PreparedAuthority; outcome: Result<AuthorityOutcome> }>
  changeSettled: Cast<{ id: string; result: Result<null> }>
  changeOverdue: Cast<{ id: string }>
  aborted: Cast<{ caller: Caller<{ rootId: string }>; result: Result<{ rootId: string }> }>

  tend: Cast<null>
  tended: Cast<{ what: string; result: Result<unknown> }>
  removed: Cast<{ rootId: string; outcome: Result<AuthorityOutcome> }>
  removeAgain: Cast<{ what: string }>
  check: Cast<null>
  checked: Cast<{ rootId: string; outcome: Result<AuthorityOutcome> }>
}

/** One CSR on its way. `uri` and `commonName` are what the certificate will say, '' until it was judged. */
export type Job = { caller: Caller<SignedLeaf>; csrPem: string; token: Token; uri: string; commonName: string }

/** What signs now. */
export type Authority = {
  rootId: string
  signingKeyId: string
  intermediatesPem: string[]
  /** When the root ends, or what is between it and leaves: no leaf lives longer. */
  notAfterMs: number
  settings: CaSettings
  trustDomain: string
  config: AuthorityConfig
  state: AuthorityState
}

/** A change of the configuration on its way. Nobody waits for one that came by itself. */
export type Change = Omit<CaChange, 'token'> & {
  id: string
  caller: Caller<{ plan: CaPlan | undefined }> | undefined
  seen: Seen
  /** The serial numbers of a new root and of what leads from it to the old one. */
  serial: number
  crossSerial: number
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
  change: Change | undefined
  /** What of its duties was proposed and has no answer yet. */
  tending: Set<string>
  /** How often it was tried to remove what was made for a retired root. */
  removals: Map<string, number>
  /** The rotation of which it was said that it takes long. */
  saidWaiting: string
  /** The root whose provider is looked after. */
  checking: string
}
