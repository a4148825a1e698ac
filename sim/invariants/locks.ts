import { nodeTable } from '../../actors/catalog/records.ts'
import { checkTable, nodeKey, nodeServiceKey } from '../../actors/catalog/tables.ts'
import { sessionTable } from '../../actors/sessions/tables.ts'
import { lockersOf } from '../locks.ts'
import { lockFault } from '../models/lock.ts'
import type { Invariant } from './invariant.ts'

export const aLockHasOneHolder: Invariant = {
  name: 'a-lock-has-one-holder',
  sentence: 'a lock has one holder, and is not taken too soon after its holder was lost',
  when: 'rest',
  broken: (run) => lockFault(lockersOf(run).history),
}

export const sessionsHaveRoots: Invariant = {
  name: 'sessions-have-roots',
  sentence: 'no server shows a session whose node is gone, or whose check is gone or critical',
  when: 'always',
  broken(run) {
    for (const { name, tables } of run.cluster.nodes.values()) {
      const view = tables.view()
      for (const [id, { node, nodeChecks, serviceChecks }] of view.range(sessionTable)) {
        if (!nodeTable.get(view, nodeKey(node))) return `session ${id} is there on ${name}, its node ${node} is not`
        for (const check of [...nodeChecks, ...(serviceChecks ?? []).map(({ id }) => id)]) {
          const status = view.get(checkTable, nodeServiceKey(node, check))?.status
          if (status === undefined || status === 'critical')
            return `session ${id} is there on ${name}, its check ${check} is ${status ?? 'not'}`
        }
      }
    }
    return undefined
  },
}
