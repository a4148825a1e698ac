import test from 'ava'
import { applyMirrored, mirroredRows } from '../../actors/mirror/rows.ts'
import { proxyReportTable } from '../../actors/reports/tables.ts'
import { overlay } from '../../src/kernel/overlay.ts'
import { recordReads } from '../../src/kernel/recording-view.ts'
import { report, tell, withSidecar } from '../kit/reports.ts'
import { emptyTables } from '../kit/tables.ts'

test('an agent is told of what it reports, and not each time another one does', (t) => {
  const tables = emptyTables()
  for (const node of ['n1', 'n2']) withSidecar(tables, node, 'web')
  let woken = 0
  const follow = () => {
    const { view, reads } = recordReads(tables.view())
    mirroredRows(view, 'n1')
    tables.wait(reads, () => {
      woken++
      follow()
    })
  }
  follow()
  const before = JSON.stringify(mirroredRows(tables.view(), 'n1'))
  tell(tables, 'n2', [report({ serviceId: 'web', intentionIndex: 7 })])
  t.is(woken, 0)
  t.is(JSON.stringify(mirroredRows(tables.view(), 'n1')), before)
  tell(tables, 'n1', [report({ serviceId: 'web', intentionIndex: 8 })])
  t.true(woken > 0)
  const own = overlay({ get: () => undefined, range: () => [] })
  applyMirrored(own, [{ rows: mirroredRows(tables.view(), 'n1') }])
  t.deepEqual(
    [...own.range(proxyReportTable)].map(([, { node, intentionIndex }]) => [node, intentionIndex]),
    [['n1', 8]],
  )
})
