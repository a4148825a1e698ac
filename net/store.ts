import { join } from 'node:path'
import { compareKeys } from '../src/kernel/keys.ts'
import type { Device, StoreOutcome, StoreRequest } from '../src/kernel/ports.ts'
import { recordFault, recordName, recordOf } from '../src/kernel/records.ts'
import { assert, type Refusal, type Result, refuse } from '../src/kernel/refusal.ts'
import { type Database, diskRefusal, openEnvironment } from './lmdb.ts'

export type Store = Device<StoreRequest, StoreOutcome> & {
  /** Answers everything that was asked for, then closes. */
  close(): Promise<void>
}

/**
 * The agent's own records in an LMDB environment at `<dataDirectory>/local`. What is asked for in one turn of the event loop is
 * one commit, made and flushed on lmdb's thread. Saving and removing answer with no records. Throws an error naming the directory
 * if it cannot be opened.
 */
export function openStore(dataDirectory: string): Store {
  const directory = join(dataDirectory, 'local')
  const { database, room: own, release } = openEnvironment(directory, { durable: true, create: true, readOnly: false })
  assert(own !== undefined, 'an environment that is written to keeps room')
  const room = own
  let settled: Promise<void> = Promise.resolve()
  let broken: Refusal | undefined

  /** Makes the change and answers when it is durable or has failed. `settled` follows all that were asked for. */
  function write(change: () => Promise<unknown>, done: (outcome: Result<StoreOutcome>) => void): void {
    const before = room.inFlightBytes
    const written = attempt(change)
    const reserved = room.inFlightBytes - before
    const answered = written.then(
      () => {
        room.settle(reserved)
        done(NO_RECORDS)
      },
      async (error: unknown) => {
        room.settle(reserved)
        const cause = await causeOf(error)
        const refused = diskRefusal(cause, directory) ?? { refusal: refuse('busy', `cannot be saved: ${String(cause)}`), final: false }
        if (refused.final) broken = refused.refusal
        done(refused.refusal)
      },
    )
    settled = Promise.all([settled, answered]).then(() => undefined)
  }

  return {
    perform(request, done) {
      const fault = request.do === 'load' ? undefined : recordFault(request)
      const no = fault === undefined ? broken : refuse('invalid', fault)
      if (request.do === 'load') settled = settled.then(() => done({ records: load(database) }))
      else if (no !== undefined) queueMicrotask(() => done(no))
      else if (request.do === 'save') write(() => database.put(keyOf(request), request.record), done)
      else {
        write(() => {
          room.reserve(0)
          return database.remove(keyOf(request))
        }, done)
      }
    },
    async close() {
      await settled
      await database.close()
      release()
    },
  }
}

/** The agent's own records for as long as it runs. */
export function memoryStore(): Store {
  const records = new Map<string, StoreOutcome['records'][number]>()
  return {
    perform(request, done) {
      const fault = request.do === 'load' ? undefined : recordFault(request)
      if (fault === undefined && request.do === 'save') {
        const { kind, key, record } = request
        records.set(recordName(request), { kind, key, record: structuredClone(record) })
      }
      if (fault === undefined && request.do === 'remove') records.delete(recordName(request))
      const outcome: Result<StoreOutcome> =
        fault !== undefined
          ? refuse('invalid', fault)
          : request.do === 'load'
            ? { records: [...records].sort(([a], [b]) => compareKeys(a, b)).map(([, record]) => structuredClone(record)) }
            : NO_RECORDS
      queueMicrotask(() => done(outcome))
    },
    close: () => Promise.resolve(),
  }
}

const NO_RECORDS: StoreOutcome = { records: [] }

function keyOf(names: { kind: string; key: string }): Buffer {
  return Buffer.from(recordName(names))
}

function load(database: Database): StoreOutcome['records'] {
  database.resetReadTxn()
  return [...database.getRange({})].map(({ key, value }) => recordOf(key.toString(), value))
}

/** Begins the change at once; what it throws becomes a rejection. */
async function attempt(change: () => Promise<unknown>): Promise<unknown> {
  return change()
}

/** lmdb rejects a write with a general error that has a promise of the true one, which is rejected soon after. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error && 'commitError' in error)) return error
  try {
    await error.commitError
    return error
  } catch (cause) {
    return cause
  }
}
