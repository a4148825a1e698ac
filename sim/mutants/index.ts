import type { Device, Devices, MeshEvent, MeshOutcome, MeshRequest } from '../../src/kernel/ports.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import type { ChangeNotice, Transaction } from '../../src/kernel/tables.ts'

type Apply = (tx: Transaction, commands: readonly object[]) => { outcomes: Result<unknown>[]; notice: ChangeNotice }

/** What a broken build does differently. Only the simulator can hand one to a node; production has no place for it. */
export type Mutations = {
  wrapLog(log: Devices['log']): Devices['log']
  wrapStore(store: Devices['store']): Devices['store']
  wrapMesh(mesh: Devices['mesh']): Devices['mesh']
  wrapApply(apply: Apply): Apply
}

export const SOUND: Mutations = {
  wrapLog: (log) => log,
  wrapStore: (store) => store,
  wrapMesh: (mesh) => mesh,
  wrapApply: (apply) => apply,
}

export function mutatedApply(mutations: Mutations, apply: Apply): Apply {
  return mutations.wrapApply(apply)
}

/** A bug that was put in on purpose, and the invariant that must notice it. */
export type Mutant = { name: string; about: string; caughtBy: string; runsMax: number; mutations: Mutations }

/** Every mutant. A campaign with one of them must fail within `runsMax` runs. */
export const mutants: readonly Mutant[] = [
  {
    name: 'answer-before-durable',
    about: 'the ledger answers as soon as a commit has begun, not when it is durable',
    caughtBy: 'kv-is-linearizable',
    runsMax: 40,
    mutations: { ...SOUND, wrapLog: answerEarly },
  },
  {
    name: 'blind-cas',
    about: 'a write with a condition is carried out whatever the condition says',
    caughtBy: 'kv-is-linearizable',
    runsMax: 20,
    mutations: { ...SOUND, wrapApply: (apply) => (tx, commands) => apply(tx, commands.map(withoutCas)) },
  },
  {
    name: 'deny-leaves-open',
    about: 'an intention that denies does not close connections that are open',
    caughtBy: 'denied-is-denied',
    runsMax: 40,
    mutations: { ...SOUND, wrapMesh: deafToClose },
  },
  {
    name: 'store-forgets',
    about: 'the newest registration is acknowledged while it is only in memory',
    caughtBy: 'registrations-survive',
    runsMax: 60,
    mutations: { ...SOUND, wrapStore: saveLate },
  },
]

/** Plain writes of keys: their outcome is known before they are carried out. */
function answerEarly(log: Devices['log']): Devices['log'] {
  return {
    perform(request, done, event) {
      const commands = request.commands as { kind: string; request: { cas?: number } }[]
      if (!commands.every(({ kind, request: { cas } }) => kind === 'kv.put' && cas === undefined)) return log.perform(request, done, event)
      done({ outcomes: commands.map(() => ({ applied: true })), notice: { index: 0, touched: [] } })
      log.perform(request, () => undefined, event)
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

function deafToClose(mesh: Device<MeshRequest, MeshOutcome, MeshEvent>): Devices['mesh'] {
  return {
    perform(request, done, event) {
      if (request.do === 'close' && /intention|denied|deny/i.test(request.why)) done({})
      else mesh.perform(request, done, event)
    },
  }
}

function withoutCas(command: object): object {
  const { kind, request } = command as { kind: string; request: { cas?: number } }
  if (kind !== 'kv.put' || request.cas === undefined) return command
  const { cas: _ignored, ...rest } = request
  return { ...command, request: rest }
}
