import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { rotationProgress } from '../../actors/ca/progress.ts'
import { caConfig, caRoots, rootAuthority } from '../../actors/ca/queries.ts'
import { readCaConfig } from '../../src/config/ca-config.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { granted, refused } from '../kit/asking.ts'
import { instance, registration } from '../kit/catalog.ts'
import { report, tell, withSidecar } from '../kit/reports.ts'
import { blocksOf, change, changed, DAY_MS, founded, given, HOUR_MS, leafOf, rootsOf } from '../kit/rotating.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { ARGS, NOW_MS, tryCa } from '../kit/try-ca.ts'

const NO_CROSS_SIGNING =
  'The current CA Provider does not support cross-signing. You can try again with ForceWithoutCrossSigningSet but this may cause disruption - see documentation for more.'

test('another kind of key makes another root, which the old one signs; leaves lead to both', async (t) => {
  const tried = founded()
  const before = rootsOf(tried.tables).active
  const config = { LeafCertTTL: '1h', PrivateKeyType: 'ec', PrivateKeyBits: 384 }
  t.deepEqual(await changed(tried, change(config)), { plan: undefined })
  const { active, others, roots } = rootsOf(tried.tables)
  t.deepEqual(
    others.map(({ id, active: signs, leavesUntilMs }) => [id, signs, leavesUntilMs]),
    [[before.id, false, NOW_MS + HOUR_MS]],
  )
  t.like(active, { keyType: 'ec', keyBits: 384, active: true })
  t.is(roots.length, 2)
  t.deepEqual(caConfig(tried.tables.view())?.config.shown, config)

  const leaf = await leafOf(tried)
  const [own, cross, ...more] = blocksOf(leaf.certPem)
  const [oldRoot, newRoot] = [new X509Certificate(before.certPem), new X509Certificate(active.certPem)]
  t.deepEqual(more, [])
  t.true(own?.verify(newRoot.publicKey))
  t.true(cross?.verify(oldRoot.publicKey))
  t.is(cross?.publicKey.export({ type: 'spki', format: 'pem' }), newRoot.publicKey.export({ type: 'spki', format: 'pem' }))
  t.is(cross && Date.parse(cross.validTo) - Date.parse(cross.validFrom), 7 * DAY_MS)
  t.is(cross && Date.parse(cross.validFrom), NOW_MS - 60_000)
  t.is(leaf.signingKeyId, active.signingKeyId)
})

test('somebody who knows only a root from several changes ago believes the newest leaf, as long as that root is trusted', async (t) => {
  const tried = founded()
  const keys = [384, 521, 256].map((bits) => given(tried, { bits }))
  const known = [rootsOf(tried.tables).active]
  for (const key of keys) {
    granted(await changed(tried, change(key)))
    known.push(rootsOf(tried.tables).active)
  }
  const [leaf, ...above] = blocksOf((await leafOf(tried)).certPem)
  t.is(above.length, 3)
  const chain = [leaf, ...above]
  for (const [at, certificate] of chain.entries()) {
    const root = new X509Certificate(known.at(-1 - at)?.certPem ?? '')
    t.true(certificate?.verify(root.publicKey), `with root ${known.length - 1 - at}`)
  }
  for (let more = 0; more < 4; more++) granted(await changed(tried, change(given(tried))))
  t.is(rootsOf(tried.tables).active.intermediatesPem.length, 4, 'handshakes carry them, so there is an end')

  tried.a.wait(4 * DAY_MS)
  await tried.settle()
  t.is(rootsOf(tried.tables).roots.length, 1)
  granted(await changed(tried, change(given(tried))))
  t.is(rootsOf(tried.tables).active.intermediatesPem.length, 1, 'nobody trusts the others any more')
})

test('a change to RSA, and back to the key that was made first: the same root signs again', async (t) => {
  const tried = founded()
  const first = rootsOf(tried.tables).active
  granted(await changed(tried, change({ PrivateKeyType: 'rsa', PrivateKeyBits: 2048 })))
  t.like(rootsOf(tried.tables).active, { keyType: 'rsa', keyBits: 2048 })
  granted(await changed(tried, change({})))
  const { active, roots } = rootsOf(tried.tables)
  t.is(active.id, first.id)
  t.is(active.createIndex, first.createIndex)
  t.is(roots.length, 2)
})

test('a given key and root become the root; the key is shown as hidden, and stays when it is written back so', async (t) => {
  const tried = founded()
  const root = given(tried)
  granted(await changed(tried, change(root)))
  const { active } = rootsOf(tried.tables)
  t.is(active.certPem, root.RootCert)
  const shown = caConfig(tried.tables.view())?.config.shown
  t.deepEqual(shown, { ...root, PrivateKey: 'hidden' })
  const index = caConfig(tried.tables.view())?.index
  granted(await changed(tried, change({ ...shown })))
  t.is(caConfig(tried.tables.view())?.index, index, 'nothing changed')
  granted(await changed(tried, change({ ...shown, LeafCertTTL: '2h' })))
  t.is(rootsOf(tried.tables).active.id, active.id)
  t.is(caConfig(tried.tables.view())?.config.leafCertTtlMs, 2 * HOUR_MS)
  t.is(rootAuthority(tried.tables.view(), active.id, 'dc1')?.authority.config['PrivateKey'], root.PrivateKey)
  t.is((await leafOf(tried)).rootId, active.id)
})

test('a given key alone gets a root made for it', async (t) => {
  const tried = founded()
  const { PrivateKey } = given(tried)
  granted(await changed(tried, change({ PrivateKey })))
  const { active } = rootsOf(tried.tables)
  t.is(rootAuthority(tried.tables.view(), active.id, 'dc1')?.state['keyPem'], PrivateKey)
  granted(await changed(tried, change({ PrivateKey, LeafCertTTL: '3h' })))
  t.is(rootsOf(tried.tables).active.id, active.id)
})

test('the same configuration again changes nothing', async (t) => {
  const tried = founded()
  const before = rootsOf(tried.tables)
  tried.a.effects()
  t.deepEqual(await changed(tried, change({ LeafCertTTL: '1h' })), { plan: undefined })
  t.deepEqual(
    tried.a.effects().filter(({ did }) => did === 'commit' || did === 'act'),
    [],
  )
  t.deepEqual(rootsOf(tried.tables), before)
})

test('limits and lifetimes hold from the next leaf on, with the same root', async (t) => {
  const tried = founded()
  const { active } = rootsOf(tried.tables)
  granted(await changed(tried, change({ LeafCertTTL: '5h', CSRMaxPerSecond: 7, CSRMaxConcurrent: '3' })))
  t.is(rootsOf(tried.tables).active.id, active.id)
  t.like(caConfig(tried.tables.view())?.config, { csrMaxPerSecond: 7, csrMaxConcurrent: 3 })
  const { validAfterMs, validBeforeMs } = await leafOf(tried)
  t.is(validBeforeMs - validAfterMs, 5 * HOUR_MS)
  granted(await changed(tried, change({ LeafCertTTL: '1h' })))
  t.is(rootsOf(tried.tables).active.leavesUntilMs, NOW_MS + 5 * HOUR_MS, 'longer leaves are out still')
})

test('no leaf lives longer than its root', async (t) => {
  const tried = founded()
  granted(await changed(tried, change(given(tried, { notAfterMs: NOW_MS + HOUR_MS / 2 }))))
  t.is((await leafOf(tried)).validBeforeMs, NOW_MS + HOUR_MS / 2)
})

test('what cannot work is found before anything is committed, and named', async (t) => {
  const tried = founded()
  const before = rootsOf(tried.tables)
  const { trustDomain } = before
  const [one, other] = [given(tried), given(tried)]
  const { csrPem = '', keyPem: leafKey = '' } = tried.ask({
    do: 'key',
    type: 'ec',
    bits: 256,
    request: { commonName: 'x', uri: 'spiffe://x.consul/a' },
  })
  const by = { certPem: one.RootCert, keyPem: one.PrivateKey }
  const times = { notBeforeMs: NOW_MS - HOUR_MS, notAfterMs: NOW_MS + HOUR_MS }
  const { certPem: leafPem = '' } = tried.ask({ do: 'leaf', csrPem, by, commonName: 'x', uri: 'spiffe://x.consul/a', serial: 5, ...times })
  const { certPem: crossPem = '' } = tried.ask({ do: 'cross-sign', certPem: other.RootCert, by, serial: 5, ...times })
  const expired = given(tried, { notBeforeMs: NOW_MS - 2 * DAY_MS, notAfterMs: NOW_MS - DAY_MS })
  const foreign = given(tried, { uri: 'spiffe://other.consul' })
  const early = given(tried, { notBeforeMs: NOW_MS + DAY_MS })
  const cases: [Record<string, unknown>, string][] = [
    [{ PrivateKey: one.PrivateKey, RootCert: other.RootCert }, 'PrivateKey: not the key of RootCert'],
    [{ PrivateKey: leafKey, RootCert: leafPem }, 'RootCert: not a CA certificate'],
    [
      { ...other, RootCert: crossPem },
      'RootCert: not self-signed; a root that another one signed is no root (see the provider "external")',
    ],
    [expired, 'RootCert: expired on 2026-11-22T00:00:00.000Z'],
    [early, 'RootCert: not valid before 2026-11-24T00:00:00.000Z'],
    [foreign, `RootCert: belongs to the trust domain other.consul, this cluster's is ${trustDomain}`],
    [{ RootCert: one.RootCert }, 'RootCert: cannot be given without its PrivateKey'],
    [{ PrivateKey: 'hidden' }, 'PrivateKey: "hidden" stands for a secret that there is none of'],
  ]
  for (const [config, why] of cases) t.is(refused(await changed(tried, change(config))).why, `error configuring provider: ${why}`)
  t.regex(refused(await changed(tried, change({ ...one, RootCert: 'x' }))).why, /^error configuring provider: RootCert: /)
  t.regex(refused(await changed(tried, change({ PrivateKey: 'x' }))).why, /^error configuring provider: PrivateKey: /)
  t.deepEqual(rootsOf(tried.tables), before)
  t.is((await leafOf(tried)).rootId, before.activeRootId, 'it signs as before')
})

test('without cross-signing the change is refused, unless it is forced: then the new root spreads first', async (t) => {
  const tried = founded({ DisableCrossSigning: true })
  const { tables, a } = tried
  for (const name of ['db', 'web']) withSidecar(tables, 'n1', name)
  const old = rootsOf(tables).active
  const wanted = { LeafCertTTL: '1h', PrivateKeyBits: 384 }
  t.is(refused(await changed(tried, change(wanted))).why, NO_CROSS_SIGNING)
  granted(await changed(tried, change(wanted, { force: true })))
  const { active, others } = rootsOf(tables)
  t.is(active.id, old.id, 'it does not sign yet')
  t.deepEqual(
    others.map(({ intermediatesPem }) => intermediatesPem),
    [[]],
  )
  const next = others[0]?.id ?? ''
  t.like(rotationProgress(tables.view()), { phase: 'spreading', done: 0, proxies: 2, waitingFor: ['n1/db', 'n1/web'] })
  t.regex(refused(await changed(tried, change({ PrivateKeyBits: 521 }))).why, /is not trusted by every proxy yet/)

  tell(tables, 'n1', [report({ serviceId: 'db', bundle: [old.id, next].sort() })])
  a.wait(60_000)
  t.true(a.effects().some((effect) => effect.did === 'print' && effect.facts?.['waitingFor'] === 'n1/web'))
  t.is(rootsOf(tables).active.id, old.id, 'web does not trust it')
  tell(tables, 'n1', [report({ serviceId: 'web', bundle: [old.id, next].sort() })])
  a.wait(60_000)
  t.is(rootsOf(tables).active.id, next)
  t.like(rotationProgress(tables.view()), { phase: 'active', done: 0, proxies: 2 })
})

test('members of the mesh that do not tell what they have are given a minute', async (t) => {
  const tried = founded({ DisableCrossSigning: true })
  const { tables, a } = tried
  const service = instance({ name: 'web', native: true })
  tables.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ node: 'n1', service }) }])
  granted(await changed(tried, change({ PrivateKeyBits: 384 }, { force: true })))
  const next = rootsOf(tables).others[0]?.id ?? ''
  t.like(rotationProgress(tables.view()), { silent: 1, notBeforeMs: NOW_MS + 60_000 })
  a.wait(59_999)
  t.not(rootsOf(tables).active.id, next)
  a.wait(1)
  t.is(rootsOf(tables).active.id, next)
})

test('an old root goes when every sidecar has a leaf of the new one and its own leaves have ended', async (t) => {
  const tried = founded()
  const { tables, a } = tried
  for (const name of ['db', 'web']) withSidecar(tables, 'n1', name)
  const old = rootsOf(tables).active
  granted(await changed(tried, change({ PrivateKeyBits: 384 })))
  const { active } = rootsOf(tables)
  const through = { bundle: [active.id, old.id], leafKeyId: active.signingKeyId }
  tell(tables, 'n1', [report({ serviceId: 'db', ...through }), report({ serviceId: 'web', ...through, leafKeyId: old.signingKeyId })])
  a.wait(2 * HOUR_MS)
  t.is(rootsOf(tables).roots.length, 2, 'web presents a leaf of the old root')
  t.like(rotationProgress(tables.view()), { phase: 'active', waitingFor: ['n1/web'] })
  tell(tables, 'n1', [report({ serviceId: 'web', ...through })])
  t.is(rotationProgress(tables.view())?.phase, 'retiring')
  a.wait(60_000)
  await tried.settle()
  t.deepEqual(
    rootsOf(tables).roots.map(({ id }) => id),
    [active.id],
  )
  t.is(rotationProgress(tables.view()), undefined)
  t.is(rootAuthority(tables.view(), old.id, 'dc1'), undefined, 'its key is gone')
})

test('an old root stays until its last leaf has ended', async (t) => {
  const tried = founded()
  const { tables, a } = tried
  granted(await changed(tried, change({ PrivateKeyBits: 384 })))
  a.wait(HOUR_MS - 1)
  await tried.settle()
  t.is(rootsOf(tables).roots.length, 2)
  a.wait(1)
  await tried.settle()
  t.is(rootsOf(tables).roots.length, 1)
})

test('an abort goes back to the former root and its configuration, while that is trusted', async (t) => {
  const tried = founded()
  const { tables, a } = tried
  const old = rootsOf(tables).active
  t.is(refused(a.call('abort', { token: '' }).result).why, 'there is no rotation to abort')
  granted(await changed(tried, change({ PrivateKeyBits: 384, LeafCertTTL: '2h' })))
  const next = rootsOf(tables).active
  t.deepEqual(a.call('abort', { token: '' }).result, { rootId: old.id })
  t.is(rootsOf(tables).active.id, old.id)
  t.like(caConfig(tables.view())?.config, { leafCertTtlMs: HOUR_MS, shown: { LeafCertTTL: '1h' } })
  t.is((await leafOf(tried)).rootId, old.id)
  t.like(rotationProgress(tables.view())?.rotation, { fromRootId: next.id, toRootId: old.id, aborts: true })
  t.is(refused(a.call('abort', { token: '' }).result).why, 'there is no rotation to abort')
})

test('an abort while the new root spreads takes it out again', async (t) => {
  const tried = founded({ DisableCrossSigning: true })
  const { tables, a } = tried
  withSidecar(tables, 'n1', 'web')
  const old = rootsOf(tables).active
  granted(await changed(tried, change({ PrivateKeyBits: 384 }, { force: true })))
  granted(a.call('abort', { token: '' }).result)
  tell(tables, 'n1', [report({ serviceId: 'web', bundle: [old.id], leafKeyId: old.signingKeyId })])
  a.wait(60_000)
  await tried.settle()
  t.deepEqual(
    rootsOf(tables).roots.map(({ id }) => id),
    [old.id],
  )
})

test('a plan says what would happen and changes nothing', async (t) => {
  const tried = founded()
  const { tables } = tried
  for (const name of ['db', 'web']) withSidecar(tables, 'n1', name)
  const { active } = rootsOf(tables)
  tell(tables, 'n1', [report({ serviceId: 'db', bundle: [active.id] })])
  tried.a.effects()
  const before = rootsOf(tables)
  const planned = async (config: Record<string, unknown>) => granted(await changed(tried, change(config, { rehearse: true }))).plan
  t.like(await planned({ PrivateKeyBits: 384, CSRMaxPerSecond: 0.05 }), {
    does: 'rotation',
    refusedWhy: '',
    rootId: '',
    keyBits: 384,
    crossSigned: true,
    proxies: 2,
    trusting: 1,
    behind: ['n1/web'],
    leaves: 2,
    leavesMs: 40_000,
    retireAtMs: NOW_MS + HOUR_MS,
  })
  const root = given(tried)
  t.like(await planned(root), {
    does: 'rotation',
    rootId: tried.ask({ do: 'read-certificate', certPem: root.RootCert }).id ?? '',
    leavesMs: 30_000,
  })
  t.like(await planned({ LeafCertTTL: '2h' }), { does: 'settings', rootId: active.id, leaves: 0, retireAtMs: 0 })
  t.like(await planned({ LeafCertTTL: '1h' }), { does: 'nothing' })
  t.regex(refused(await changed(tried, change({ ...root, PrivateKey: 'x' }, { rehearse: true }))).why, /PrivateKey/)
  t.deepEqual(rootsOf(tables), before)
  t.deepEqual(
    tried.a.effects().filter(({ did }) => did === 'commit'),
    [],
  )

  const alone = founded({ DisableCrossSigning: true })
  t.like(granted(await changed(alone, change({ PrivateKeyBits: 384 }, { rehearse: true }))).plan, {
    crossSigned: false,
    refusedWhy: NO_CROSS_SIGNING,
  })
})

test('one change at a time, and none on top of one that was not seen', async (t) => {
  const tried = founded()
  const { a, tables } = tried
  const first = a.call('configure', change({ PrivateKeyBits: 384 }))
  t.is(refused(a.call('configure', change({ PrivateKeyBits: 521 })).result).why, 'another change of the CA configuration is under way')
  const other = tryCa(ARGS, tables)
  granted(await changed(other, change({ LeafCertTTL: '2h' })))
  await tried.settle()
  t.is(refused(first.result).why, 'the configuration of the certificate authority was changed by somebody else meanwhile')
  t.is(rootsOf(tables).roots.length, 1)
  granted(await changed(tried, change({ PrivateKeyBits: 384 })))
})

test('leaves from before their life was made shorter count for the end of the root that signed them', async (t) => {
  const tried = founded({ DisableCrossSigning: true, LeafCertTTL: '9h' })
  const { tables, a } = tried
  granted(await changed(tried, change({ PrivateKeyBits: 384, LeafCertTTL: '2h' }, { force: true })))
  a.wait(0)
  t.deepEqual(
    rootsOf(tables).others.map(({ leavesUntilMs }) => leavesUntilMs),
    [NOW_MS + 9 * HOUR_MS],
  )
  granted(a.call('abort', { token: '' }).result)
  t.deepEqual(
    rootsOf(tables).others.map(({ leavesUntilMs }) => leavesUntilMs),
    [NOW_MS + 2 * HOUR_MS],
  )
})

test('files of an external authority are read again: a renewed intermediate signs from then on, another root begins a rotation', async (t) => {
  const tried = founded()
  const { a, tables, ask } = tried
  const folder = temporaryDirectory(t)
  const config = { CertFile: join(folder, 'cert'), KeyFile: join(folder, 'key'), RootFile: join(folder, 'root') }
  const write = (by: ReturnType<typeof given>, own = given(tried)) => {
    const times = { notBeforeMs: NOW_MS - HOUR_MS, notAfterMs: NOW_MS + 90 * DAY_MS }
    const authority = { certPem: by.RootCert, keyPem: by.PrivateKey }
    const { certPem = '' } = ask({ do: 'cross-sign', certPem: own.RootCert, by: authority, serial: 3, ...times })
    writeFileSync(config.CertFile, certPem)
    writeFileSync(config.KeyFile, own.PrivateKey)
    writeFileSync(config.RootFile, by.RootCert)
  }
  const refreshed = async () => {
    const call = a.call('refresh', null)
    await tried.settle()
    return granted(call.result as Result<object>)
  }
  t.deepEqual(await refreshed(), { plan: undefined }, 'the built-in authority has no files')
  const house = given(tried)
  write(house)
  granted(await changed(tried, change(config, { provider: 'external' })))
  const first = rootsOf(tables).active
  t.is(first.intermediatesPem.length, 2, 'what leads to the former root, and the intermediate')
  await refreshed()
  t.deepEqual(rootsOf(tables).active, first)

  write(house)
  await refreshed()
  const renewed = rootsOf(tables).active
  t.is(renewed.id, first.id)
  t.not(renewed.signingKeyId, first.signingKeyId)
  t.deepEqual(renewed.intermediatesPem[0], first.intermediatesPem[0])
  const [own] = blocksOf((await leafOf(tried)).certPem)
  t.true(own?.verify(new X509Certificate(renewed.intermediatesPem[1] ?? '').publicKey))

  write(given(tried))
  await refreshed()
  const { active, roots } = rootsOf(tables)
  t.is(roots.length, 3)
  t.is(
    active.intermediatesPem.length,
    4,
    'the cross-signed one, the intermediate above it, what leads on to the first root, and the own one',
  )
  t.true(new X509Certificate(active.intermediatesPem[0] ?? '').verify(new X509Certificate(active.intermediatesPem[1] ?? '').publicKey))

  writeFileSync(config.KeyFile, 'x')
  const call = a.call('refresh', null)
  await tried.settle()
  t.regex(refused(call.result).why, /^error configuring provider: KeyFile: /)
  t.is(rootsOf(tables).activeRootId, active.id)
})

test('a provider that never answers holds up no later change', async (t) => {
  const tried = founded()
  const { a } = tried
  const first = a.call('configure', change({ PrivateKeyBits: 384 }))
  a.wait(55_000)
  t.is(refused(first.result).why, 'error configuring provider: it did not answer in time')
  await tried.settle()
  t.is(rootsOf(tried.tables).roots.length, 1, 'what comes too late counts no more')
  granted(await changed(tried, change({ PrivateKeyBits: 384 })))
})

test('a cluster founded with a root that names a trust domain takes that one', async (t) => {
  const other = founded()
  const [clusterId, uri] = ['99999999-2222-4333-8444-555555555555', 'spiffe://99999999-2222-4333-8444-555555555555.consul']
  const config = { LeafCertTTL: '1h', ...given(other, { uri }) }
  const settings = readCaConfig('consul', config).settings
  const tried = tryCa({ ...ARGS, config, settings })
  await tried.settle()
  t.is(rootsOf(tried.tables).clusterId, clusterId)
  t.deepEqual((await leafOf(tried)).uri, `${uri}/ns/default/dc/dc1/svc/web`)

  const odd = { ...config, ...given(other, { uri: 'spiffe://house.example' }) }
  const never = tryCa({ ...ARGS, config: odd, settings })
  await never.settle()
  t.is(caRoots(never.tables.view()), undefined)
  t.true(
    never.a
      .effects()
      .some(
        (effect) =>
          effect.did === 'print' &&
          effect.facts?.['error'] === 'the root names the trust domain house.example, which is not a UUID and ".consul"',
      ),
  )
})

test('two servers that tend the same rotation do it once', async (t) => {
  const one = founded()
  const { tables } = one
  const two = tryCa(ARGS, tables)
  granted(await changed(one, change({ PrivateKeyBits: 384 })))
  for (const { a, settle } of [one, two]) {
    a.wait(HOUR_MS)
    await settle()
  }
  t.is(rootsOf(tables).roots.length, 1)
  t.is((await leafOf(one)).rootId, (await leafOf(two)).rootId)
})
