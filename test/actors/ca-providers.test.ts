import test from 'ava'
import { ca } from '../../actors/ca/index.ts'
import type { SignedLeaf } from '../../actors/ca/protocol.ts'
import { caRoots } from '../../actors/ca/queries.ts'
import type { AuthorityRequest } from '../../src/kernel/ports.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { CA_SETTINGS, fakeRoot, foundCa, rotateCa } from '../kit/ca.ts'
import { emptyTables } from '../kit/tables.ts'
import { tryActor } from '../kit/try-actor.ts'
import { ARGS, NOW_MS } from '../kit/try-ca.ts'

const HOUR_MS = 3_600_000
const VAULT = { ...CA_SETTINGS, provider: 'vault' as const }

/** An authority with another program behind it, which the test plays. */
function tryProvider() {
  const tables = emptyTables()
  foundCa(tables, { ...fakeRoot('root-1'), notAfterMs: NOW_MS + 9_000 * HOUR_MS }, VAULT)
  const a = tryActor(ca, { args: ARGS, tables, nowMs: NOW_MS })
  const doing = () => (a.acts('authority') as AuthorityRequest[]).map((request) => request.do)
  const lines = () => a.effects().flatMap((effect) => ('line' in effect ? [effect.line] : []))
  return { a, tables, doing, lines }
}

test('a provider is looked at when it says, and an hour later at the latest', (t) => {
  const { a, doing } = tryProvider()
  a.wait(0)
  for (const [outcome, waitMs] of [
    [{ againMs: 5_000 }, 5_000],
    [{ againMs: 0 }, 1_000],
    [{}, HOUR_MS],
    [{ againMs: 9 * HOUR_MS }, HOUR_MS],
    [refuse('busy', 'Vault is sealed'), 60_000],
  ] as const) {
    t.deepEqual(doing(), ['check'])
    a.outcome('authority', outcome)
    a.wait(waitMs - 1)
    t.deepEqual(doing(), [])
    a.wait(1)
  }
  t.deepEqual(doing(), ['check'])
})

test('a warning of the provider is told; what it renewed is in force, warned or not', (t) => {
  const { a, tables, lines } = tryProvider()
  a.wait(0)
  const { id, signingKeyId: _key, certPem: rootPem, ...root } = fakeRoot('root-1')
  const prepared = {
    ...root,
    rootId: id,
    rootPem,
    signingKeyId: 'renewed',
    intermediatesPem: ['new'],
    state: { chainPem: 'new' },
    crossSigns: true,
  }
  a.outcome('authority', { prepared, warning: 'Token: ends in 5 minutes' })
  t.like(caRoots(tables.view())?.roots[0], { signingKeyId: 'renewed', intermediatesPem: ['new'] })
  t.deepEqual(
    lines().filter((line) => line.includes('provider')),
    ['the CA provider needs somebody to look after it'],
  )
})

test('a leaf is shown as valid for as long as the provider made it', (t) => {
  const { a, tables } = tryProvider()
  a.wait(0)
  a.outcome('authority', {})
  const { trustDomain = '' } = caRoots(tables.view()) ?? {}
  const call = a.call('sign', { csrPem: 'csr', token: '' })
  a.outcome('signer', { uris: [`spiffe://${trustDomain}/ns/default/dc/dc1/svc/web`] })
  const times = { notBeforeMs: NOW_MS - 30_000, notAfterMs: NOW_MS + 600_000 }
  a.outcome('authority', { certPem: 'leaf', chainPem: [], serial: '0f', ...times })
  t.like(call.result as SignedLeaf, { serialText: '0f', validAfterMs: times.notBeforeMs, validBeforeMs: times.notAfterMs })
})

test('what a provider leaves behind for a retired root is told once, and the root forgotten', (t) => {
  const { a, tables, doing, lines } = tryProvider()
  rotateCa(tables, 'root-2')
  tables.apply([{ kind: 'ca.retire', atMs: NOW_MS, request: { rootId: 'root-1', activeRootId: 'root-2' } }])
  a.restart()
  t.deepEqual(doing(), ['retire'])
  a.outcome('authority', { warning: 'could not be unmounted' })
  t.true(lines().includes('what was made for a retired root was not removed'))
  a.wait(2 * HOUR_MS)
  t.deepEqual(doing(), [])
})

test('a provider that is gone is asked for a day to remove what was made, and then no more', (t) => {
  const { a, tables, doing, lines } = tryProvider()
  rotateCa(tables, 'root-2')
  tables.apply([{ kind: 'ca.retire', atMs: NOW_MS, request: { rootId: 'root-1', activeRootId: 'root-2' } }])
  a.restart()
  for (let tries = 0; tries < 24; tries++) {
    t.deepEqual(doing(), ['retire'])
    a.outcome('authority', refuse('busy', 'connection refused'))
    a.wait(HOUR_MS - 1)
    t.deepEqual(doing(), [])
    a.wait(1)
  }
  const said = lines()
  t.is(said.filter((line) => line.startsWith('could not remove')).length, 23)
  t.is(said.at(-1), 'what was made for a retired root was not removed')
  a.wait(9 * HOUR_MS)
  t.deepEqual(doing(), [])
})

test('what a provider forbids is no lack of permission of those who ask', (t) => {
  const { a, tables } = tryProvider()
  a.wait(0)
  a.outcome('authority', {})
  const { trustDomain = '' } = caRoots(tables.view()) ?? {}
  const signing = a.call('sign', { csrPem: 'csr', token: '' })
  a.outcome('signer', { uris: [`spiffe://${trustDomain}/ns/default/dc/dc1/svc/web`] })
  a.outcome('authority', refuse('forbidden', 'permission denied'))
  t.deepEqual(signing.result, refuse('busy', 'permission denied'))
  const config = { Token: 'other' }
  const changing = a.call('configure', { provider: 'vault', config, settings: VAULT, rehearse: false, token: '' })
  a.outcome('authority', refuse('forbidden', 'Token: permission denied'))
  t.deepEqual(changing.result, refuse('invalid', 'error configuring provider: Token: permission denied'))
})
