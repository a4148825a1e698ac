import test from 'ava'
import { isChain } from '../../net/authorities/certificates.ts'
import type { AuthorityState, PreparedAuthority } from '../../src/kernel/ports.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { granted, refused } from '../kit/asking.ts'
import { lifetime, newRoot, TRUST_DOMAIN, uriOf } from '../kit/authority.ts'
import { type AuthorityArm, authorityArms } from './authority-arms.ts'

/** A leaf's times are those that were asked for, but for what clocks and whole seconds differ. */
const CLOCK_MS = 5_000

async function prepare(arm: AuthorityArm, state: AuthorityState = {}, rehearse = false): Promise<PreparedAuthority> {
  const request = { authority: arm.authority, state, serial: 7, unique: 'abcdefgh', nowMs: Date.now(), rehearse }
  const { prepared } = granted(await arm.ask({ do: 'prepare', ...request }))
  if (!prepared) throw new Error('nothing was prepared')
  return prepared
}

async function sign({ ask, askSigner, authority }: AuthorityArm, state: AuthorityState, uri = uriOf('web')) {
  const names = { commonName: 'web', uri: uriOf('web') }
  const { csrPem = '' } = granted(await askSigner({ do: 'key', type: 'ec', bits: 256, request: names }))
  return ask({ do: 'sign', authority, state, csrPem, commonName: 'web', uri, serial: 0x1234, ...lifetime(2) })
}

for (const [name, open] of authorityArms) {
  test.serial(`${name}: a root is made or found once, with what signs leaves`, async (t) => {
    const arm = await open(t)
    const made = await prepare(arm)
    const { askSigner } = arm
    const root = granted(await askSigner({ do: 'read-certificate', certPem: made.rootPem }))
    t.like(root, { isCa: true, isSelfSigned: true })
    const { id = '', serial = '', commonName = '', notBeforeMs = 0, notAfterMs = 0, keyType = 'ec', keyBits = 0 } = root
    t.like(made, { rootId: id, serial, commonName, notBeforeMs, notAfterMs, keyType, keyBits, crossSigns: arm.crossSigns })
    const signing = granted(await askSigner({ do: 'read-certificate', certPem: made.intermediatesPem[0] ?? made.rootPem }))
    t.is(signing.keyId, made.signingKeyId)
    t.true(made.signsUntilMs === undefined || made.signsUntilMs <= (signing.notAfterMs ?? 0))
    if (arm.isReal) t.true(isChain([...made.intermediatesPem, made.rootPem]))
    t.true(made.trustDomain === undefined || made.trustDomain === TRUST_DOMAIN)
    t.deepEqual(await prepare(arm, made.state), made)
    t.is((await prepare(arm, made.state, true)).rootId, made.rootId)
  })

  test.serial(`${name}: a rehearsal can be followed by the real thing`, async (t) => {
    const arm = await open(t)
    const rehearsed = await prepare(arm, {}, true)
    const made = await prepare(arm)
    t.like(made, { keyType: rehearsed.keyType, keyBits: rehearsed.keyBits, crossSigns: rehearsed.crossSigns, name: rehearsed.name })
    if (rehearsed.rootPem !== '') t.is(rehearsed.rootId, made.rootId)
  })

  test.serial(`${name}: leaves say who they are for and lead to the root`, async (t) => {
    const arm = await open(t)
    const made = await prepare(arm)
    const seen = new Set<string>()
    for (let count = 0; count < 3; count++) {
      const leaf = granted(await sign(arm, made.state))
      const facts = granted(await arm.askSigner({ do: 'read-certificate', certPem: leaf.certPem ?? '' }))
      t.like(facts, { uris: [uriOf('web')], isCa: false, authorityKeyId: made.signingKeyId, serial: leaf.serial ?? '' })
      const { notAfterMs = facts.notAfterMs, notBeforeMs = facts.notBeforeMs } = leaf
      t.deepEqual([notBeforeMs, notAfterMs], [facts.notBeforeMs, facts.notAfterMs])
      t.true(Math.abs((facts.notAfterMs ?? 0) - lifetime(2).notAfterMs) < CLOCK_MS)
      t.true((facts.notBeforeMs ?? 0) <= Date.now())
      const above = [...made.intermediatesPem, ...(leaf.chainPem ?? []).filter((pem) => !made.intermediatesPem.includes(pem))]
      if (arm.isReal) t.true(isChain([leaf.certPem ?? '', ...above, made.rootPem]))
      seen.add(leaf.certPem ?? '')
    }
    t.is(seen.size, 3)
  })

  test.serial(`${name}: a leaf never has a name that was not asked for`, async (t) => {
    const arm = await open(t)
    const made = await prepare(arm)
    const outcome = await sign(arm, made.state, uriOf('db'))
    if (isRefused(outcome)) return t.is(outcome.refused, 'invalid')
    const facts = granted(await arm.askSigner({ do: 'read-certificate', certPem: outcome.certPem ?? '' }))
    t.deepEqual(facts.uris, [uriOf('db')])
  })

  test.serial(`${name}: it signs other roots, or says that it does not`, async (t) => {
    const arm = await open(t)
    const { ask, askSigner, authority } = arm
    const made = await prepare(arm)
    const next = await newRoot(askSigner, 'ec', 384)
    const request = { authority, state: made.state, certPem: next.certPem, serial: 9, ...lifetime(7) }
    const outcome = await ask({ do: 'cross-sign', ...request })
    if (!arm.crossSigns) return t.is(refused(outcome).refused, 'invalid')
    const { certPem = '', chainPem = [] } = granted(outcome)
    const facts = granted(await askSigner({ do: 'read-certificate', certPem }))
    const { keyId = '' } = granted(await askSigner({ do: 'read-certificate', certPem: next.certPem }))
    t.like(facts, { keyId, isCa: true, isSelfSigned: false })
    if (arm.isReal) t.true(isChain([certPem, ...chainPem, made.rootPem]))
  })

  test.serial(`${name}: a check finds nothing to renew in what is new`, async (t) => {
    const arm = await open(t)
    const { authority, ask } = arm
    const made = await prepare(arm)
    const outcome = granted(await ask({ do: 'check', authority, state: made.state, nowMs: Date.now() }))
    t.deepEqual([outcome.prepared, outcome.warning], [undefined, undefined])
    t.true((outcome.againMs ?? 0) >= 0)
    for (const secret of [...arm.secrets, ...Object.values(made.state)]) {
      if (secret.includes('PRIVATE KEY')) t.false(JSON.stringify(outcome).includes(secret))
    }
  })

  test.serial(`${name}: what another authority still uses stays when one retires, and retiring can be repeated`, async (t) => {
    const arm = await open(t)
    const { authority, ask } = arm
    const { state } = await prepare(arm)
    granted(await ask({ do: 'retire', authority, state, staying: [{ authority, state }] }))
    granted(await sign(arm, state))
    for (let count = 0; count < 2; count++) t.is(granted(await ask({ do: 'retire', authority, state, staying: [] })).warning, undefined)
    if (authority.provider !== 'aws-pca') granted(await sign(arm, (await prepare(arm)).state))
  })

  test.serial(`${name}: a root of another trust domain is refused, if it names one`, async (t) => {
    const arm = await open(t)
    const made = await prepare(arm)
    if (made.trustDomain === undefined) return t.is(arm.authority.provider, 'aws-pca')
    const authority = { ...arm.authority, trustDomain: '99999999-2222-3333-4444-555555555555.consul' }
    const request = { authority, state: made.state, serial: 7, unique: 'u', nowMs: Date.now(), rehearse: false }
    const { refused: code, why } = refused(await arm.ask({ do: 'prepare', ...request }))
    t.is(code, 'invalid')
    t.regex(why, /belongs to the trust domain/)
    for (const secret of arm.secrets) t.false(why.includes(secret))
  })
}
