import { joined, type Transaction } from '../../src/kernel/tables.ts'
import { bump } from '../command.ts'
import {
  isTemplate,
  QUERIES,
  type QueryRecord,
  queryNameTable,
  querySessionTable,
  queryTable,
  queryTemplateTable,
  templateKey,
} from './tables.ts'

/** Writes a query whose name is free. `before` is the one with the same id. */
export function putQuery(tx: Transaction, index: number, query: QueryRecord, before: QueryRecord | undefined): void {
  if (before) unlist(tx, before)
  const pointer = { id: query.id }
  tx.put(queryTable, query.id, query)
  if (query.name !== '') tx.put(queryNameTable, query.name.toLowerCase(), pointer)
  if (isTemplate(query)) tx.put(queryTemplateTable, templateKey(query.name), pointer)
  if (query.session !== '') tx.put(querySessionTable, joined(query.session, query.id), pointer)
  bump(tx, QUERIES, index)
}

/** Removes a query, if it is there. */
export function removeQuery(tx: Transaction, index: number, id: string): void {
  const query = tx.get(queryTable, id)
  if (!query) return
  unlist(tx, query)
  tx.delete(queryTable, id)
  bump(tx, QUERIES, index)
}

/** A session ended, and the queries that were bound to it with it. */
export function removeQueriesOf(tx: Transaction, index: number, session: string): void {
  for (const [, { id }] of [...tx.range(querySessionTable, { prefix: joined(session, '') })]) removeQuery(tx, index, id)
}

function unlist(tx: Transaction, query: QueryRecord): void {
  if (query.name !== '') tx.delete(queryNameTable, query.name.toLowerCase())
  if (isTemplate(query)) tx.delete(queryTemplateTable, templateKey(query.name))
  if (query.session !== '') tx.delete(querySessionTable, joined(query.session, query.id))
}
