import { createBuiltInAuthority } from '../../src/authorities/built-in.ts'
import type { AuthorityConfig, Device, SignerOutcome, SignerRequest } from '../../src/kernel/ports.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { createAwsAuthority } from './aws-pca.ts'
import type { Authorities } from './certificates.ts'
import { createExternalAuthority } from './external.ts'
import { createVaultAuthority } from './vault.ts'

export type { Authorities }

/** Who can be the cluster's certificate authority: one file each. */
export function createAuthorities(signer: Device<SignerRequest, SignerOutcome>): Authorities {
  const providers: Partial<Record<AuthorityConfig['provider'], Authorities>> = {
    consul: createBuiltInAuthority(signer),
    external: createExternalAuthority(signer),
    'aws-pca': createAwsAuthority(signer),
    vault: createVaultAuthority(signer),
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
