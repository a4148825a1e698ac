import type { AuthorityConfig, AuthorityState, KeyType } from '../../src/kernel/ports.ts'
import type { View } from '../../src/kernel/tables.ts'
import { indexOf } from '../command.ts'
import { trustDomainOf } from '../spiffe.ts'
import {
  type CaAuthorityRecord,
  type CaConfigRecord,
  type CaRoot,
  type CaSettings,
  CONFIG_KEY,
  caAuthorityTable,
  caConfigTable,
  caKeyTable,
  caRootTable,
} from './tables.ts'

/** The text for whoever asks a cluster without a certificate authority. */
export const CONNECT_DISABLED = 'Connect must be enabled in order to use this endpoint'

export type CaRoots = { index: number; clusterId: string; trustDomain: string; activeRootId: string; roots: CaRoot[] }

/** All trusted roots; undefined while there is no authority. */
export function caRoots(view: View): CaRoots | undefined {
  const config = view.get(caConfigTable, CONFIG_KEY)
  if (!config) return undefined
  const roots = [...view.range(caRootTable)].map(([, root]) => root).sort((a, b) => a.createIndex - b.createIndex)
  return {
    index: indexOf(view, 'connect-ca-roots'),
    clusterId: config.clusterId,
    trustDomain: trustDomainOf(config.clusterId),
    activeRootId: roots.find(({ active }) => active)?.id ?? '',
    roots,
  }
}

/** Of configurations that were written down without them. */
const SETTINGS_DEFAULT = { provider: 'consul', forceWithoutCrossSigning: false } as const

export function caConfig(view: View): { index: number; config: CaConfigRecord } | undefined {
  const config = view.get(caConfigTable, CONFIG_KEY)
  return config && { index: indexOf(view, 'connect-ca-config'), config: { ...SETTINGS_DEFAULT, ...config } }
}

/** What proxies and the makers of leaves need to know of the authority. */
export type TrustBundle = {
  trustDomain: string
  activeRootId: string
  /** Key identifier of the root that signs, as in the leaves' authority key identifier. */
  signingKeyId: string
  keyType: KeyType
  keyBits: number
  /** Every trusted root: ids, certificates and common names, in one order. */
  rootIds: string[]
  rootsPem: string[]
  rootNames: string[]
}

/** TLS 1.3 has no signatures with shorter keys, which a root may have. */
const LEAF_EC_BITS_MIN = 256

export function trustBundle(view: View): { index: number; bundle: TrustBundle } | undefined {
  const found = caRoots(view)
  const active = found?.roots.find(({ id }) => id === found.activeRootId)
  if (!found || !active) return undefined
  return {
    index: found.index,
    bundle: {
      trustDomain: found.trustDomain,
      activeRootId: active.id,
      signingKeyId: active.signingKeyId,
      keyType: active.keyType,
      keyBits: active.keyType === 'ec' ? Math.max(active.keyBits, LEAF_EC_BITS_MIN) : active.keyBits,
      rootIds: found.roots.map(({ id }) => id),
      rootsPem: found.roots.map(({ certPem }) => certPem),
      rootNames: found.roots.map(({ commonName }) => commonName),
    },
  }
}

/** Whose root one is, and what signs for it. Secret. */
export type RootAuthority = {
  authority: AuthorityConfig
  state: AuthorityState
  settings: CaSettings
  crossSigns: boolean
  crossPem: string[]
}

/** Undefined for roots that nobody knows, or knows no more. */
export function rootAuthority(view: View, rootId: string, datacenter: string): RootAuthority | undefined {
  const config = view.get(caConfigTable, CONFIG_KEY)
  const state = view.get(caKeyTable, rootId)
  const owner = view.get(caAuthorityTable, rootId) ?? builtInOwner(view, rootId)
  if (!config || !owner || !state) return undefined
  const { provider, settings, crossSigns, crossPem } = owner
  const { clusterId } = config
  const authority = { provider, config: owner.config, trustDomain: trustDomainOf(clusterId), clusterId, datacenter }
  const certPem = view.get(caRootTable, rootId)?.certPem ?? ''
  return { authority, state: owner.provider === 'consul' ? { certPem, ...state } : state, settings, crossSigns, crossPem }
}

/** A root of which only the key was written down is the built-in authority's: snapshots may hold such. */
function builtInOwner(view: View, rootId: string): CaAuthorityRecord | undefined {
  const settings = caConfig(view)?.config
  if (!settings || !view.get(caRootTable, rootId)) return undefined
  return { provider: 'consul', config: settings.shown, settings, crossSigns: true, crossPem: [], retired: false }
}
