import { KEY_BYTES_MAX, keyFault } from '../../src/kernel/keys.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import type { View } from '../../src/kernel/tables.ts'
import { indexOf } from '../command.ts'
import { isTemplate, isUuid, QUERIES, type QueryRecord, queryNameTable, queryTable, queryTemplateTable, templateKey } from './tables.ts'
import { renderTemplate } from './template.ts'

/** All queries, ordered by id. */
export function queryList(view: View): { index: number; queries: QueryRecord[] } {
  const queries: QueryRecord[] = []
  for (const [, query] of view.range(queryTable)) queries.push(query)
  return { index: indexOf(view, QUERIES), queries }
}

/** `id` is a UUID in any case. */
export function queryById(view: View, id: string): { index: number; query: QueryRecord | undefined } {
  return { index: indexOf(view, QUERIES), query: view.get(queryTable, id.toLowerCase()) }
}

/** What is asked under this id or name: a query of its own, or what the template with the longest prefix makes of the name.
 * Undefined if there is none; refused if the template cannot make anything of it. */
export function resolveQuery(view: View, idOrName: string): Result<QueryRecord> | undefined {
  const query = named(view, idOrName) ?? templateFor(view, idOrName)
  return query && isTemplate(query) ? renderTemplate(query, idOrName) : query
}

function named(view: View, idOrName: string): QueryRecord | undefined {
  const byId = isUuid(idOrName) ? view.get(queryTable, idOrName.toLowerCase()) : undefined
  if (byId) return byId
  const pointer = view.get(queryNameTable, idOrName.toLowerCase())
  return pointer && view.get(queryTable, pointer.id)
}

function templateFor(view: View, name: string): QueryRecord | undefined {
  // No template's name is longer than a key can be.
  const characters = [...name.slice(0, KEY_BYTES_MAX)]
  for (let length = characters.length; length >= 0; length--) {
    const prefix = characters.slice(0, length).join('')
    const pointer = keyFault(templateKey(prefix)) === undefined && view.get(queryTemplateTable, templateKey(prefix))
    if (pointer) return view.get(queryTable, pointer.id)
  }
  return undefined
}
