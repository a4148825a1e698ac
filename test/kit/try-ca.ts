import { ca } from '../../actors/ca/index.ts'
import type { CaArgs } from '../../actors/ca/state.ts'
import { createAuthorities } from '../../net/authorities/index.ts'
import { createSigner } from '../../net/signer.ts'
import type { AuthorityRequest, Device, SignerOutcome, SignerRequest } from '../../src/kernel/ports.ts'
import { type Result, refuse } from '../../src/kernel/refusal.ts'
import { asking, granted } from './asking.ts'
import { CA_SETTINGS } from './ca.ts'
import { emptyTables } from './tables.ts'
import { tryActor } from './try-actor.ts'

export const NOW_MS = Date.UTC(2026, 10, 23)
export const ARGS: CaArgs = { enabled: true, datacenter: 'dc1', settings: CA_SETTINGS, config: { LeafCertTTL: '1h' } }

/** An authority whose signer and providers work while `run` is called. */
export function tryCa(args: CaArgs = ARGS, tables = emptyTables(), commits: 'apply' | 'keep' = 'apply') {
  const signer = createSigner()
  const authorities = createAuthorities(signer)
  const a = tryActor(ca, { args, tables, nowMs: NOW_MS, commits })
  const run = () => {
    while (a.acts('signer').length + a.acts('authority').length > 0) {
      const [request] = a.acts('signer') as SignerRequest[]
      if (request) {
        a.outcome('signer', outcomeOf(signer, request))
        continue
      }
      a.outcome('authority', outcomeOf(authorities, a.acts('authority')[0] as AuthorityRequest))
    }
  }
  /** As `run`, for RSA keys and files, which take their time. */
  const settle = async () => {
    while (a.acts('signer').length + a.acts('authority').length > 0) {
      const [request] = a.acts('signer') as SignerRequest[]
      if (request) a.outcome('signer', await asking(signer)(request))
      else a.outcome('authority', await asking(authorities)(a.acts('authority')[0] as AuthorityRequest))
    }
  }
  return { a, run, settle, tables, ask: (request: SignerRequest) => granted(outcomeOf(signer, request)) }
}

function outcomeOf<Request, Outcome>(device: Device<Request, Outcome>, request: Request): Result<Outcome> {
  let outcome: Result<Outcome> = refuse('late', 'the device answers at once')
  device.perform(
    request,
    (result) => (outcome = result),
    () => undefined,
  )
  return outcome
}

export function csrFor(ask: (request: SignerRequest) => SignerOutcome, uri: string): string {
  return ask({ do: 'key', type: 'ec', bits: 256, request: { commonName: 'web', uri } }).csrPem ?? ''
}
