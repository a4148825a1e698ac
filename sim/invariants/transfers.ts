import { TOTAL, totalShown } from '../workloads/transfers.ts'
import type { Invariant } from './invariant.ts'

export const transactionsAreWhole: Invariant = {
  name: 'transactions-are-whole',
  sentence: 'no server ever shows a part of a transaction',
  when: 'always',
  broken({ cluster, reached }) {
    if (!reached.has('transfer done')) return undefined
    for (const { name, tables } of cluster.nodes.values()) {
      const total = totalShown(tables.view())
      if (total !== undefined && total !== TOTAL) return `the accounts on ${name} hold ${total} together instead of ${TOTAL}`
    }
    return undefined
  },
}
