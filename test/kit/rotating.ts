import { X509Certificate } from 'node:crypto'
import type { CaChange, CaPlan, SignedLeaf } from '../../actors/ca/protocol.ts'
import { caRoots, trustBundle } from '../../actors/ca/queries.ts'
import { readCaConfig } from '../../src/config/ca-config.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { granted } from './asking.ts'
import type { TestTables } from './tables.ts'
import { ARGS, csrFor, NOW_MS, tryCa } from './try-ca.ts'

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

export type Tried = ReturnType<typeof tryCa>

export function founded(config: Record<string, unknown> = {}): Tried {
  const whole = { LeafCertTTL: '1h', ...config }
  const tried = tryCa({ ...ARGS, config: whole, settings: readCaConfig('consul', whole).settings })
  tried.run()
  return tried
}

export function change(config: Record<string, unknown>, more: Partial<CaChange> & { force?: boolean } = {}): CaChange {
  const { force = false, ...rest } = more
  const { settings } = readCaConfig(rest.provider ?? 'consul', config)
  return { provider: 'consul', config, settings: { ...settings, forceWithoutCrossSigning: force }, rehearse: false, token: '', ...rest }
}

export async function changed(tried: Tried, request: CaChange): Promise<Result<{ plan: CaPlan | undefined }>> {
  const call = tried.a.call('configure', request)
  await tried.settle()
  return call.result as Result<{ plan: CaPlan | undefined }>
}

export function rootsOf(tables: TestTables) {
  const found = caRoots(tables.view())
  const active = found?.roots.find(({ id }) => id === found.activeRootId)
  if (!found || !active) throw new Error('there is no authority')
  return { ...found, active, others: found.roots.filter(({ id }) => id !== active.id) }
}

export async function leafOf(tried: Tried): Promise<SignedLeaf> {
  const { trustDomain = '' } = trustBundle(tried.tables.view())?.bundle ?? {}
  const csrPem = csrFor(tried.ask, `spiffe://${trustDomain}/ns/default/dc/dc1/svc/web`)
  const call = tried.a.call('sign', { csrPem, token: '' })
  await tried.settle()
  return granted(call.result as Result<SignedLeaf>)
}

/** The certificates in a text. */
export const blocksOf = (pem: string) =>
  (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? []).map((one) => new X509Certificate(one))

/** A new root in the cluster's trust domain, as an operator would bring it. */
export function given({ ask, tables }: Tried, more: { uri?: string; notBeforeMs?: number; notAfterMs?: number; bits?: number } = {}) {
  const { trustDomain } = rootsOf(tables)
  const { keyPem = '' } = ask({ do: 'key', type: 'ec', bits: more.bits ?? 256 })
  const times = { notBeforeMs: more.notBeforeMs ?? NOW_MS - HOUR_MS, notAfterMs: more.notAfterMs ?? NOW_MS + 400 * DAY_MS }
  const { certPem = '' } = ask({
    do: 'root',
    keyPem,
    commonName: 'given',
    uri: more.uri ?? `spiffe://${trustDomain}`,
    serial: 99,
    ...times,
  })
  return { PrivateKey: keyPem, RootCert: certPem }
}
