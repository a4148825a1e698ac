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
    about: 'registrations are acknowledged before this machine has kept them',
    caughtBy: 'registrations-survive',
    runsMax: 60,
    mutations: { ...SOUND, wrapStore: saveEarly },
  },
]

function answerEarly(log: Devices['log']): Devices['log'] {
  return {
    perform(request, done, event) {
      // The outcomes are right, only too early; that the disk has them comes later, or never.
      done({ outcomes: request.commands.map(() => ({ applied: true })), notice: { index: 0, touched: [] } })
      log.perform(request, () => undefined, event)
    },
  }
}

function saveEarly(store: Devices['store']): Devices['store'] {
  return {
    perform(request, done, event) {
      if (request.do === 'load') return store.perform(request, done, event)
      done({ records: [] })
      store.perform({ do: 'load' }, () => store.perform(request, () => undefined, event), event)
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
