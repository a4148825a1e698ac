import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import { keyFault } from '../../src/kernel/keys.ts'
import { type Call, type Caller, type Cast, LATER, refOf } from '../../src/kernel/protocol.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { joined, SEPARATOR } from '../../src/kernel/tables.ts'
import { authorize, type Need, type Token } from '../authorize.ts'
import { writeWarnings } from '../intentions/warnings.ts'
import { commit } from '../ledger.ts'
import type { ConfigEntry, ConfigKind } from './entry.ts'

/** Central settings for many services. Reading needs no actor: see queries.ts. */
export type ConfigEntriesProtocol = {
  /** Writes if `cas` is absent or equals the entry's modifyIndex (0: must not exist). An entry that says the same already counts
   * as written. `warnings`: what its writer should know of it. */
  write: Call<{ entry: ConfigEntry; cas?: number; token: Token }, Written>
  /** One that is not there is removed already. */
  delete: Call<{ kind: ConfigKind; name: string; token: Token }, null>
  /** The configuration was read anew: entries of it that the cluster does not have yet are written. */
  reload: Call<ConfigEntriesArgs, null>
}
type Written = { applied: boolean; warnings: string[] }
type ConfigEntriesOwn = {
  written: Cast<{ caller: Caller<Written>; about: IntentionsAbout | null; result: Result<{ applied: boolean }> }>
  deleted: Cast<{ caller: Caller<null>; result: Result<null> }>
  founded: Cast<{ position: number; result: Result<{ applied: boolean }> }>
  found: Cast<{ position: number }>
}
/** Which intentions an entry has written. */
type IntentionsAbout = { destination: string; sources: string[] }
type ConfigEntriesState = { bootstrap: readonly ConfigEntry[]; failures: number }
/** `bootstrap`: entries that are written where the cluster has none of their kind and name yet. */
export type ConfigEntriesArgs = { bootstrap: readonly ConfigEntry[] }

const RETRY_MS_MIN = 500
const RETRY_MS_MAX = 30_000

export const configEntriesRef = refOf<ConfigEntriesProtocol>('config-entries')

export const configEntries = defineActor<ConfigEntriesProtocol, ConfigEntriesOwn, ConfigEntriesState, ConfigEntriesArgs>({
  name: 'config-entries',
  mailboxMax: 4_096,
  remote: ['write', 'delete'],
  init({ bootstrap }, turn) {
    const state: ConfigEntriesState = { bootstrap: [], failures: 0 }
    begin(state, bootstrap, turn)
    return state
  },
  stays: () => true,
  on: {
    reload(state, { bootstrap }, turn) {
      begin(state, bootstrap, turn)
      return null
    },

    write(_state, { entry, cas, token }, turn, caller) {
      const wrong = authorize(turn.view, token, needOf(entry.kind, entry.name)) ?? nameFault(entry)
      if (wrong) return wrong
      const about = entry.kind === 'service-intentions' ? { destination: entry.name, sources: entry.sources.map(({ name }) => name) } : null
      write(entry, cas, turn, (result) => ({ name: 'written', request: { caller, about, result } }))
      return LATER
    },

    delete(_state, { kind, name, token }, turn, caller) {
      const denied = authorize(turn.view, token, needOf(kind, name))
      if (denied) return denied
      const then = (result: Result<null>) => ({ name: 'deleted' as const, request: { caller, result } })
      if (kind === 'service-intentions') commit(turn, 'intentions.delete-entry', { destination: name }, then)
      else commit(turn, 'config.delete', { kind, name }, then)
      return LATER
    },

    written(_state, { caller, about, result }, turn) {
      if (isRefused(result)) return turn.answer(caller, result)
      const warnings = about && result.applied ? writeWarnings(turn.view, about.destination, about.sources) : []
      turn.answer(caller, { ...result, warnings })
    },

    deleted(_state, { caller, result }, turn) {
      turn.answer(caller, result)
    },

    founded(state, { position, result }, turn) {
      if (!isRefused(result)) return
      const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** state.failures++)
      turn.print('warn', 'could not write an entry of config_entries.bootstrap', { entry: position, error: result.why, retryMs: waitMs })
      turn.timer(`found/${position}`, waitMs, { name: 'found', request: { position } })
    },

    found({ bootstrap }, { position }, turn) {
      const entry = bootstrap[position]
      if (entry) found(entry, position, turn)
    },
  },
})

/** What was to be tried again is forgotten. */
function begin(state: ConfigEntriesState, bootstrap: readonly ConfigEntry[], turn: Turn<ConfigEntriesOwn>): void {
  for (const position of state.bootstrap.keys()) turn.cancel(`found/${position}`)
  state.bootstrap = bootstrap
  state.failures = 0
  for (const [position, entry] of bootstrap.entries()) found(entry, position, turn)
}

/** Writes an entry that is only to be there if there is none yet. */
function found(entry: ConfigEntry, position: number, turn: Turn<ConfigEntriesOwn>): void {
  write(entry, 0, turn, (result) => ({ name: 'founded', request: { position, result } }))
}

type Then = (result: Result<{ applied: boolean }>) =>
  | { name: 'written'; request: { caller: Caller<Written>; about: IntentionsAbout | null; result: Result<{ applied: boolean }> } }
  | {
      name: 'founded'
      request: { position: number; result: Result<{ applied: boolean }> }
    }

function write(entry: ConfigEntry, cas: number | undefined, turn: Turn<ConfigEntriesOwn>, then: Then): void {
  const only = cas === undefined ? {} : { cas }
  if (entry.kind === 'service-intentions') {
    commit(turn, 'intentions.write-entry', { destination: entry.name, sources: entry.sources, meta: entry.meta, ...only }, then)
  } else commit(turn, 'config.set', { ...entry, ...only }, then)
}

function needOf(kind: ConfigKind, name: string): Need {
  if (kind === 'proxy-defaults') return { resource: 'operator', name: '', access: 'write' }
  return { resource: kind === 'service-intentions' ? 'intentions' : 'service', name, access: 'write' }
}

/** Names become parts of keys. */
function nameFault(entry: ConfigEntry): Refusal | undefined {
  const names = [entry.name, ...(entry.kind === 'service-intentions' ? entry.sources.map(({ name }) => name) : [])]
  for (const name of names) {
    if (name.includes(SEPARATOR)) return refuse('invalid', 'Name has characters that are not allowed')
    const fault = keyFault(joined(entry.kind, entry.name, name))
    if (fault !== undefined) return refuse('invalid', `Name: ${fault}`)
  }
  return undefined
}
