import { type Refusal, refuse } from '../../src/kernel/refusal.ts'
import type { Transaction } from '../../src/kernel/tables.ts'
import type { CommandFunction } from '../command.ts'
import { sessionTable } from '../sessions/tables.ts'
import { putQuery, removeQuery } from './changes.ts'
import {
  isTemplate,
  isUuid,
  type PreparedQuery,
  type QueryRecord,
  queryNameTable,
  queryTable,
  queryTemplateTable,
  templateKey,
} from './tables.ts'
import { templateWrong } from './template.ts'

export type QueryWrite = { id: string; query: PreparedQuery }

/** Adds a query with an id of its own. */
export const queryCreate: CommandFunction<QueryWrite, { id: string }> = (tx, { index }, { id, query }) => {
  const before = tx.get(queryTable, id)
  if (before) return { id }
  const wrong = queryWrong(tx, id, query)
  if (wrong) return wrong
  putQuery(tx, index, { ...query, id, createIndex: index, modifyIndex: index }, before)
  return { id }
}

/** Rewrites the query with this id. */
export const queryUpdate: CommandFunction<QueryWrite, null> = (tx, { index }, { id, query }) => {
  const before = tx.get(queryTable, id)
  if (!before) return notThere(id)
  const wrong = queryWrong(tx, id, query)
  if (wrong) return wrong
  putQuery(tx, index, { ...query, id, createIndex: before.createIndex, modifyIndex: index }, before)
  return null
}

export const queryDelete: CommandFunction<{ id: string }, null> = (tx, { index }, { id }) => {
  if (!tx.get(queryTable, id)) return notThere(id)
  removeQuery(tx, index, id)
  return null
}

function notThere(id: string): Refusal {
  return refuse('missing', `Cannot modify non-existent prepared query: '${id}'`)
}

/** What keeps a query from being written, judged by what is there. Source: Consul's state store. */
function queryWrong(tx: Transaction, id: string, query: PreparedQuery): Refusal | undefined {
  const { name, session } = query
  if (isAnother(tx.get(queryNameTable, name.toLowerCase()), id)) return failed(`name '${name}' aliases an existing query name`)
  if (name === '' && isTemplate(query) && isAnother(tx.get(queryTemplateTable, templateKey('')), id)) {
    return failed('a query template with an empty name already exists')
  }
  if (isUuid(name) && tx.get(queryTable, name.toLowerCase())) return failed(`name '${name}' aliases an existing query ID`)
  if (session !== '' && !tx.get(sessionTable, session)) return failed(`invalid session ${JSON.stringify(session)}`)
  const wrong = templateWrong(query)
  return wrong && failed(wrong.why)
}

function isAnother(found: Pick<QueryRecord, 'id'> | undefined, id: string): boolean {
  return found !== undefined && found.id !== id
}

function failed(why: string): Refusal {
  return refuse('conflict', `raft apply failed: ${why}`)
}
