import { createBuiltInAuthority } from '../../src/authorities/built-in.ts'
import type { AuthorityOutcome, AuthorityRequest, Device, SignerOutcome, SignerRequest } from '../../src/kernel/ports.ts'
import { refuse } from '../../src/kernel/refusal.ts'

/**
 * Authorities over the simulated signer. The built-in one is the real one. Those of other programs are the built-in one by another
 * name; `aws-pca` signs no other root. Files there are none of.
 */
export function createSimAuthority(signer: Device<SignerRequest, SignerOutcome>): Device<AuthorityRequest, AuthorityOutcome> {
  const builtIn = createBuiltInAuthority(signer)
  return {
    perform(request, done, event) {
      const { authority } = request
      if (authority.provider === 'external') return done(refuse('invalid', 'CertFile: there are no files in a simulation'))
      if (authority.provider !== 'aws-pca') return builtIn.perform(request, done, event)
      builtIn.perform({ ...request, authority: { ...authority, config: { ...authority.config, DisableCrossSigning: true } } }, done, event)
    },
  }
}
