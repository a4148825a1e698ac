import { createBuiltInAuthority } from '../../src/authorities/built-in.ts'
import type { AuthorityConfig, AuthorityOutcome, AuthorityRequest, Device, SignerOutcome, SignerRequest } from '../../src/kernel/ports.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { createExternalAuthority } from './external.ts'

export type Authorities = Device<AuthorityRequest, AuthorityOutcome>

/** Who can be the cluster's certificate authority: one file each. */
export function createAuthorities(signer: Device<SignerRequest, SignerOutcome>): Authorities {
  const providers: Partial<Record<AuthorityConfig['provider'], Authorities>> = {
    consul: createBuiltInAuthority(signer),
    external: createExternalAuthority(signer),
  }
  return {
    perform(request, done, event) {
      const { provider } = request.authority
      const chosen = providers[provider]
      if (!chosen) return done(refuse('invalid', `unknown CA provider ${JSON.stringify(provider)}`))
      chosen.perform(request, done, event)
    },
  }
}
