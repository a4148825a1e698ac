import type { Device, StoreOutcome, StoreRequest } from '../../src/kernel/ports.ts'
import { recordFault, recordName, recordOf } from '../../src/kernel/records.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { table } from '../../src/kernel/tables.ts'
import { createSimTables, type SimTables, type SimTablesOptions } from './tables.ts'

export type SimStore = Device<StoreRequest, StoreOutcome> & {
  /** The disk it is on, with its faults. */
  readonly disk: SimTables
}

/** The agent's own records on a simulated disk. A load sees what was asked for before it. */
export function createSimStore(options: SimTablesOptions): SimStore {
  const disk = createSimTables(options)
  return {
    disk,
    perform(request, done) {
      if (request.do === 'load') {
        // An empty commit is answered after all earlier ones; a disk that refuses it can still be read.
        disk.transact(
          () => undefined,
          () => done({ records: load(disk) }),
        )
        return
      }
      const fault = recordFault(request)
      if (fault !== undefined) {
        options.after(0, () => done(refuse('invalid', fault)))
        return
      }
      const name = recordName(request)
      disk.transact((tx) => {
        if (request.do === 'save') tx.put(records, name, request.record)
        else tx.delete(records, name)
        return NO_RECORDS
      }, done)
    },
  }
}

const NO_RECORDS: StoreOutcome = { records: [] }
const records = table<unknown>('records', 1)

function load(disk: SimTables): StoreOutcome['records'] {
  return [...disk.view().range(records)].map(([name, record]) => recordOf(name, record))
}
