import { authorityCommonName, signingUri } from '../../actors/spiffe.ts'
import { type RootRules, rootFault, validityFault } from '../../src/authorities/root-rules.ts'
import type { SignerOutcome } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { type Ask, certificatesOf, isChain, isSelfSigned, isSignedBy, pathLengthOf } from './certificates.ts'
import { type Mount, ttlText, withKey } from './vault-access.ts'
import type { Vault, VaultReply } from './vault-client.ts'
import type { VaultConfig } from './vault-config.ts'

/** The CA at the path of the root. `chain` leads from its certificate to the self-signed one, which `facts` are about. */
export type VaultRoot = { chain: string[]; facts: SignerOutcome }
/** What signs leaves. */
export type VaultIntermediate = { certPem: string; facts: SignerOutcome }
export type Reach = { vault: Vault; config: VaultConfig; ask: Ask }
/** For whom and when a certificate is made. */
export type Making = { unique: string; trustDomain: string; nowMs: number }

/** The CA at `RootPKIPath`; undefined if there is none yet. */
export async function findRoot({ vault, config, ask }: Reach, mount: Mount, rules: RootRules): Promise<Result<VaultRoot | undefined>> {
  const path = config.rootPath
  const own = await authorityAt(vault, path, mount, 'RootPKIPath')
  if (isRefused(own) || own === undefined) return own
  const chain = isSelfSigned(own) ? [own] : await chainAt(vault, path, own)
  if (isRefused(chain)) return chain
  const facts = await ask({ do: 'read-certificate', certPem: chain.at(-1) ?? '' })
  if (isRefused(facts)) return refuse('invalid', `RootPKIPath: the CA in Vault cannot be used: ${facts.why.replace(/^certPem: /, '')}`)
  const isNarrow = chain.some((pem, below) => pathLengthOf(pem) <= below)
  const fault = rootFault(facts, rules) ?? (isNarrow ? 'its path length does not allow the intermediate that signs leaves' : undefined)
  return fault === undefined ? { chain, facts } : refuse('invalid', `RootPKIPath: the CA in Vault at ${JSON.stringify(path)}: ${fault}`)
}

/** Has Vault make a root and its key, which never leaves Vault. */
export async function makeRoot({ vault, config, ask }: Reach, { unique, trustDomain }: Making): Promise<Result<VaultRoot>> {
  const body = {
    ...namesOf(config, { unique, trustDomain }),
    ttl: ttlText(ROOT_TTL_MS),
    format: 'pem',
  }
  const reply = await vault.call({ method: 'POST', path: `${config.rootPath}/root/generate/internal`, body, repeats: false })
  if (isRefused(reply)) return withKey(reply, 'RootPKIPath', `no root could be made in Vault at ${JSON.stringify(config.rootPath)}`)
  const certs = certificatesIn(reply, 'certificate', 'RootPKIPath')
  if (isRefused(certs)) return certs
  const [certPem = ''] = certs
  const facts = await ask({ do: 'read-certificate', certPem })
  return isRefused(facts) ? refuse('invalid', `RootPKIPath: the root from Vault cannot be used: ${facts.why}`) : { chain: [certPem], facts }
}

/**
 * The CA at `IntermediatePKIPath`; undefined if there is none, or none with enough life left. One below another root is refused: a new
 * one in its place would sign for a root that the mesh may not trust yet.
 */
export async function findIntermediate(
  reach: Reach,
  mount: Mount,
  root: VaultRoot,
  nowMs: number,
): Promise<Result<VaultIntermediate | undefined>> {
  const { vault, config, ask } = reach
  const path = config.intermediatePath
  const certPem = await authorityAt(vault, path, mount, 'IntermediatePKIPath')
  if (isRefused(certPem) || certPem === undefined) return certPem
  const facts = await ask({ do: 'read-certificate', certPem })
  if (isRefused(facts))
    return refuse('invalid', `IntermediatePKIPath: the CA in Vault cannot be used: ${facts.why.replace(/^certPem: /, '')}`)
  if (validityFault(facts, nowMs) !== undefined) return undefined
  if (!isSignedBy(certPem, root.chain[0] ?? '')) {
    return refuse(
      'invalid',
      `IntermediatePKIPath: the CA in Vault at ${JSON.stringify(path)} was not signed by the one at ${JSON.stringify(config.rootPath)}; name another path`,
    )
  }
  return renewAtMs(facts) > nowMs ? { certPem, facts } : undefined
}

/** When a CA is to be made anew: after half of its life. */
export function renewAtMs({ notBeforeMs = 0, notAfterMs = 0 }: SignerOutcome): number {
  return notBeforeMs + (notAfterMs - notBeforeMs) / 2
}

/** Has Vault make a key, has the root sign it, and makes that what signs leaves. */
export async function makeIntermediate(reach: Reach, root: VaultRoot, making: Making): Promise<Result<VaultIntermediate>> {
  const { vault, config, ask } = reach
  const path = config.intermediatePath
  const names = namesOf(config, making)
  const request = await vault.call({ method: 'POST', path: `${path}/intermediate/generate/internal`, body: names, repeats: false })
  if (isRefused(request)) return withKey(request, 'IntermediatePKIPath', 'Vault made no key')
  const issuer = await ask({ do: 'read-certificate', certPem: root.chain[0] ?? '' })
  if (isRefused(issuer)) return issuer
  const longestMs = (issuer.notAfterMs ?? 0) - making.nowMs - CA_MARGIN_MS
  const body = {
    csr: request.data['csr'],
    use_csr_values: true,
    format: 'pem_bundle',
    max_path_length: 0,
    ttl: ttlText(Math.min(config.intermediateTtlMs, longestMs)),
  }
  const signed = await vault.call({ method: 'POST', path: `${config.rootPath}/root/sign-intermediate`, body, repeats: false })
  if (isRefused(signed)) return withKey(signed, 'RootPKIPath', 'Vault did not sign the intermediate')
  const certs = certificatesIn(signed, 'certificate', 'RootPKIPath')
  if (isRefused(certs)) return certs
  const [certPem = ''] = certs
  // Vault gives the chain to those who ask it for the CA, so it needs all of it.
  const certificate = [certPem, ...root.chain].join('')
  const set = await vault.call({ method: 'POST', path: `${path}/intermediate/set-signed`, body: { certificate }, repeats: false })
  if (isRefused(set)) return withKey(set, 'IntermediatePKIPath', 'Vault did not take the intermediate')
  const chosen = await chooseIssuer(vault, path, set)
  if (isRefused(chosen)) return chosen
  const facts = await ask({ do: 'read-certificate', certPem })
  return isRefused(facts) ? facts : { certPem, facts }
}

/** Vault from 1.11 on keeps several issuers, and goes on signing with the first unless it is told. */
async function chooseIssuer(vault: Vault, path: string, { data }: VaultReply): Promise<Result<null>> {
  const mapping = data['mapping']
  const [issuer] = typeof mapping === 'object' && mapping !== null ? (Object.entries(mapping).find(([, key]) => key !== '') ?? []) : []
  if (issuer === undefined) return null
  const chosen = await vault.call({ method: 'POST', path: `${path}/config/issuers`, body: { default: issuer }, repeats: true })
  return isRefused(chosen) ? withKey(chosen, 'IntermediatePKIPath', 'Vault did not make the new issuer the default') : null
}

export const ROOT_TTL_MS = 87_600 * 3_600_000
/** A certificate must end before what signed it does. */
const CA_MARGIN_MS = 60_000

function namesOf({ key }: VaultConfig, { unique, trustDomain }: Pick<Making, 'unique' | 'trustDomain'>): object {
  return {
    common_name: authorityCommonName({ unique, trustDomain, provider: 'vault' }),
    uri_sans: signingUri(trustDomain),
    exclude_cn_from_sans: true,
    key_type: key.type,
    key_bits: key.bits,
  }
}

/** The certificate of the engine's CA; undefined without an engine, or without a CA in it. */
async function authorityAt(vault: Vault, path: string, mount: Mount, key: string): Promise<Result<string | undefined>> {
  if (mount.kind === 'free') return undefined
  const reply = await vault.call({ method: 'GET', path: `${path}/ca/pem`, repeats: true })
  if (isRefused(reply)) return withKey(reply, key, `the CA in Vault at ${JSON.stringify(path)} could not be read`)
  if (reply.status !== 200 || reply.text.trim() === '') return undefined
  const certs = certificatesOf(reply.text, `${key}: the CA in Vault`)
  return isRefused(certs) ? certs : certs[0]
}

/** What leads from an engine's CA to a self-signed one. */
async function chainAt(vault: Vault, path: string, own: string): Promise<Result<string[]>> {
  const reply = await vault.call({ method: 'GET', path: `${path}/ca_chain`, repeats: true })
  if (isRefused(reply)) return withKey(reply, 'RootPKIPath', `the chain of the CA in Vault at ${JSON.stringify(path)} could not be read`)
  const certs = certificatesOf(reply.text, 'RootPKIPath: the chain of the CA in Vault')
  if (isRefused(certs)) return certs
  const chain = [own, ...certs.filter((pem) => pem !== own)]
  if (isChain(chain) && isSelfSigned(chain.at(-1) ?? '')) return chain
  return refuse(
    'invalid',
    `RootPKIPath: the CA in Vault at ${JSON.stringify(path)} is not self-signed, and Vault has no chain to a root for it`,
  )
}

/** Certificates in a field of an answer; at least one. */
export function certificatesIn({ data }: VaultReply, field: string, key: string): Result<string[]> {
  const value = data[field]
  const certs = certificatesOf(typeof value === 'string' ? value : '', `${key}: ${field} in the answer of Vault`)
  if (isRefused(certs) || certs.length > 0) return certs
  return refuse('invalid', `${key}: no certificate in the answer of Vault`)
}
