import type { View } from '../../src/kernel/tables.ts'
import { indexOf } from '../command.ts'
import { dependentKey, dependentTable, SESSIONS, type SessionRecord, sessionTable } from './tables.ts'

export type Session = { id: string } & SessionRecord
export type FoundSessions = { index: number; sessions: Session[] }

/** One session by its id in lower case, or none. */
export function sessionById(view: View, id: string): FoundSessions {
  const session = view.get(sessionTable, id)
  return { index: indexOf(view, SESSIONS), sessions: session ? [{ id, ...session }] : [] }
}

/** All sessions in the order of their ids. */
export function allSessions(view: View): FoundSessions {
  const sessions: Session[] = []
  for (const [id, session] of view.range(sessionTable)) sessions.push({ id, ...session })
  return { index: indexOf(view, SESSIONS), sessions }
}

/** The sessions of a node in the order of their ids. */
export function nodeSessions(view: View, node: string): FoundSessions {
  const sessions: Session[] = []
  for (const [, { id }] of view.range(dependentTable, { prefix: dependentKey(node, '', '') })) {
    const session = view.get(sessionTable, id)
    if (session) sessions.push({ id, ...session })
  }
  return { index: indexOf(view, SESSIONS), sessions }
}
