import { signingUri } from '../../actors/spiffe.ts'
import { parseDuration } from '../../src/config/durations.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { type Mount, ttlText, withKey } from './vault-access.ts'
import type { Vault } from './vault-client.ts'
import type { VaultConfig } from './vault-config.ts'

/** The name that Consul gives to the role. */
export const LEAF_ROLE = 'leaf-cert'

/** Whether the role for leaves is there and lets through what the mesh needs; else what it has now. */
export type RoleState = { fits: true } | { fits: false; known: Record<string, unknown> }

export async function findRole(vault: Vault, config: VaultConfig, trustDomain: string): Promise<Result<RoleState>> {
  const reply = await vault.call({ method: 'GET', path: rolePath(config), repeats: true })
  // Who may not look has somebody else to look after it; signing will tell.
  if (isRefused(reply))
    return reply.refused === 'forbidden' ? { fits: true } : withKey(reply, 'IntermediatePKIPath', 'the role could not be read')
  if (reply.status === 404) return { fits: false, known: {} }
  return isFit(reply.data, config, trustDomain) ? { fits: true } : { fits: false, known: reply.data }
}

/** Writes the role. What an operator has set besides stays as it is. */
export async function writeRole(vault: Vault, config: VaultConfig, known: Record<string, unknown>): Promise<Result<null>> {
  const body = {
    ...known,
    allow_any_name: true,
    allowed_uri_sans: [...textsOf(known['allowed_uri_sans']), MESH_URIS],
    enforce_hostnames: false,
    key_type: 'any',
    max_ttl: ttlText(config.leafTtlMs + CLOCK_MARGIN_MS),
    ttl: '0s',
    no_store: true,
    require_cn: false,
    // What a certificate says is ours to decide, not the request's.
    use_csr_common_name: false,
    use_csr_sans: false,
    client_flag: true,
    server_flag: true,
  }
  const reply = await vault.call({ method: 'POST', path: rolePath(config), body, repeats: true })
  return isRefused(reply) ? withKey(reply, 'IntermediatePKIPath', `the role ${JSON.stringify(LEAF_ROLE)} could not be written`) : null
}

/** Lets the engine sign for as long as leaves are to live. */
export async function raiseTtl(vault: Vault, config: VaultConfig, mount: Mount): Promise<Result<null>> {
  const wantedMs = config.leafTtlMs + CLOCK_MARGIN_MS
  if (mount.kind !== 'pki' || mount.maxTtlMs >= wantedMs) return null
  const body = { max_lease_ttl: ttlText(Math.max(wantedMs, config.intermediateTtlMs)) }
  const reply = await vault.call({ method: 'POST', path: `sys/mounts/${config.intermediatePath}/tune`, body, repeats: true })
  return isRefused(reply) ? tuneFault(reply, mount.maxTtlMs) : null
}

const MESH_URIS = 'spiffe://*'
/** Between asking and signing. */
const CLOCK_MARGIN_MS = 60_000

function tuneFault({ refused, why }: Refusal, maxTtlMs: number): Refusal {
  return refuse(refused, `LeafCertTTL: is more than max_lease_ttl of the engine (${ttlText(maxTtlMs)}), which could not be raised: ${why}`)
}

function rolePath({ intermediatePath }: VaultConfig): string {
  return `${intermediatePath}/roles/${LEAF_ROLE}`
}

function isFit(role: Record<string, unknown>, { leafTtlMs }: VaultConfig, trustDomain: string): boolean {
  const maxTtlMs = durationMs(role['max_ttl'])
  const mesh = [MESH_URIS, '*', `${signingUri(trustDomain)}/*`]
  const takesMesh = textsOf(role['allowed_uri_sans']).some((pattern) => mesh.includes(pattern.toLowerCase()))
  const takesKeys = role['key_type'] === 'any' && role['client_flag'] !== false && role['server_flag'] !== false
  return (
    role['allow_any_name'] === true && takesMesh && takesKeys && role['require_cn'] !== true && (maxTtlMs === 0 || maxTtlMs >= leafTtlMs)
  )
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : []
}

/** Vault shows seconds, older versions a text. */
function durationMs(value: unknown): number {
  if (typeof value === 'number') return value * 1_000
  const ms = typeof value === 'string' && value !== '' ? parseDuration(value) : 0
  return isRefused(ms) ? 0 : ms
}
