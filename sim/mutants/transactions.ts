import { type AnyCommand, type Mutant, mutant, wrapApply } from './mutant.ts'

export const halfTransactions: Mutant = mutant({
  name: 'half-transactions',
  about: 'of a transaction only the first half is carried out',
  caughtBy: 'transactions-are-whole',
  runsMax: 10,
  mutations: wrapApply((apply) => (tx, commands) => apply(tx, (commands as readonly AnyCommand[]).map(halved))),
})

function halved(command: AnyCommand): AnyCommand {
  const { operations } = command.request
  if (command.kind !== 'txn.apply' || !Array.isArray(operations)) return command
  return { ...command, request: { ...command.request, operations: operations.slice(0, Math.ceil(operations.length / 2)) } }
}
