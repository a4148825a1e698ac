import type { ExecutionContext } from 'ava'
import { createAuthorities } from '../../net/authorities/index.ts'
import { createVaultAuthority } from '../../net/authorities/vault.ts'
import { createSigner } from '../../net/signer.ts'
import type { AuthorityConfig, AuthorityState, PreparedAuthority } from '../../src/kernel/ports.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { asking, granted } from './asking.ts'
import { lifetime, TRUST_DOMAIN, uriOf } from './authority.ts'
import { startVault, type VaultDouble, type VaultOptions } from './vault.ts'

const signer = createSigner()
export const askSigner = asking(signer)
export const ask = asking(createAuthorities(signer))
/** Asks Vault; `askHasty` gives up sooner. */
export const askHasty = asking(createVaultAuthority(signer, { callMsMax: 900, attemptMsMax: 400 }))

export async function vaultFor(t: ExecutionContext, options: VaultOptions = {}): Promise<VaultDouble> {
  const vault = await startVault(options)
  t.teardown(vault.close)
  return vault
}

export function configFor(vault: VaultDouble, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    Address: vault.address,
    Token: vault.rootToken,
    RootPKIPath: 'connect-root',
    IntermediatePKIPath: 'connect-intermediate/',
    ...more,
  }
}

export function authorityOf(config: Record<string, unknown>, trustDomain = TRUST_DOMAIN): AuthorityConfig {
  return { provider: 'vault', config, trustDomain, clusterId: trustDomain.replace('.consul', ''), datacenter: 'dc1' }
}

type Preparing = { by?: typeof ask; state?: AuthorityState; rehearse?: boolean; founds?: boolean; trustDomain?: string; nowMs?: number }

export async function prepare(config: Record<string, unknown>, options: Preparing = {}): Promise<Result<PreparedAuthority>> {
  const { by = ask, state = {}, rehearse = false, founds = false, trustDomain, nowMs = Date.now() } = options
  const authority = authorityOf(config, trustDomain)
  const outcome = await by({ do: 'prepare', authority, state, serial: 1, unique: 'abcdefgh', nowMs, rehearse, founds })
  return 'refused' in outcome ? outcome : (outcome.prepared ?? { refused: 'missing', why: 'nothing was prepared' })
}

async function csrFor(service = 'web'): Promise<string> {
  const names = { commonName: 'whatever', uri: uriOf(service) }
  return granted(await askSigner({ do: 'key', type: 'ec', bits: 256, request: names })).csrPem ?? ''
}

export async function sign(config: Record<string, unknown>, state: AuthorityState, uri = uriOf('web'), by = ask) {
  const request = { csrPem: await csrFor(), commonName: 'web.svc.default.11111111.consul', uri, serial: 255, ...lifetime(1) }
  return by({ do: 'sign', authority: authorityOf(config), state, ...request })
}

export async function factsOf(certPem: string) {
  return granted(await askSigner({ do: 'read-certificate', certPem }))
}

export const check = (config: Record<string, unknown>, state: AuthorityState, nowMs = Date.now()) =>
  ask({ do: 'check', authority: authorityOf(config), state, nowMs })
export const retire = (config: Record<string, unknown>, staying: { authority: AuthorityConfig; state: AuthorityState }[] = []) =>
  ask({ do: 'retire', authority: authorityOf(config), state: {}, staying })
