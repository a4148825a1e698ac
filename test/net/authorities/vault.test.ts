import test from 'ava'
import type { AuthorityConfig } from '../../../src/kernel/ports.ts'
import { granted, refused } from '../../kit/asking.ts'
import { lifetime, newRoot, TRUST_DOMAIN, uriOf } from '../../kit/authority.ts'
import { issued } from '../../kit/issue.ts'
import { ask, askSigner, authorityOf, check, configFor, factsOf, prepare, retire, sign, vaultFor } from '../../kit/try-vault.ts'
import { meshPolicy } from '../../kit/vault.ts'
import { issuerOf } from '../../kit/vault-pki.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

for (const keepsIssuers of [false, true]) {
  const version = keepsIssuers ? 'a Vault that keeps issuers' : 'a Vault before 1.11'

  test(`${version}: engines, root, intermediate and role are made once, and leaves lead to the root`, async (t) => {
    const vault = await vaultFor(t, { keepsIssuers })
    const config = configFor(vault)
    const made = granted(await prepare(config))
    t.like(made, { name: 'Vault CA Primary Cert', keyType: 'ec', keyBits: 256, crossSigns: true, trustDomain: TRUST_DOMAIN })
    t.is(made.commonName, 'pri-abcdefgh.vault.ca.11111111.consul')
    const [intermediatePem = ''] = made.intermediatesPem
    const intermediate = await factsOf(intermediatePem)
    const root = await factsOf(made.rootPem)
    t.like(intermediate, { isCa: true, keyId: made.signingKeyId, authorityKeyId: root.keyId ?? '' })
    t.true(root.notAfterMs! - Date.now() > 3_600 * DAY_MS)
    t.is(made.signsUntilMs, intermediate.notAfterMs! - 60_000)
    t.deepEqual([...vault.engines.keys()], ['connect-root', 'connect-intermediate'])

    const before = vault.asked.length
    t.deepEqual(granted(await prepare(config, { state: made.state })), made)
    t.deepEqual(
      vault.asked.slice(before).filter((line) => !/^GET |capabilities-self/.test(line)),
      [],
    )

    const leaf = granted(await sign(config, made.state))
    const facts = await factsOf(leaf.certPem ?? '')
    t.like(facts, { uris: [uriOf('web')], isCa: false, authorityKeyId: made.signingKeyId, commonName: 'web.svc.default.11111111.consul' })
    t.like(leaf, { chainPem: [], serial: facts.serial ?? '', notAfterMs: facts.notAfterMs ?? 0, notBeforeMs: facts.notBeforeMs ?? 0 })
    t.true(Math.abs(facts.notAfterMs! - lifetime(1).notAfterMs) < 5_000)
  })

  test(`${version}: an intermediate is made anew after half of its life, and what it signs leads to the same root`, async (t) => {
    const vault = await vaultFor(t, { keepsIssuers })
    const config = configFor(vault, { IntermediateCertTTL: '720h' })
    const made = granted(await prepare(config))
    const early = granted(await check(config, made.state))
    t.is(early.prepared, undefined)
    t.true(early.againMs! > 14 * DAY_MS && early.againMs! < 16 * DAY_MS)
    const laterMs = Date.now() + 16 * DAY_MS
    vault.advance(16 * DAY_MS)
    const { prepared } = granted(await check(config, made.state, laterMs))
    t.is(prepared?.rootPem, made.rootPem)
    t.not(prepared?.signingKeyId, made.signingKeyId)
    t.true(prepared!.signsUntilMs! > made.signsUntilMs!)
    // Another server, which has not heard of it yet, sends it along.
    const leaf = granted(await sign(config, made.state))
    t.deepEqual(leaf.chainPem, prepared?.intermediatesPem)
    t.is((await factsOf(leaf.certPem ?? '')).authorityKeyId, prepared?.signingKeyId)
    t.deepEqual(granted(await sign(config, prepared?.state ?? {})).chainPem, [])
    t.deepEqual(granted(await check(config, made.state, laterMs)).prepared?.intermediatesPem, prepared?.intermediatesPem)
    t.is(granted(await check(config, prepared?.state ?? {}, laterMs)).prepared, undefined)
  })
}

test('Vault signs the root of another authority, and another authority that of Vault', async (t) => {
  const config = configFor(await vaultFor(t))
  const made = granted(await prepare(config))
  const next = await newRoot(askSigner, 'rsa', 2048)
  const crossed = granted(
    await ask({ do: 'cross-sign', authority: authorityOf(config), state: made.state, certPem: next.certPem, serial: 8, ...lifetime(7) }),
  )
  const { keyId: rootKeyId } = await factsOf(made.rootPem)
  const { keyId } = await factsOf(next.certPem)
  t.like(await factsOf(crossed.certPem ?? ''), { keyId: keyId ?? '', authorityKeyId: rootKeyId ?? '', isSelfSigned: false, keyType: 'rsa' })
  t.deepEqual(crossed.chainPem, [])

  const builtIn: AuthorityConfig = { ...authorityOf({}), provider: 'consul' }
  const request = { authority: builtIn, state: next, certPem: made.rootPem, serial: 9, ...lifetime(7) }
  const other = granted(await ask({ do: 'cross-sign', ...request }))
  t.like(await factsOf(other.certPem ?? ''), { keyId: rootKeyId ?? '', authorityKeyId: keyId ?? '' })
})

test('a rehearsal changes nothing in Vault', async (t) => {
  const vault = await vaultFor(t)
  const config = configFor(vault, { PrivateKeyType: 'rsa' })
  t.like(granted(await prepare(config, { rehearse: true })), { rootPem: '', keyType: 'rsa', keyBits: 2048, crossSigns: true, state: {} })
  t.is(vault.engines.size, 0)
  const made = granted(await prepare(config))
  t.deepEqual(granted(await prepare(config, { rehearse: true })), made)
})

test('a root that is there already is used, if it is one and of this cluster', async (t) => {
  const vault = await vaultFor(t)
  const made = granted(await prepare(configFor(vault)))
  const second = configFor(vault, { IntermediatePKIPath: 'second' })
  t.is(granted(await prepare(second)).rootId, made.rootId)
  const foreign = '99999999-2222-3333-4444-555555555555.consul'
  t.is(
    refused(await prepare(configFor(vault), { trustDomain: foreign })).why,
    `RootPKIPath: the CA in Vault at "connect-root": belongs to the trust domain ${TRUST_DOMAIN}, this cluster's is ${foreign}`,
  )
  t.is(granted(await prepare(configFor(vault), { trustDomain: foreign, founds: true })).trustDomain, TRUST_DOMAIN)
})

test('a CA of the house below another one signs the intermediate, and its chain leads to the root', async (t) => {
  const vault = await vaultFor(t)
  const top = granted(await prepare(configFor(vault, { RootPKIPath: 'house', IntermediatePKIPath: 'house-mesh' })))
  const engine = vault.engines.get('house-mesh')
  const [house, issuer] = [issuerOf(engine!), issuerOf(vault.engines.get('house')!)]
  const subject = { commonName: 'Mesh of the house', uris: [], spki: house!.key.publicKey.spki, isCa: true, pathLength: 3 }
  const housePem = issued({ ...subject, ...lifetime(900) }, { issuer: issuer! })
  const wide = { ...house!, certPem: housePem }
  engine!.issuers.set(engine!.defaultIssuer, wide)
  const config = configFor(vault, { RootPKIPath: 'house-mesh', IntermediatePKIPath: 'mesh' })
  const made = granted(await prepare(config))
  t.is(made.rootPem, top.rootPem)
  t.deepEqual(made.intermediatesPem.slice(1), [housePem])
  t.deepEqual(granted(await sign(config, made.state)).chainPem, [])
  const next = await newRoot(askSigner)
  const request = { authority: authorityOf(config), state: made.state, certPem: next.certPem, serial: 8, ...lifetime(7) }
  t.deepEqual(granted(await ask({ do: 'cross-sign', ...request })).chainPem, [housePem])

  engine!.issuers.set(engine!.defaultIssuer, { ...wide, chain: [] })
  t.is(
    refused(await prepare(config)).why,
    'RootPKIPath: the CA in Vault at "house-mesh" is not self-signed, and Vault has no chain to a root for it',
  )
})

test('what is in the way is named, and nothing is replaced that may be in use', async (t) => {
  const vault = await vaultFor(t)
  granted(await prepare(configFor(vault)))
  const why = async (more: Record<string, unknown>) => refused(await prepare(configFor(vault, more))).why
  t.is(await why({ RootPKIPath: 'secret' }), 'RootPKIPath: Vault has an engine of the type "kv" at "secret", not "pki"')
  t.is(
    await why({ IntermediatePKIPath: 'connect-root/below' }),
    'IntermediatePKIPath: nothing can be mounted at "connect-root/below" beside "connect-root/"',
  )
  t.is(
    await why({ RootPKIPath: 'connect-intermediate', IntermediatePKIPath: 'x' }),
    'RootPKIPath: the CA in Vault at "connect-intermediate": its path length does not allow the intermediate that signs leaves',
  )
})

test('engines that an operator has made are enough, with a token that sees no mounts', async (t) => {
  const vault = await vaultFor(t)
  const made = granted(await prepare(configFor(vault)))
  const policy = {
    'connect-root/root/sign-intermediate': ['update'],
    'connect-intermediate/*': ['create', 'read', 'update'],
  } as const
  const config = configFor(vault, { Token: vault.newToken({ ttlMs: 0, renewable: false, policy }) })
  const found = granted(await prepare(config))
  t.is(found.rootId, made.rootId)
  t.false(found.crossSigns)
  granted(await sign(config, found.state))
  t.regex(
    granted(await retire(config)).warning ?? '',
    /^IntermediatePKIPath: the token may not see what is mounted; unmount "connect-intermediate"/,
  )
})

test('the role lets through what the mesh needs and keeps what an operator added', async (t) => {
  const vault = await vaultFor(t)
  const config = configFor(vault)
  granted(await prepare(config))
  const roles = vault.engines.get('connect-intermediate')?.roles
  roles?.set('leaf-cert', { ...roles.get('leaf-cert'), key_type: 'rsa', allowed_uri_sans: ['spiffe://other/*'], organization: ['house'] })
  granted(await prepare(config))
  t.like(roles?.get('leaf-cert'), { key_type: 'any', allowed_uri_sans: ['spiffe://other/*', 'spiffe://*'], organization: ['house'] })
  const narrow = { ...roles?.get('leaf-cert'), allowed_uri_sans: [`spiffe://${TRUST_DOMAIN}/*`] }
  roles?.set('leaf-cert', narrow)
  granted(await prepare(config))
  t.is(roles?.get('leaf-cert'), narrow)
  granted(await prepare({ ...config, LeafCertTTL: '100h' }))
  t.is(roles?.get('leaf-cert')?.['max_ttl'], 100 * 3_600 + 60)
})

test('leaves that are to live longer than an engine allows have it allow more, or say so', async (t) => {
  const vault = await vaultFor(t)
  const config = configFor(vault, { IntermediateCertTTL: '300h' })
  granted(await prepare(config))
  const longer = { LeafCertTTL: '1000h', IntermediateCertTTL: '4000h' }
  const { 'sys/mounts/connect-intermediate/tune': _tune, ...policy } = meshPolicy('connect-root', 'connect-intermediate')
  const Token = vault.newToken({ ttlMs: 0, renewable: false, policy })
  t.is(
    refused(await prepare({ ...config, ...longer, Token })).why,
    'LeafCertTTL: is more than max_lease_ttl of the engine (1080000s), which could not be raised: 1 error occurred: * permission denied',
  )
  granted(await prepare({ ...config, ...longer }))
  t.is(vault.engines.get('connect-intermediate')?.maxTtlMs, 4_000 * HOUR_MS)
})

test('a leaf says what was asked for and nothing else', async (t) => {
  const vault = await vaultFor(t)
  const config = configFor(vault)
  const made = granted(await prepare(config))
  t.is(
    refused(await sign(config, made.state, 'https://x')).why,
    'IntermediatePKIPath: Vault did not sign the leaf: URI Subject Alternative Names were provided via the API which are not valid for this role',
  )
  const roles = vault.engines.get('connect-intermediate')?.roles
  // A role as Consul writes it takes the names from the request.
  roles?.set('leaf-cert', { ...roles.get('leaf-cert'), use_csr_sans: true, use_csr_common_name: true })
  granted(await sign(config, made.state))
  t.is(
    refused(await sign(config, made.state, uriOf('db'))).why,
    `the provider's certificate names ${uriOf('web')}, it must name ${uriOf('db')} alone`,
  )
  roles?.delete('leaf-cert')
  t.is(refused(await sign(config, made.state)).why, 'IntermediatePKIPath: Vault did not sign the leaf: unknown role: leaf-cert')
})

test('a root or an intermediate that somebody put in their place is noticed', async (t) => {
  const vault = await vaultFor(t)
  const config = configFor(vault)
  const made = granted(await prepare(config))
  granted(await prepare(configFor(vault, { RootPKIPath: 'other', IntermediatePKIPath: 'other-intermediate' })))
  const [own, other] = [vault.engines.get('connect-intermediate'), vault.engines.get('other-intermediate')]
  const kept = new Map(own?.issuers)
  own?.issuers.set(own.defaultIssuer, issuerOf(other!)!)
  const lost = "IntermediatePKIPath: Vault signs with a CA there that does not lead to the cluster's root"
  t.is(refused(await sign(config, made.state)).why, lost)
  const why =
    'IntermediatePKIPath: the CA in Vault at "connect-intermediate" was not signed by the one at "connect-root"; name another path'
  t.is(refused(await check(config, made.state)).why, why)
  t.is(refused(await prepare(config)).why, why)
  for (const [id, issuer] of kept) own?.issuers.set(id, issuer)
  vault.engines.set('connect-root', vault.engines.get('other')!)
  t.regex(refused(await check(config, made.state)).why, /^RootPKIPath: Vault has another root there than the cluster/)
  vault.engines.delete('connect-root')
  t.regex(refused(await check(config, made.state)).why, /^RootPKIPath: Vault has no CA there any more/)
})

test('the engine that was made for the cluster is unmounted once nobody needs it', async (t) => {
  const vault = await vaultFor(t)
  const config = configFor(vault)
  const { state } = granted(await prepare(config))
  t.deepEqual(granted(await retire(config, [{ authority: authorityOf({ ...config, LeafCertTTL: '1h' }), state }])), {})
  t.true(vault.engines.has('connect-intermediate'))
  const { 'sys/mounts/connect-intermediate': _mount, ...policy } = meshPolicy('connect-root', 'connect-intermediate')
  const Token = vault.newToken({ ttlMs: 0, renewable: false, policy })
  t.regex(
    granted(await retire({ ...config, Token })).warning ?? '',
    /^IntermediatePKIPath: could not be unmounted: 1 error occurred: \* permission denied; unmount/,
  )
  t.deepEqual(granted(await retire(config)), {})
  t.deepEqual([...vault.engines.keys()], ['connect-root'])
  t.deepEqual(granted(await retire(config)), {})

  granted(await prepare(config))
  vault.engines.get('connect-intermediate')!.description = 'of the house'
  t.deepEqual(granted(await retire(config)), {})
  t.true(vault.engines.has('connect-intermediate'))
})
