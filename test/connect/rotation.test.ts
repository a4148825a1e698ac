import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { caRoots } from '../../actors/ca/queries.ts'
import { bundleProgress, proxyReports } from '../../actors/reports/queries.ts'
import type { SignerRequest } from '../../src/kernel/ports.ts'
import { granted } from '../kit/asking.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { dial } from './machine.ts'
import { activeRoot, type Begun, begin, changedOver, configure, verifies } from './rotating.ts'

test('no connection fails while the root changes: to other kinds of keys, to another provider, and without cross-signing', async (t) => {
  const begun = await begin(t)
  const { machine, traffic } = begun
  await traffic.until(() => bundleProgress(machine.tables.view(), activeRoot(begun).id).presenting === 2)
  const steady = dial(begun.port)
  t.is(await steady.answer('before'), 'before')
  const seen = [activeRoot(begun).id]
  for (const [config, kind] of [
    [{ PrivateKeyBits: 384 }, 'ec-384'],
    [{ PrivateKeyType: 'rsa', PrivateKeyBits: 2048 }, 'rsa-2048'],
    [{ PrivateKeyBits: 521 }, 'ec-521'],
    [{ PrivateKeyBits: 224 }, 'ec-224'],
  ] as const) {
    await configure(begun, config)
    await changedOver(begun)
    const { id, keyType, keyBits, signingKeyId } = activeRoot(begun)
    t.is(`${keyType}-${keyBits}`, kind)
    t.true(proxyReports(machine.tables.view()).reports.every(({ leafKeyId }) => leafKeyId === signingKeyId))
    seen.push(id)
  }

  await configure(begun, await externalFiles(t, begun), { provider: 'external' })
  await changedOver(begun)
  t.is(activeRoot(begun).name, 'External CA Primary Cert')
  t.not(activeRoot(begun).signingKeyId, '')

  await configure(begun, { PrivateKeyBits: 256, DisableCrossSigning: true })
  await changedOver(begun)
  await configure(begun, { PrivateKeyBits: 384, LeafCertTTL: '1h' }, { force: true })
  await changedOver(begun)
  t.is(activeRoot(begun).keyBits, 384)
  t.is(await steady.answer('after'), 'after')
  await traffic.stop()
  t.deepEqual(traffic.failures, [])
  t.log(`${traffic.made()} connections`)
  steady.socket.end()
  await steady.closed
})

test('openssl goes from the old root over the cross-signed one to a new leaf, and from an external root over its intermediate', async (t) => {
  const begun = await begin(t)
  const old = activeRoot(begun)
  await configure(begun, { PrivateKeyType: 'rsa', PrivateKeyBits: 2048 })
  const root = activeRoot(begun)
  t.true(await verifies(t, begun, old.certPem))
  t.true(await verifies(t, begun, root.certPem))
  await configure(begun, await externalFiles(t, begun), { provider: 'external' })
  t.true(await verifies(t, begun, root.certPem))
  t.true(await verifies(t, begun, activeRoot(begun).certPem))
  t.true(await verifies(t, begun, old.certPem), 'and from the oldest one, while that is trusted')
})

/** A root, an intermediate that it signed, and the intermediate's key, as an operator brings them. */
async function externalFiles(t: ExecutionContext, { machine, ask }: Begun): Promise<Record<string, unknown>> {
  const uri = `spiffe://${caRoots(machine.tables.view())?.trustDomain}`
  const notBeforeMs = Date.now() - 3_600_000
  const times = { notBeforeMs, notAfterMs: notBeforeMs + 400 * 86_400_000 }
  const made = async (request: SignerRequest) => granted(await ask(request))
  const authority = async (commonName: string, serial: number) => {
    const { keyPem = '' } = await made({ do: 'key', type: 'ec', bits: 256 })
    const { certPem = '' } = await made({ do: 'root', keyPem, commonName, uri, serial, ...times })
    return { keyPem, certPem }
  }
  const root = await authority('Root of the house', 1)
  const below = await authority('Mesh of the house', 2)
  const { certPem: intermediatePem = '' } = await made({ do: 'cross-sign', certPem: below.certPem, by: root, serial: 3, ...times })
  const folder = temporaryDirectory(t)
  const files = { CertFile: intermediatePem, KeyFile: below.keyPem, RootFile: root.certPem }
  for (const [name, pem] of Object.entries(files)) writeFileSync(join(folder, name), pem)
  return Object.fromEntries(Object.keys(files).map((name) => [name, join(folder, name)]))
}
