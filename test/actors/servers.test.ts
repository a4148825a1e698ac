import test from 'ava'
import { ledger } from '../../actors/ledger.ts'
import { leaderOf } from '../../actors/servers/commands.ts'
import { serversOf } from '../../src/cluster-report.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { asked, read } from '../kit/http.ts'
import { emptyTables } from '../kit/tables.ts'
import { tryActor } from '../kit/try-actor.ts'

const idOf = (number: number) => `0000000${number}-0000-4000-8000-000000000000`

test('whoever was elected last leads; a server alone leads without an election', (t) => {
  const tables = emptyTables()
  for (const number of [1, 2]) {
    const node = {
      Node: `n${number}`,
      ID: idOf(number),
      Address: `10.0.0.${number}`,
      Service: { ID: 'consul', Service: 'consul', Port: 8300 },
    }
    const question = asked('PUT', '/v1/catalog/register', node)
    if (!('to' in question)) throw new Error('broken promise: a registration is asked')
    const { token: _token, ...request } = question.request as { token: string }
    tables.apply([{ kind: 'catalog.register', atMs: 0, request }])
  }
  const lead = (id: string) => tables.apply([{ kind: 'servers.lead', atMs: 0, request: { id } }])
  const leaders = () => {
    const servers = serversOf(tables.view()).filter(({ leads }) => leads)
    return [read(tables.view(), '/v1/status/leader').json, ...servers.map(({ name }) => name)]
  }
  t.deepEqual([leaderOf(tables.view()), leaders()], [undefined, ['10.0.0.1:8300', 'n1']])
  lead(idOf(2))
  t.deepEqual([leaderOf(tables.view()), leaders()], [idOf(2), ['10.0.0.2:8300', 'n2']])
  const { index } = tables.notice
  lead(idOf(2))
  t.deepEqual([tables.notice.index, tables.notice.touched], [index, []])
  lead(idOf(3))
  t.is(read(tables.view(), '/v1/status/leader').json, '')
  t.deepEqual(read(tables.view(), '/v1/status/peers').json, ['10.0.0.1:8300', '10.0.0.2:8300'])
})

test('whoever wants to know everything waits for an empty group, and for no group of commands', (t) => {
  const a = tryActor(ledger, { args: undefined })
  const [first, second] = [a.call('catchUp', null), a.call('catchUp', null)]
  t.deepEqual(a.acts('log'), [{ commands: [] }, { commands: [] }])
  a.outcome('log', { outcomes: [], notice: { index: 0, touched: [] } })
  a.outcome('log', refuse('busy', 'No cluster leader'))
  t.deepEqual(new Set([first.result, second.result]), new Set([null, refuse('busy', 'No cluster leader')]))
})
