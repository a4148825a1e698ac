import { lastIndex, setLastIndex } from '../../actors/command.ts'
import { kvTable, tombstoneTable } from '../../actors/kv/tables.ts'
import type { Devices } from '../../src/kernel/ports.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import type { ChangeNotice } from '../../src/kernel/tables.ts'
import type { LogLife } from '../node.ts'
import { type AnyCommand, type Mutant, mutant, wrapApply } from './mutant.ts'

export const answerBeforeDurable: Mutant = mutant({
  name: 'answer-before-durable',
  about: 'the ledger answers as soon as a commit has begun, not when it is durable',
  caughtBy: 'kv-is-linearizable',
  runsMax: 40,
  mutations: { wrapLog: answerEarly },
})

export const storeForgets: Mutant = mutant({
  name: 'store-forgets',
  about: 'the newest registration is acknowledged while it is only in memory',
  caughtBy: 'registrations-survive',
  nodes: 1,
  runsMax: 60,
  mutations: { wrapStore: saveLate },
})

export const lateIsDone: Mutant = mutant({
  name: 'late-is-done',
  about: 'a change is acknowledged although leadership was lost before it was known to be carried out',
  caughtBy: 'kv-is-linearizable',
  scenario: 'network',
  nodes: 3,
  runsMax: 40,
  mutations: { wrapLog: believeLate },
})

export const indexStartsAnew: Mutant = mutant({
  name: 'index-starts-anew',
  about: 'a restarted agent goes on from an index that is some changes old',
  caughtBy: 'index-never-goes-back',
  runsMax: 20,
  mutations: wrapApply((apply) => {
    let isFirst = true
    return (tx, commands) => {
      if (isFirst) setLastIndex(tx, Math.max(0, lastIndex(tx) - 10))
      isFirst = false
      return apply(tx, commands)
    }
  }),
})

export const noticeTooEarly: Mutant = mutant({
  name: 'notice-too-early',
  about: 'readers of a key are woken when a commit begins, before its change can be seen',
  caughtBy: 'readers-miss-nothing',
  nodes: 1,
  runsMax: 20,
  mutations: { wrapLife: noticeEarly },
})

export const noticeLost: Mutant = mutant({
  name: 'notice-lost',
  about: 'of every four commits one wakes no reader of a key, and leaves answers about it kept',
  caughtBy: 'kv-is-linearizable',
  nodes: 1,
  scenario: 'calm',
  runsMax: 10,
  mutations: {
    wrapLife(life) {
      let count = 0
      return { ...life, onCommitted: (notice) => life.onCommitted(++count % 4 === 0 ? partOf(notice, isNotKv) : notice) }
    },
  },
})

/** Plain writes of keys: their outcome is known before they are carried out. */
function answerEarly(log: Devices['log']): Devices['log'] {
  return {
    perform(request, done, event) {
      const commands = request.commands as AnyCommand[]
      if (!commands.every(({ kind, request: { cas } }) => kind === 'kv.put' && cas === undefined)) return log.perform(request, done, event)
      done({ outcomes: commands.map(() => ({ applied: true })), notice: { index: 0, touched: [] } })
      log.perform(request, () => undefined, event)
    },
  }
}

const PLAIN_WRITES = ['kv.put', 'kv.delete', 'kv.delete-tree']

/** Plain writes of keys of which nobody knows whether they happened count as done. */
function believeLate(log: Devices['log']): Devices['log'] {
  return {
    perform(request, done, event) {
      const commands = request.commands as AnyCommand[]
      log.perform(
        request,
        (outcome) => {
          const isLate = isRefused(outcome) && outcome.refused === 'late' && commands.every(({ kind }) => PLAIN_WRITES.includes(kind))
          done(isLate ? { outcomes: commands.map(() => ({ applied: true })), notice: { index: 0, touched: [] } } : outcome)
        },
        event,
      )
    },
  }
}

/** Keeps the newest change in memory until the next one comes. */
function saveLate(store: Devices['store']): Devices['store'] {
  let flush: () => void = () => undefined
  return {
    perform(request, done, event) {
      flush()
      flush = () => undefined
      if (request.do === 'load') return store.perform(request, done, event)
      flush = () => store.perform(request, () => undefined, event)
      done({ records: [] })
    },
  }
}

function noticeEarly(life: LogLife): LogLife {
  return {
    ...life,
    apply(tx, commands) {
      const applied = life.apply(tx, commands)
      life.after(0, () => life.onCommitted(partOf(applied.notice, isKv)))
      return applied
    },
    onCommitted: (notice) => life.onCommitted(partOf(notice, isNotKv)),
  }
}

function partOf({ index, touched }: ChangeNotice, isWanted: (change: ChangeNotice['touched'][number]) => boolean): ChangeNotice {
  return { index, touched: touched.filter(isWanted) }
}

function isKv([tableId]: ChangeNotice['touched'][number]): boolean {
  return tableId === kvTable.id || tableId === tombstoneTable.id
}

function isNotKv(change: ChangeNotice['touched'][number]): boolean {
  return !isKv(change)
}
