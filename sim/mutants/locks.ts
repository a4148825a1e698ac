import { sessionById } from '../../actors/sessions/queries.ts'
import { sessionTable } from '../../actors/sessions/tables.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import type { View } from '../../src/kernel/tables.ts'
import { type AnyCommand, type Mutant, mutant, wrapApply, wrapHandler } from './mutant.ts'

export const lockDelayIgnored: Mutant = mutant({
  name: 'lock-delay-ignored',
  about: 'a key whose holder was lost can be taken at once',
  caughtBy: 'a-lock-has-one-holder',
  nodes: 1,
  runsMax: 20,
  mutations: rewritten('sessions.create', { lockDelayMs: 0 }),
})

export const renewalForgotten: Mutant = mutant({
  name: 'renewal-forgotten',
  about: 'a session that is renewed expires as if it had not been',
  caughtBy: 'a-lock-has-one-holder',
  runsMax: 20,
  mutations: wrapHandler('sessions', 'renew', () => (_state, request, turn) => {
    const [session] = sessionById((turn as { view: View }).view, (request as { id: string }).id).sessions
    return session ?? refuse('missing', 'no such session')
  }),
})

export const sessionsOutliveTheirTime: Mutant = mutant({
  name: 'sessions-outlive-their-time',
  about: 'a session that nobody renews keeps its locks',
  caughtBy: 'sessions-end',
  nodes: 1,
  runsMax: 10,
  mutations: rewritten('sessions.expire', { began: -1 }),
})

export const sessionsOutliveTheirChecks: Mutant = mutant({
  name: 'sessions-outlive-their-checks',
  about: 'a session stays when its check becomes critical or goes',
  caughtBy: 'sessions-have-roots',
  runsMax: 20,
  mutations: wrapApply((apply) => (tx, commands) => {
    const before = [...tx.range(sessionTable)].filter(([, { nodeChecks }]) => nodeChecks.length > 1)
    const applied = apply(tx, commands)
    const isAboutHealth = (commands as AnyCommand[]).every(({ kind }) => kind.startsWith('catalog.'))
    for (const [id, session] of isAboutHealth ? before : []) if (!tx.get(sessionTable, id)) tx.put(sessionTable, id, session)
    return applied
  }),
})

/** Changes the requests of one kind of command before they are applied. */
function rewritten(kind: string, change: Record<string, unknown>) {
  return wrapApply(
    (apply) => (tx, commands) =>
      apply(
        tx,
        (commands as AnyCommand[]).map((command) =>
          command.kind === kind ? { ...command, request: { ...command.request, ...change } } : command,
        ),
      ),
  )
}
