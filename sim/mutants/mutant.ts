import type { AnyActor, AnyHandler } from '../../src/kernel/instance.ts'
import type { Devices } from '../../src/kernel/ports.ts'
import type { SimApi } from '../clients.ts'
import type { LogLife } from '../node.ts'

/** What a broken build does differently. Only the simulator can hand one to a node; production has no place for it. */
export type Mutations = {
  /** How the state thread applies what the log orders, makes it durable and hears of it. */
  wrapLife(life: LogLife, node: string): LogLife
  wrapLog(log: Devices['log']): Devices['log']
  wrapStore(store: Devices['store']): Devices['store']
  wrapMesh(mesh: Devices['mesh']): Devices['mesh']
  wrapActor(definition: AnyActor): AnyActor
  /** `after` calls `work` once on the edge thread, `ms` from now. */
  wrapApi(api: SimApi, after: (ms: number, work: () => void) => void): SimApi
}

export const SOUND: Mutations = {
  wrapLife: (life) => life,
  wrapLog: (log) => log,
  wrapStore: (store) => store,
  wrapMesh: (mesh) => mesh,
  wrapActor: (definition) => definition,
  wrapApi: (api) => api,
}

/** A bug that was put in on purpose, and the invariant, or what must be so at rest, that must notice it. */
export type Mutant = {
  name: string
  about: string
  caughtBy: string
  /** It is caught within so many runs of this scenario; `mixed` if none is named. Undefined if plans seldom come to it: its plan in the corpus does. */
  runsMax?: number
  scenario?: string
  /** Agents in each run, if it takes a certain number. Default: as the scenario says. */
  nodes?: number
  mutations: Mutations
}

export function mutant(definition: Omit<Mutant, 'mutations'> & { mutations: Partial<Mutations> }): Mutant {
  return { ...definition, mutations: { ...SOUND, ...definition.mutations } }
}

type Apply = LogLife['apply']
export type AnyCommand = { kind: string; atMs: number; request: Record<string, unknown> }

/** Another way to apply groups of commands. */
export function wrapApply(wrap: (apply: Apply, node: string) => Apply): Pick<Mutations, 'wrapLife'> {
  return { wrapLife: (life, node) => ({ ...life, apply: wrap(life.apply, node) }) }
}

/** Another way to handle one message of one actor. */
export function wrapHandler(actor: string, message: string, wrap: (handler: AnyHandler) => AnyHandler): Pick<Mutations, 'wrapActor'> {
  return {
    wrapActor(definition) {
      if (definition.name !== actor) return definition
      const handlers = definition.on as Record<string, AnyHandler>
      const handler = handlers[message]
      if (!handler) throw new Error(`broken promise: ${actor} handles ${message}`)
      return { ...definition, on: { ...handlers, [message]: wrap(handler) } as AnyActor['on'] }
    },
  }
}
