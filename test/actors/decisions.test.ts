import test from 'ava'
import fc from 'fast-check'
import { decisions } from '../../actors/decisions/index.ts'
import type { Refused } from '../../actors/decisions/protocol.ts'
import { add, NEWEST_MAX, ROWS_MAX, type Rows, rowsAbout } from '../../actors/decisions/rows.ts'
import { intentions } from '../../actors/intentions/index.ts'
import { granted } from '../kit/asking.ts'
import { emptyTables } from '../kit/tables.ts'
import { tryActor } from '../kit/try-actor.ts'

const ALL = { source: '', destination: '', token: '' }
const refusal = (given: Partial<Refused> = {}): Refused => ({
  side: 'inbound',
  source: 'web',
  destination: 'db',
  kind: 'intention',
  cause: 'default/web => default/db (Precedence: 9, Action: DENY)',
  atMs: 1_000,
  uri: 'spiffe://td.consul/ns/default/dc/dc1/svc/web',
  serial: '0a',
  from: '10.0.0.1:1234',
  ...given,
})
const noRows = (): Rows => ({ byKey: new Map(), index: 1 })

test('refusals of one pair and cause are one row that counts, with the newest of them', (t) => {
  const rows = noRows()
  for (let at = 0; at < 20; at++) add(rows, refusal({ atMs: at, from: `10.0.0.1:${at}` }))
  add(rows, refusal({ kind: 'default', cause: 'Default behavior configured by ACLs', atMs: 30 }))
  add(rows, refusal({ atMs: 40 }))
  const [other, row] = rowsAbout(rows, 'web', 'db')
  t.like(other, { kind: 'default', count: 1, index: 22 })
  t.like(row, { count: 21, firstMs: 0, lastMs: 40, index: 23 })
  t.is(row?.newest.length, NEWEST_MAX)
  t.is(row?.newest.at(-1)?.atMs, 40)
})

test('a flood of one kind pushes nothing else out, and there is an end to kinds', (t) => {
  const rows = noRows()
  add(rows, refusal())
  for (let at = 0; at < 5_000; at++) add(rows, refusal({ source: 'flood' }))
  t.is(rowsAbout(rows, 'web', 'db').length, 1)
  for (let at = 0; at < ROWS_MAX; at++) add(rows, refusal({ source: `s${at}` }))
  t.is(rowsAbout(rows, '', '').length, ROWS_MAX)
  t.is(rowsAbout(rows, 'web', 'db').length, 0, 'what nothing was added to for longest is gone')
})

test('what others chose is cut', (t) => {
  const rows = noRows()
  add(rows, refusal({ source: 'x'.repeat(9_000), uri: 'y'.repeat(9_000), cause: 'z'.repeat(9_000) }))
  t.true(JSON.stringify(rowsAbout(rows, '', '')).length < 3_000)
})

test('whoever did not show who it is may be any source, but not any destination', (t) => {
  const rows = noRows()
  add(rows, refusal({ source: '', kind: 'handshake', cause: 'the certificate has expired' }))
  add(rows, refusal({ source: 'api' }))
  t.deepEqual(
    rowsAbout(rows, 'web', 'db').map(({ kind }) => kind),
    ['handshake'],
  )
  t.is(rowsAbout(rows, '', 'cache').length, 0)
  t.is(rowsAbout(rows, '', '').length, 2)
})

test('rows are in the order of their newest, and each index is that of one of them', (t) => {
  const cause = fc.constantFrom('a', 'b', 'c', 'd')
  fc.assert(
    fc.property(fc.array(cause, { maxLength: 40 }), (causes) => {
      const rows = noRows()
      for (const one of causes) add(rows, refusal({ cause: one }))
      const found = rowsAbout(rows, '', '')
      t.is(found.at(-1)?.cause, causes.at(-1))
      t.is(
        found.reduce((sum, { count }) => sum + count, 0),
        causes.length,
      )
      t.deepEqual(
        found.map(({ index }) => index),
        found.map(({ cause: one }) => (causes as string[]).lastIndexOf(one) + 2),
      )
    }),
  )
})

test('followers hear what is new about their pair, a flood at once and then now and then', (t) => {
  const a = tryActor(decisions, { args: undefined })
  const all = a.subscribe('decisions', ALL)
  const other = a.subscribe('decisions', { ...ALL, destination: 'cache' })
  t.deepEqual([all.values, all.index], [[[]], 1])
  for (let at = 0; at < 50; at++) a.cast('refused', refusal({ atMs: at }))
  a.wait(100)
  t.is(all.values.length, 2)
  t.like(all.values[1]?.[0], { count: 50, index: 51 })
  t.is(all.index, 51)
  t.is(other.values.length, 1)
  a.wait(1_000)
  t.is(all.values.length, 2, 'nothing is told twice')
  a.leave(all as never)
  a.cast('refused', refusal({ destination: 'cache' }))
  a.wait(100)
  t.deepEqual([all.values.length, other.values.length], [2, 2])
  t.is(granted(a.call('list', ALL).result!).length, 2)
})

test('a denial of the authorization leaves a record with the serial number', (t) => {
  const tables = emptyTables()
  const a = tryActor(intentions, { args: { defaultAllow: true }, tables })
  tables.apply([{ kind: 'intentions.put', atMs: 0, request: { source: 'web', destination: 'db', action: 'deny', description: '' } }])
  const uri = 'spiffe://other.consul/ns/default/dc/dc1/svc/web'
  a.call('authorize', { target: 'db', uri, serial: '0f', token: '' })
  const [cast] = a.effects().filter(({ did }) => did === 'cast')
  t.like(cast, {
    to: 'decisions',
    name: 'refused',
    request: { side: 'authorize', kind: 'identity', source: 'web', destination: 'db', uri, serial: '0f' },
  })
})

test('what others have refused is kept with its number and the time at which it was told', (t) => {
  const a = tryActor(decisions, { args: undefined, nowMs: 5_000 })
  const { atMs: _atMs, ...told } = refusal({ side: 'inbound', count: 7 })
  t.is(a.call('add', { refused: [{ ...told, side: 'inbound' }], token: '' }).result, null)
  t.like(a.call('list', ALL).result, [{ source: 'web', destination: 'db', count: 7, firstMs: 5_000, newest: [{ from: '10.0.0.1:1234' }] }])
})
