import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { createAuthorities } from '../../net/authorities/index.ts'
import { createSigner } from '../../net/signer.ts'
import { createSimAuthority } from '../../sim/ports/authority.ts'
import { createSimSigner } from '../../sim/ports/signer.ts'
import type { AuthorityConfig, AuthorityOutcome, AuthorityRequest, SignerOutcome, SignerRequest } from '../../src/kernel/ports.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { asking, granted } from '../kit/asking.ts'
import { lifetime, newRoot, TRUST_DOMAIN } from '../kit/authority.ts'
import { startAws } from '../kit/aws-pca.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { seeded } from '../kit/try-actor.ts'
import { startVault } from '../kit/vault.ts'

/** One authority to be held to the port's contract. */
export type AuthorityArm = {
  authority: AuthorityConfig
  ask: (request: AuthorityRequest) => Promise<Result<AuthorityOutcome>>
  askSigner: (request: SignerRequest) => Promise<Result<SignerOutcome>>
  /** Whether there are certificates that OpenSSL can read. */
  isReal: boolean
  crossSigns: boolean
  /** What must not be in any text. */
  secrets: string[]
}

type Configured = { provider: AuthorityConfig['provider']; config: Record<string, unknown>; crossSigns: boolean; secrets: string[] }

/** Every provider, and what it is configured with. */
export const authorityArms: readonly [name: string, open: (t: ExecutionContext) => Promise<AuthorityArm>][] = [
  ['built-in', async () => real({ provider: 'consul', config: {}, crossSigns: true, secrets: [] })],
  ['built-in, simulated', async () => simulated()],
  ['external', async (t) => real(await external(t))],
  ['Vault before 1.11', async (t) => real(await vault(t, false))],
  ['Vault', async (t) => real(await vault(t, true))],
  ['AWS Private CA', async (t) => real(await aws(t))],
]

function real({ provider, config, crossSigns, secrets }: Configured): AuthorityArm {
  const signer = createSigner()
  const authority = authorityOf(provider, config)
  return { authority, ask: asking(createAuthorities(signer)), askSigner: asking(signer), isReal: true, crossSigns, secrets }
}

function simulated(): AuthorityArm {
  const signer = createSimSigner({ random: seeded(1) })
  const ask = asking(createSimAuthority(signer))
  return { authority: authorityOf('consul', {}), ask, askSigner: asking(signer), isReal: false, crossSigns: true, secrets: [] }
}

function authorityOf(provider: AuthorityConfig['provider'], config: Record<string, unknown>): AuthorityConfig {
  return { provider, config, trustDomain: TRUST_DOMAIN, clusterId: TRUST_DOMAIN.replace('.consul', ''), datacenter: 'dc1' }
}

async function external(t: ExecutionContext): Promise<Configured> {
  const askSigner = asking(createSigner())
  const [root, own] = [await newRoot(askSigner), await newRoot(askSigner, 'ec', 256, 9)]
  const crossing: SignerRequest = { do: 'cross-sign', certPem: own.certPem, by: root, serial: 9, ...lifetime(9) }
  const { certPem = '' } = granted(await askSigner(crossing))
  const folder = temporaryDirectory(t)
  const files = { CertFile: certPem, KeyFile: own.keyPem, RootFile: root.certPem }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  const config = Object.fromEntries(Object.keys(files).map((name) => [name, join(folder, name)]))
  return { provider: 'external', config, crossSigns: true, secrets: [own.keyPem] }
}

async function vault(t: ExecutionContext, keepsIssuers: boolean): Promise<Configured> {
  const { address, rootToken, close } = await startVault({ keepsIssuers })
  t.teardown(close)
  const config = { Address: address, Token: rootToken, RootPKIPath: 'root', IntermediatePKIPath: 'intermediate' }
  return { provider: 'vault', config, crossSigns: true, secrets: [rootToken] }
}

/** The SDK looks into the process's environment. */
async function aws(t: ExecutionContext): Promise<Configured> {
  const { environment, close } = await startAws()
  t.teardown(close)
  const before = Object.keys(environment).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, environment)
  t.teardown(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })
  return { provider: 'aws-pca', config: { DeleteOnExit: true }, crossSigns: false, secrets: [environment.AWS_SECRET_ACCESS_KEY] }
}
