import test from 'ava'
import { ca } from '../../actors/ca/index.ts'
import type { SignedLeaf } from '../../actors/ca/protocol.ts'
import { caRoots, rootAuthority, trustBundle } from '../../actors/ca/queries.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { Table, View } from '../../src/kernel/tables.ts'
import { granted, refused } from '../kit/asking.ts'
import { emptyTables } from '../kit/tables.ts'
import { tryActor } from '../kit/try-actor.ts'
import { ARGS, csrFor, NOW_MS, tryCa } from '../kit/try-ca.ts'

test('an empty cluster gets an authority at once, and only one', (t) => {
  const { run, tables, ask } = tryCa()
  run()
  const roots = caRoots(tables.view())
  t.is(roots?.roots.length, 1)
  const [root] = roots?.roots ?? []
  const facts = ask({ do: 'read-certificate', certPem: root?.certPem ?? '' })
  t.deepEqual(facts.uris, [`spiffe://${roots?.trustDomain}`])
  t.true(facts.isCa)
  t.true((facts.notBeforeMs ?? 0) <= NOW_MS - 24 * 3_600_000, 'also valid where clocks are behind')
  t.like(root, { active: true, serial: '01', name: 'Consul CA Primary Cert', keyType: 'ec', keyBits: 256, id: facts.id })

  const second = tryCa(ARGS, tables)
  second.run()
  t.deepEqual(caRoots(tables.view()), roots)
  t.deepEqual(second.a.acts('authority'), [])
})

test('of two that found it at the same time, the first wins and both go on with its root', (t) => {
  const tables = emptyTables()
  const one = tryCa(ARGS, tables)
  const other = tryCa(ARGS, tables)
  one.run()
  other.run()
  t.is(caRoots(tables.view())?.roots.length, 1)
  for (const { a, run, ask } of [one, other]) {
    const { trustDomain = '' } = trustBundle(tables.view())?.bundle ?? {}
    const signed = a.call('sign', { csrPem: csrFor(ask, `spiffe://${trustDomain}/ns/default/dc/dc1/svc/web`), token: '' })
    run()
    t.is(caRoots(tables.view())?.activeRootId, (signed.result as SignedLeaf).rootId)
  }
})

test('a failing provider is tried again, later and later', (t) => {
  const a = tryActor(ca, { args: ARGS, nowMs: NOW_MS })
  for (const waitMs of [500, 1_000]) {
    a.outcome('authority', refuse('busy', 'no entropy'))
    t.deepEqual(a.acts('authority'), [])
    a.wait(waitMs)
    t.is(a.acts('authority').length, 1)
  }
})

test('leaves say who they are for, and no serial number is given twice, also after a crash', (t) => {
  const { a, run, tables, ask } = tryCa()
  run()
  const { trustDomain = '' } = trustBundle(tables.view())?.bundle ?? {}
  const uri = `spiffe://${trustDomain}/ns/default/dc/dc1/svc/web`
  const csrPem = csrFor(ask, uri)
  const serials: number[] = []
  for (let round = 0; round < 3; round++) {
    for (const call of [1, 2, 3].map(() => a.call('sign', { csrPem, token: '' }))) {
      run()
      serials.push(granted(call.result as Result<SignedLeaf>).serial)
    }
    a.restart()
  }
  t.is(new Set(serials).size, 9)
  t.deepEqual(
    [...serials].sort((x, y) => x - y),
    serials,
  )

  const signed = a.call('sign', { csrPem, token: '' })
  run()
  const leaf = granted(signed.result as Result<SignedLeaf>)
  const facts = ask({ do: 'read-certificate', certPem: leaf.certPem })
  t.deepEqual(facts.uris, [uri])
  t.is(facts.authorityKeyId, caRoots(tables.view())?.roots[0]?.signingKeyId)
  t.is(facts.notBeforeMs, NOW_MS - 60_000)
  t.is(facts.notAfterMs, NOW_MS - 60_000 + 3_600_000)
  t.like(leaf, { validAfterMs: NOW_MS - 60_000, validBeforeMs: NOW_MS + 3_540_000 })
})

test('a CSR of another datacenter or trust domain, without a service, or that is none, is refused', (t) => {
  const { a, run, tables, ask } = tryCa()
  run()
  const { trustDomain = '' } = trustBundle(tables.view())?.bundle ?? {}
  const why = (csrPem: string) => {
    const call = a.call('sign', { csrPem, token: '' })
    run()
    return refused(call.result).why
  }
  t.is(
    why(csrFor(ask, `spiffe://${trustDomain}/ns/default/dc/dc2/svc/web`)),
    'SPIFFE ID in CSR from a different datacenter: dc2, we are dc1',
  )
  t.is(
    why(csrFor(ask, 'spiffe://other.consul/ns/default/dc/dc1/svc/web')),
    `SPIFFE ID in CSR from a different trust domain: other.consul, we are ${trustDomain}`,
  )
  t.is(why(csrFor(ask, `spiffe://${trustDomain}`)), 'SPIFFE ID in CSR must be a service or agent ID')
  t.regex(why('hello'), /./)
})

test('agents get their id in this trust domain, whatever they asked for', (t) => {
  const { a, run, tables, ask } = tryCa()
  run()
  const signed = a.call('sign', { csrPem: csrFor(ask, 'spiffe://dummy.consul/agent/client/dc/dc1/id/n1'), token: '' })
  run()
  t.is(granted(signed.result as Result<SignedLeaf>).uri, `spiffe://${caRoots(tables.view())?.trustDomain}/agent/client/dc/dc1/id/n1`)
})

test('more CSRs than the limit wait a little, then they are refused', (t) => {
  const { a, run, tables, ask } = tryCa({ ...ARGS, settings: { ...ARGS.settings, csrMaxPerSecond: 4 } })
  run()
  const { trustDomain = '' } = trustBundle(tables.view())?.bundle ?? {}
  const csrPem = csrFor(ask, `spiffe://${trustDomain}/ns/default/dc/dc1/svc/web`)
  const calls = [1, 2, 3, 4].map(() => a.call('sign', { csrPem, token: '' }))
  run()
  t.deepEqual(
    calls.map(({ result }) => (result === undefined ? 'waits' : isRefused(result) ? result.why : 'signed')),
    ['signed', 'waits', 'waits', 'Rate limit reached, try again later'],
  )
  a.wait(500)
  run()
  t.deepEqual(
    calls.slice(0, 3).map(({ result }) => isRefused(result)),
    [false, false, false],
  )
})

test('while Connect is off nothing is founded and nothing signed', (t) => {
  const { a } = tryCa({ ...ARGS, enabled: false })
  t.deepEqual(a.acts('authority'), [])
  t.is(refused(a.call('sign', { csrPem: '', token: '' }).result).why, 'Connect must be enabled in order to use this endpoint')
})

test('an authority of which a snapshot has the key alone is the built-in one', async (t) => {
  const { settle, tables } = tryCa()
  await settle()
  const root = caRoots(tables.view())?.roots[0]
  const view = tables.view()
  const old: View = {
    get<Row>(table: Table<Row>, key: string): Row | undefined {
      const found = view.get(table, key)
      if (table.name === 'ca-authorities') return undefined
      if (!found || table.name !== 'ca-keys') return found
      return Object.fromEntries(Object.entries(found).filter(([name]) => name === 'keyPem')) as Row
    },
    range: (table, options) => view.range(table, options),
  }
  t.like(rootAuthority(old, root?.id ?? '', 'dc1'), {
    authority: { provider: 'consul' },
    state: { certPem: root?.certPem ?? '' },
    crossSigns: true,
  })
  t.is(rootAuthority(old, 'nobody', 'dc1'), undefined)
})
