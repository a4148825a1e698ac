import { instanceTable } from '../../actors/catalog/records.ts'
import { instanceKey } from '../../actors/catalog/tables.ts'
import { kvTable } from '../../actors/kv/tables.ts'
import type { LogLife } from '../node.ts'
import { type AnyCommand, type Mutant, mutant, wrapApply, wrapHandler } from './mutant.ts'

export const blindCas: Mutant = mutant({
  name: 'blind-cas',
  about: 'a write with a condition is carried out whatever the condition says',
  caughtBy: 'kv-is-linearizable',
  nodes: 1,
  runsMax: 20,
  mutations: rewritten((command) => {
    if (command.kind !== 'kv.put') return command
    const { cas: _ignored, ...request } = command.request
    return { ...command, request }
  }),
})

export const treeKeepsFirst: Mutant = mutant({
  name: 'tree-keeps-first',
  about: 'the deletion of everything under a prefix forgets one key',
  caughtBy: 'kv-is-linearizable',
  nodes: 1,
  runsMax: 40,
  mutations: rewritten((command) => {
    if (command.kind !== 'kv.delete-tree') return command
    return { ...command, kind: 'kv.delete', request: { key: `${command.request['prefix']}a` } }
  }),
})

export const groupLosesLast: Mutant = mutant({
  name: 'group-loses-last',
  about: 'of several writes that are committed together the last is acknowledged and not carried out',
  caughtBy: 'kv-is-linearizable',
  nodes: 1,
  runsMax: 60,
  mutations: wrapApply((apply) => (tx, commands) => {
    const last = commands.at(-1) as AnyCommand
    if (commands.length < 2 || last.kind !== 'kv.put') return apply(tx, commands)
    const applied = apply(tx, commands.slice(0, -1))
    return { ...applied, outcomes: [...applied.outcomes, { applied: true }] }
  }),
})

export const appliesByName: Mutant = mutant({
  name: 'applies-by-name',
  about: 'what a write becomes depends on the server that applies it',
  caughtBy: 'servers-show-one-history',
  scenario: 'calm',
  nodes: 3,
  runsMax: 5,
  mutations: {
    wrapLife: (life, node) => ({
      ...life,
      apply: (tx, commands) =>
        life.apply(
          tx,
          (commands as AnyCommand[]).map((command) => (node === 'n2' ? withFlags(command) : command)),
        ),
    }),
  },
})

export const followerSkips: Mutant = mutant({
  name: 'follower-skips',
  about: 'one server keeps the value that a key had when it is written, every fifth time',
  caughtBy: 'servers-show-one-history',
  scenario: 'calm',
  nodes: 3,
  runsMax: 5,
  mutations: wrapApply((apply, node) => {
    let count = 0
    return (tx, commands) => {
      const keys = (commands as AnyCommand[]).filter(({ kind }) => kind === 'kv.put').map(({ request }) => String(request['key']))
      const isDue = node === 'n2' && keys.length > 0 && ++count % 5 === 0
      const before = isDue ? keys.map((key) => tx.get(kvTable, key)) : []
      const applied = apply(tx, commands)
      // Indexes stay those of the others, or whoever compares them would notice first.
      for (const [at, known] of before.entries()) {
        const key = keys[at] as string
        const after = tx.get(kvTable, key)
        if (known && after) tx.put(kvTable, key, { ...after, value: known.value })
      }
      return applied
    }
  }),
})

export const removalUnannounced: Mutant = mutant({
  name: 'removal-unannounced',
  about: 'the catalog is never told that a service was removed',
  caughtBy: 'catalog-agrees',
  runsMax: 10,
  mutations: wrapApply((apply) => (tx, commands) => {
    const isRemoval = ({ kind, request }: AnyCommand) => kind === 'catalog.deregister' && request['serviceId'] !== ''
    const applied = apply(
      tx,
      (commands as AnyCommand[]).filter((command) => !isRemoval(command)),
    )
    let next = 0
    return {
      ...applied,
      outcomes: (commands as AnyCommand[]).map((command) => (isRemoval(command) ? null : applied.outcomes[next++])),
    } as ReturnType<LogLife['apply']>
  }),
})

export const statusStays: Mutant = mutant({
  name: 'status-stays',
  about: 'the catalog keeps the first status of a check that it heard of',
  caughtBy: 'catalog-agrees',
  runsMax: 20,
  mutations: wrapApply(
    (apply) => (tx, commands) =>
      apply(
        tx,
        (commands as AnyCommand[]).map((command) => {
          const { node, service, checks } = command.request as {
            node: string
            service?: { name: string; id: string }
            checks?: { checkId: string }[]
          }
          if (command.kind !== 'catalog.register' || !service || !checks) return command
          const known = instanceTable.get(tx, instanceKey(service.name, node, service.id))?.checks ?? []
          const kept = checks.map((check) => ({ ...check, ...known.find(({ checkId }) => checkId === check.checkId) }))
          return { ...command, request: { ...command.request, checks: kept } }
        }),
      ),
  ),
})

/** Changes commands before they are applied. */
function rewritten(rewrite: (command: AnyCommand) => AnyCommand) {
  return wrapApply((apply) => (tx, commands) => apply(tx, (commands as AnyCommand[]).map(rewrite)))
}

function withFlags(command: AnyCommand): AnyCommand {
  return command.kind === 'kv.put' ? { ...command, request: { ...command.request, flags: 2n } } : command
}

export const crashesNowAndThen: Mutant = mutant({
  name: 'crashes-now-and-then',
  about: 'every fortieth answer about a key crashes the actor that has it',
  caughtBy: 'nothing-breaks',
  runsMax: 10,
  mutations: wrapHandler('kv', 'settled', (handler) => {
    let count = 0
    return (state, request, turn, from) => {
      if (++count % 40 === 0) throw new Error('broken promise: every answer can be given')
      return handler(state, request, turn, from)
    }
  }),
})
