import type { CaBootstrap, CaRotate, NewRoot } from '../../actors/ca/commands.ts'
import { caConfig, caRoots } from '../../actors/ca/queries.ts'
import type { CaSettings } from '../../actors/ca/tables.ts'
import type { TestTables } from './tables.ts'

export const CA_SETTINGS: CaSettings = {
  provider: 'consul',
  leafCertTtlMs: 3_600_000,
  csrMaxPerSecond: 0,
  csrMaxConcurrent: 0,
  forceWithoutCrossSigning: false,
  shown: { LeafCertTTL: '1h' },
}

/** A root that no cryptography knows of. Its key is `key-of-<id>`. */
export function fakeRoot(id: string): NewRoot {
  return {
    id,
    name: 'Consul CA Primary Cert',
    commonName: id,
    serial: '07',
    signingKeyId: `key-of-${id}`,
    notBeforeMs: 0,
    notAfterMs: 9_000,
    certPem: id,
    intermediatesPem: [],
    keyType: 'ec',
    keyBits: 256,
  }
}

export function bootstrapOf(root: NewRoot, settings: CaSettings = CA_SETTINGS): CaBootstrap {
  const owner = { config: settings.shown, crossSigns: true, crossPem: [], state: { keyPem: 'SECRET', certPem: root.certPem } }
  return { ...owner, clusterId: '0846e11b-0000-4000-8000-000000000001', settings, root, nextSerial: 8 }
}

/** Puts an authority with this root into the tables. */
export function foundCa(tables: TestTables, root: NewRoot = fakeRoot('root-1'), settings = CA_SETTINGS): void {
  tables.apply([{ kind: 'ca.bootstrap', atMs: 0, request: bootstrapOf(root, settings) }])
}

/** What proposes another root, as things stand. */
export function rotationTo(tables: TestTables, id: string, more: Partial<CaRotate> = {}): CaRotate {
  const view = tables.view()
  const seen = { configIndex: caConfig(view)?.config.modifyIndex ?? 0, activeRootId: caRoots(view)?.activeRootId ?? '' }
  const owner = { config: { PrivateKey: id }, crossSigns: true, crossPem: [], state: { keyPem: `SECRET-${id}`, certPem: id } }
  return { ...owner, id: `to-${id}`, seen, settings: CA_SETTINGS, root: fakeRoot(id), spreads: false, ...more }
}

/** Another root becomes the active one. */
export function rotateCa(tables: TestTables, id: string, more: Partial<CaRotate> = {}, atMs = 0): void {
  tables.apply([{ kind: 'ca.rotate', atMs, request: rotationTo(tables, id, more) }])
}
