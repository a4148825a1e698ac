import { formatDuration } from '../../src/config/durations.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { Vault } from './vault-client.ts'
import type { VaultConfig } from './vault-config.ts'

/** What Vault says of the token that it was given, once its lease was renewed where that was due. */
export type VaultToken = {
  /** Until it ends; undefined if it never does. */
  leftMs: number | undefined
  renewable: boolean
  /** Why somebody must look at it; undefined if nobody has to. */
  warning: string | undefined
}

/** Looks at the token; renews it if more than a third of its life is over. A token that Vault does not know is `forbidden`. */
export async function freshToken(vault: Vault): Promise<Result<VaultToken>> {
  const found = await vault.call({ method: 'GET', path: 'auth/token/lookup-self', repeats: true })
  if (isRefused(found)) return withKey(found, 'Token', 'Vault refuses it')
  const renewable = found.data['renewable'] === true
  const ttlMs = secondsIn(found.data, 'ttl') * 1_000
  if (ttlMs === 0) return { leftMs: undefined, renewable, warning: undefined }
  const wholeMs = Math.max(ttlMs, secondsIn(found.data, 'period') * 1_000 || secondsIn(found.data, 'creation_ttl') * 1_000)
  if (!renewable) return judged({ leftMs: ttlMs, wholeMs, renewable, why: 'it is not renewable' })
  if (ttlMs > wholeMs * RENEWED_BELOW) return { leftMs: ttlMs, renewable, warning: undefined }
  const body = { increment: `${Math.round(wholeMs / 1_000)}s` }
  const renewed = await vault.call({ method: 'POST', path: 'auth/token/renew-self', body, repeats: true })
  if (isRefused(renewed)) return judged({ leftMs: ttlMs, wholeMs, renewable, why: `it could not be renewed: ${renewed.why}` })
  const leftMs = secondsIn(renewed.data, 'lease_duration') * 1_000 || ttlMs
  return judged({ leftMs, wholeMs, renewable, why: renewed.warnings.join('; ') || 'its longest life is nearly over' })
}

const RENEWED_BELOW = 2 / 3
/** A token with less of its life that will not get more needs somebody. */
const ENDING_BELOW = 1 / 3

function judged({ leftMs, wholeMs, renewable, why }: { leftMs: number; wholeMs: number; renewable: boolean; why: string }): VaultToken {
  const isEnding = leftMs < wholeMs * ENDING_BELOW
  const warning = `Token: ends in ${formatDuration(Math.round(leftMs / 1_000) * 1_000)}, ${why}; configure another one`
  return { leftMs, renewable, warning: isEnding ? warning : undefined }
}

/** What a token may do at a path. */
export type Capability = { path: string; needs: 'update' | 'sudo' | 'delete' }
/** Whether the token has a capability; undefined where Vault does not let it ask. */
export type Capabilities = (capability: Capability) => boolean | undefined

export async function capabilitiesAt(vault: Vault, paths: readonly string[]): Promise<Result<Capabilities>> {
  const reply = await vault.call({ method: 'POST', path: 'sys/capabilities-self', body: { paths }, repeats: true })
  if (isRefused(reply) && reply.refused !== 'forbidden') return reply
  if (isRefused(reply) || reply.status === 404) return () => undefined
  return ({ path, needs }) => {
    const list = reply.data[path]
    if (!Array.isArray(list)) return undefined
    return list.includes('root') || list.includes(needs) || (needs === 'update' && list.includes('create'))
  }
}

/** The first of the needed capabilities that the token does not have, as a refusal. */
export function missingCapability(capabilities: Capabilities, needed: readonly Capability[]): Refusal | undefined {
  const missing = needed.find((capability) => capabilities(capability) === false)
  return (
    missing && refuse('forbidden', `Token: its policies do not allow ${JSON.stringify(missing.needs)} on ${JSON.stringify(missing.path)}`)
  )
}

/** A place where an engine can be: `free` without one. `unknown`: the token may not look. */
export type Mount = { kind: 'pki'; description: string; maxTtlMs: number } | { kind: 'free' | 'unknown' }
export type Mounts = { root: Mount; intermediate: Mount }

export async function mountsOf(vault: Vault, config: VaultConfig): Promise<Result<Mounts>> {
  const reply = await vault.call({ method: 'GET', path: 'sys/mounts', repeats: true })
  if (isRefused(reply) && reply.refused !== 'forbidden') return reply
  if (isRefused(reply)) return { root: { kind: 'unknown' }, intermediate: { kind: 'unknown' } }
  const root = mountIn(reply.data, config.rootPath, 'RootPKIPath')
  if (isRefused(root)) return root
  const intermediate = mountIn(reply.data, config.intermediatePath, 'IntermediatePKIPath')
  return isRefused(intermediate) ? intermediate : { root, intermediate }
}

/** Vault's own limit where a mount has none. */
const SYSTEM_TTL_MS = 768 * 3_600_000

function mountIn(data: Record<string, unknown>, path: string, key: string): Result<Mount> {
  const mount = data[`${path}/`]
  if (typeof mount !== 'object' || mount === null) return besides(data, path, key) ?? { kind: 'free' }
  const { type, description, config } = mount as { type?: unknown; description?: unknown; config?: Record<string, unknown> }
  if (type !== 'pki')
    return refuse('invalid', `${key}: Vault has an engine of the type ${JSON.stringify(type)} at ${JSON.stringify(path)}, not "pki"`)
  const maxTtlMs = secondsIn(config ?? {}, 'max_lease_ttl') * 1_000 || SYSTEM_TTL_MS
  return { kind: 'pki', description: typeof description === 'string' ? description : '', maxTtlMs }
}

/** Vault mounts nothing above or below an engine. */
function besides(data: Record<string, unknown>, path: string, key: string): Refusal | undefined {
  const other = Object.keys(data).find((mount) => mount.endsWith('/') && (mount.startsWith(`${path}/`) || `${path}/`.startsWith(mount)))
  return other === undefined
    ? undefined
    : refuse('invalid', `${key}: nothing can be mounted at ${JSON.stringify(path)} beside ${JSON.stringify(other)}`)
}

export async function mountPki(vault: Vault, path: string, options: { description: string; maxTtlMs: number }): Promise<Result<null>> {
  const maxTtl = ttlText(options.maxTtlMs)
  const body = { type: 'pki', description: options.description, config: { max_lease_ttl: maxTtl } }
  const reply = await vault.call({ method: 'POST', path: `sys/mounts/${path}`, body, repeats: false })
  return isRefused(reply) ? reply : null
}

/** A duration as Vault reads it, in whole seconds. */
export function ttlText(ms: number): string {
  return `${Math.max(1, Math.floor(ms / 1_000))}s`
}

/** Vault's text behind the key that it is about. */
export function withKey({ refused, why }: Refusal, key: string, what: string): Refusal {
  // Where it could not be asked at all, that is what has to be known.
  return why.startsWith('Address: ') ? refuse(refused, why) : refuse(refused, `${key}: ${what}: ${why}`)
}

function secondsIn(data: Record<string, unknown>, name: string): number {
  const value = Number(data[name] ?? 0)
  return Number.isFinite(value) && value > 0 ? value : 0
}
