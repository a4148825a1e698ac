import { randomUUID } from 'node:crypto'
import { preparedOf } from '../../src/authorities/built-in.ts'
import { namedTrustDomain } from '../../src/authorities/root-rules.ts'
import type {
  AuthorityConfig,
  AuthorityOutcome,
  AuthorityRequest,
  AuthorityState,
  Device,
  PreparedAuthority,
  SignerOutcome,
  SignerRequest,
} from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import {
  type Authorities,
  askingSigner,
  certificatesOf,
  checkedLeaf,
  endMs,
  isChain,
  isSelfSigned,
  isSignedBy,
  whenDone,
} from './certificates.ts'
import {
  capabilitiesAt,
  freshToken,
  type Mount,
  missingCapability,
  mountPki,
  mountsOf,
  ttlText,
  type VaultToken,
  withKey,
} from './vault-access.ts'
import { openVault, VAULT_LIMITS, type Vault, type VaultLimits } from './vault-client.ts'
import { readVaultConfig, type VaultConfig } from './vault-config.ts'
import {
  certificatesIn,
  findIntermediate,
  findRoot,
  type Making,
  makeIntermediate,
  makeRoot,
  type Reach,
  ROOT_TTL_MS,
  renewAtMs,
  type VaultIntermediate,
  type VaultRoot,
} from './vault-pki.ts'
import { findRole, LEAF_ROLE, raiseTtl, writeRole } from './vault-role.ts'

/**
 * Vault's PKI engines: the root at `RootPKIPath`, an intermediate below it at `IntermediatePKIPath`, which signs leaves. Their keys stay
 * in Vault. What is missing is made; an intermediate is made anew after half of its life, and the token's lease is renewed.
 * State: `rootPem`; `chainPem`, what leads from a leaf to it; `upperPem`, what leads from the CA at `RootPKIPath` to it.
 */
export function createVaultAuthority(signer: Device<SignerRequest, SignerOutcome>, limits = VAULT_LIMITS): Authorities {
  const ask = askingSigner(signer)
  const vaults = openVaults(limits)
  const reach = async ({ config }: AuthorityConfig, isNew: boolean): Promise<Result<Reach>> => {
    const read = readVaultConfig(config)
    if (isRefused(read)) return read
    const vault = await vaults(read, isNew)
    return isRefused(vault) ? vault : { vault, config: read, ask }
  }
  const answer = async (request: AuthorityRequest): Promise<Result<AuthorityOutcome>> => {
    const reached = await reach(request.authority, request.do === 'prepare' || request.do === 'check')
    if (isRefused(reached)) return reached
    switch (request.do) {
      case 'prepare':
        return prepare(request, reached)
      case 'sign':
        return sign(request, reached)
      case 'cross-sign':
        return crossSign(request, reached)
      case 'check':
        return check(request, reached)
      case 'retire':
        return retire(request, reached)
    }
  }
  return { perform: (request, done) => whenDone(answer(request), done) }
}

type Asked<Do extends AuthorityRequest['do']> = Extract<AuthorityRequest, { do: Do }>

const ROOT_NAME = 'Vault CA Primary Cert'
const VAULTS_MAX = 8
const WARNED_MS_MIN = 60_000
/** Vault signs nothing that would end after its CA, by its own clock. */
const CLOCK_MARGIN_MS = 60_000

/** Connections are kept for those who sign. `isNew`: the files of the configuration are read again. */
function openVaults(limits: VaultLimits): (config: VaultConfig, isNew: boolean) => Promise<Result<Vault>> {
  const known = new Map<string, Vault>()
  return async (config, isNew) => {
    const name = JSON.stringify([config.address, config.token, config.namespace, config.tls])
    const remembered = isNew ? undefined : known.get(name)
    if (remembered) return remembered
    const vault = await openVault(config, limits)
    if (isRefused(vault)) return vault
    if (known.size >= VAULTS_MAX) known.clear()
    known.set(name, vault)
    return vault
  }
}

async function prepare(request: Asked<'prepare'>, reach: Reach): Promise<Result<AuthorityOutcome>> {
  const { authority, nowMs, rehearse, founds, unique } = request
  const { vault, config } = reach
  const token = await freshToken(vault)
  if (isRefused(token)) return token
  const mounts = await mountsOf(vault, config)
  if (isRefused(mounts)) return mounts
  const known = await findRoot(reach, mounts.root, { nowMs, trustDomain: founds ? undefined : authority.trustDomain })
  if (isRefused(known)) return known
  const intermediate = known && (await findIntermediate(reach, mounts.intermediate, known, nowMs))
  if (isRefused(intermediate)) return intermediate
  const role =
    mounts.intermediate.kind === 'free' ? ({ fits: false, known: {} } as const) : await findRole(vault, config, authority.trustDomain)
  if (isRefused(role)) return role
  const missing = {
    rootMount: mounts.root.kind === 'free',
    root: !known,
    mount: mounts.intermediate.kind === 'free',
    intermediate: !intermediate,
    role: !role.fits,
  }
  const allowed = await allowance(reach, missing)
  if (isRefused(allowed)) return allowed
  const { crossSigns } = allowed
  if (rehearse)
    return {
      prepared:
        known && intermediate ? preparedWith({ root: known, intermediate }, crossSigns) : rehearsed(request, reach, known, crossSigns),
    }

  // A root that is there already gives a new cluster its trust domain.
  const trustDomain = (known && namedTrustDomain(known.facts)) ?? authority.trustDomain
  const description = descriptionFor(trustDomain)
  if (missing.rootMount) {
    const mounted = await mountPki(vault, config.rootPath, { description: `Root of ${description}`, maxTtlMs: ROOT_TTL_MS })
    if (isRefused(mounted)) return withKey(mounted, 'RootPKIPath', 'no PKI engine could be mounted in Vault')
  }
  const making = { unique, trustDomain, nowMs }
  const root = known ?? (await makeRoot(reach, making))
  if (isRefused(root)) return root
  const signing = intermediate ?? (await newIntermediate(reach, mounts.intermediate, root, making))
  if (isRefused(signing)) return signing
  const raised = await raiseTtl(vault, config, mounts.intermediate)
  if (isRefused(raised)) return raised
  const written = role.fits ? null : await writeRole(vault, config, role.known)
  if (isRefused(written)) return written
  return { prepared: preparedWith({ root, intermediate: signing }, crossSigns) }
}

/** Refused if the token may not do what is to be done. Whoever may not sign other roots can have Vault all the same. */
async function allowance(
  { vault, config }: Reach,
  missing: Record<'rootMount' | 'root' | 'mount' | 'intermediate' | 'role', boolean>,
): Promise<Result<{ crossSigns: boolean }>> {
  const { rootPath, intermediatePath } = config
  const selfIssued = `${rootPath}/root/sign-self-issued`
  const needed = [
    ...(missing.rootMount ? [`sys/mounts/${rootPath}`] : []),
    ...(missing.root ? [`${rootPath}/root/generate/internal`] : []),
    ...(missing.mount ? [`sys/mounts/${intermediatePath}`] : []),
    // These are needed again when half of the intermediate's life is over.
    ...[`${rootPath}/root/sign-intermediate`, `${intermediatePath}/intermediate/generate/internal`],
    `${intermediatePath}/intermediate/set-signed`,
    ...(missing.role ? [`${intermediatePath}/roles/${LEAF_ROLE}`] : []),
    `${intermediatePath}/sign/${LEAF_ROLE}`,
  ]
  const capabilities = await capabilitiesAt(vault, [...needed, selfIssued])
  if (isRefused(capabilities)) return capabilities
  const lacking = missingCapability(
    capabilities,
    needed.map((path) => ({ path, needs: 'update' })),
  )
  if (lacking) return lacking
  const mayCross = (['update', 'sudo'] as const).every((needs) => capabilities({ path: selfIssued, needs }) !== false)
  return { crossSigns: mayCross }
}

async function newIntermediate(reach: Reach, mount: Mount, root: VaultRoot, making: Making): Promise<Result<VaultIntermediate>> {
  const { vault, config } = reach
  if (mount.kind === 'free') {
    const description = intermediateDescription(making.trustDomain)
    const mounted = await mountPki(vault, config.intermediatePath, { description, maxTtlMs: config.intermediateTtlMs })
    if (isRefused(mounted)) return withKey(mounted, 'IntermediatePKIPath', 'no PKI engine could be mounted in Vault')
  }
  return makeIntermediate(reach, root, making)
}

function preparedWith(
  { root, intermediate }: { root: VaultRoot; intermediate: VaultIntermediate },
  crossSigns: boolean,
): PreparedAuthority {
  const rootPem = root.chain.at(-1) ?? ''
  const upper = root.chain.slice(0, -1)
  const intermediatesPem = [intermediate.certPem, ...upper]
  const state = { rootPem, chainPem: intermediatesPem.join(''), upperPem: upper.join('') }
  const prepared = preparedOf(root.facts, rootPem, { state, crossSigns, name: ROOT_NAME })
  const signsUntilMs = Math.min(...intermediatesPem.map(endMs)) - CLOCK_MARGIN_MS
  return { ...prepared, signingKeyId: intermediate.facts.keyId ?? '', intermediatesPem, signsUntilMs }
}

/** What can be said before anything is made. */
function rehearsed({ nowMs }: Asked<'prepare'>, { config }: Reach, root: VaultRoot | undefined, crossSigns: boolean): PreparedAuthority {
  const rest = { state: {}, crossSigns, name: ROOT_NAME }
  if (root) return { ...preparedOf(root.facts, root.chain.at(-1) ?? '', rest), signingKeyId: '' }
  const { type: keyType, bits: keyBits } = config.key
  return preparedOf({ keyType, keyBits, notBeforeMs: nowMs, notAfterMs: nowMs + ROOT_TTL_MS }, '', rest)
}

async function sign(
  { state, csrPem, commonName, uri, notAfterMs }: Asked<'sign'>,
  { vault, config, ask }: Reach,
): Promise<Result<AuthorityOutcome>> {
  const leftMs = notAfterMs - Date.now()
  if (leftMs <= 0) return refuse('invalid', 'the leaf would have ended already')
  const body = { csr: csrPem, common_name: commonName, uri_sans: uri, exclude_cn_from_sans: true, format: 'pem', ttl: ttlText(leftMs) }
  const path = `${config.intermediatePath}/sign/${LEAF_ROLE}`
  const reply = await vault.call({ method: 'POST', path, body, repeats: true })
  if (isRefused(reply)) return withKey(reply, 'IntermediatePKIPath', 'Vault did not sign the leaf')
  if (reply.status === 404) return refuse('invalid', `IntermediatePKIPath: Vault has no ${JSON.stringify(path)}`)
  const certs = certificatesIn(reply, 'certificate', 'IntermediatePKIPath')
  if (isRefused(certs)) return certs
  const [certPem = ''] = certs
  const facts = await checkedLeaf(certPem, { uri }, ask)
  if (isRefused(facts)) return facts
  const chainPem = chainFor(certPem, reply.data, state)
  if (isRefused(chainPem)) return chainPem
  return { certPem, chainPem, serial: facts.serial ?? '', notBeforeMs: facts.notBeforeMs ?? 0, notAfterMs: facts.notAfterMs ?? 0 }
}

/** What leads from a leaf to the cluster's root where Vault signs with something else than was prepared; usually nothing. */
function chainFor(certPem: string, data: Record<string, unknown>, state: AuthorityState): Result<string[]> {
  const known = certificatesOf(state['chainPem'] ?? '', 'chainPem')
  if (isRefused(known)) return known
  if (known[0] !== undefined && isSignedBy(certPem, known[0])) return []
  const texts = [data['issuing_ca'], ...(Array.isArray(data['ca_chain']) ? data['ca_chain'] : [])].filter(
    (text) => typeof text === 'string',
  )
  const found = certificatesOf(texts.join('\n'), 'IntermediatePKIPath: the chain of a leaf')
  if (isRefused(found)) return found
  const above = [...new Set(found)].filter((pem) => !isSelfSigned(pem))
  const chain = [certPem, ...above, ...known.slice(1).filter((pem) => !above.includes(pem)), state['rootPem'] ?? '']
  return isChain(chain)
    ? chain.slice(1, -1)
    : refuse('invalid', "IntermediatePKIPath: Vault signs with a CA there that does not lead to the cluster's root")
}

async function crossSign({ state, certPem }: Asked<'cross-sign'>, { vault, config }: Reach): Promise<Result<AuthorityOutcome>> {
  const path = `${config.rootPath}/root/sign-self-issued`
  const reply = await vault.call({ method: 'POST', path, body: { certificate: certPem }, repeats: true })
  if (isRefused(reply))
    return withKey(reply, 'RootPKIPath', 'Vault did not sign the new root ("update" and "sudo" on root/sign-self-issued are needed)')
  const certs = certificatesIn(reply, 'certificate', 'RootPKIPath')
  if (isRefused(certs)) return certs
  const [crossed = ''] = certs
  const upper = certificatesOf(state['upperPem'] ?? '', 'upperPem')
  if (isRefused(upper)) return upper
  const chain = [crossed, ...upper, state['rootPem'] ?? '']
  if (!isChain(chain)) return refuse('invalid', "RootPKIPath: the CA in Vault there is another one than the cluster's root")
  return { certPem: crossed, chainPem: upper }
}

async function check({ authority, state, nowMs }: Asked<'check'>, reach: Reach): Promise<Result<AuthorityOutcome>> {
  const { vault, config } = reach
  const token = await freshToken(vault)
  if (isRefused(token)) return token
  const mounts = await mountsOf(vault, config)
  if (isRefused(mounts)) return mounts
  const root = await findRoot(reach, mounts.root, { nowMs, trustDomain: authority.trustDomain })
  if (isRefused(root)) return root
  const rootPem = state['rootPem'] ?? ''
  if (root?.chain.at(-1) !== rootPem) {
    const what = root ? 'has another root there than the cluster' : 'has no CA there any more'
    return refuse('invalid', `RootPKIPath: Vault ${what}; configure an IntermediatePKIPath of its own for it, or what it was`)
  }
  const found = await findIntermediate(reach, mounts.intermediate, root, nowMs)
  if (isRefused(found)) return found
  const making = { nowMs, trustDomain: authority.trustDomain, unique: randomUUID() }
  const intermediate = found ?? (await newIntermediate(reach, mounts.intermediate, root, making))
  if (isRefused(intermediate)) return intermediate
  const isKnown = (state['chainPem'] ?? '').startsWith(intermediate.certPem)
  const allowed = await allowance(reach, { rootMount: false, root: false, mount: false, intermediate: false, role: false })
  const prepared = preparedWith({ root, intermediate }, isRefused(allowed) || allowed.crossSigns)
  const againMs = dueMs(token, intermediate, nowMs)
  const facts = factsOf(token, intermediate)
  const warning = token.warning ?? (isRefused(allowed) ? allowed.why : undefined)
  return { ...(!isKnown && { prepared }), ...(warning !== undefined && { warning }), againMs, facts }
}

/** The token is looked at while it has a good part of its life; one that cannot be helped is not named more than once a minute. */
function dueMs({ leftMs, warning }: VaultToken, { facts }: VaultIntermediate, nowMs: number): number {
  const tokenMs = leftMs === undefined ? Number.MAX_SAFE_INTEGER : leftMs / 3
  return Math.max(warning === undefined ? 0 : WARNED_MS_MIN, Math.min(tokenMs, renewAtMs(facts) - nowMs))
}

function factsOf({ leftMs, renewable }: VaultToken, { facts }: VaultIntermediate): Record<string, string | number | boolean> {
  return {
    tokenRenewable: renewable,
    ...(leftMs !== undefined && { tokenLeftMs: leftMs }),
    intermediateNotAfterMs: facts.notAfterMs ?? 0,
  }
}

/** The engine with the intermediate goes, if it was made for this cluster. The root stays: others may trust it. */
async function retire({ authority, staying }: Asked<'retire'>, { vault, config }: Reach): Promise<Result<AuthorityOutcome>> {
  const isUsed = staying.some((other) => {
    const read = other.authority.provider === 'vault' ? readVaultConfig(other.authority.config) : undefined
    return read !== undefined && !isRefused(read) && placeOf(read) === placeOf(config)
  })
  if (isUsed) return {}
  const path = config.intermediatePath
  const hint = `; unmount ${JSON.stringify(path)} in Vault if nothing else needs it`
  const mounts = await mountsOf(vault, config)
  if (isRefused(mounts)) return mounts.refused === 'invalid' ? {} : mounts
  if (mounts.intermediate.kind === 'unknown') return { warning: `IntermediatePKIPath: the token may not see what is mounted${hint}` }
  if (mounts.intermediate.kind !== 'pki' || mounts.intermediate.description !== intermediateDescription(authority.trustDomain)) return {}
  const gone = await vault.call({ method: 'DELETE', path: `sys/mounts/${path}`, repeats: true })
  if (!isRefused(gone)) return {}
  return gone.refused === 'busy' || gone.refused === 'late'
    ? gone
    : { warning: `IntermediatePKIPath: could not be unmounted: ${gone.why}${hint}` }
}

function placeOf({ address, namespace, intermediatePath }: VaultConfig): string {
  return JSON.stringify([address.href, namespace, intermediatePath])
}

/** By this, an engine is known to be made for this cluster. */
function intermediateDescription(trustDomain: string): string {
  return `Intermediate of ${descriptionFor(trustDomain)}`
}

function descriptionFor(trustDomain: string): string {
  return `the service mesh ${trustDomain}`
}
