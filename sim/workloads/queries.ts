import { anyNode, type Field, oneOf, whole } from '../fields.ts'
import { defineWorkload } from '../kind.ts'
import { queriesOf } from '../queries.ts'

/** The last two are templates. */
const name = oneOf('q-a', 'q-b', 'find-', 'find-a')
const service = oneOf('db', 'web', 'api', 'cache')
const onlyPassing = oneOf('true', 'false')
const which = whole(0, 9)
/** Names a query again once it is asked: no other event has it. */
const ttlMs: Field<number> = { ...whole(1, 1e9), smaller: () => [] }

export const queryCreate = defineWorkload({
  name: 'query.create',
  about: 'somebody makes a prepared query or a template',
  perMinute: 8,
  marks: [{ name: 'query created', events: 8 }],
  fields: { name, service, onlyPassing, ttlMs },
  apply(run, { node, name, service, onlyPassing, ttlMs }) {
    if (run.up(node)) queriesOf(run).create(node, { name, service, onlyPassing, ttlMs })
  },
})

export const queryChange = defineWorkload({
  name: 'query.change',
  about: 'somebody rewrites a prepared query, or removes it',
  perMinute: 10,
  fields: { how: oneOf('update', 'update', 'delete'), which, name, service, onlyPassing, ttlMs },
  apply(run, { node, how, which, name, service, onlyPassing, ttlMs }) {
    if (!run.up(node)) return
    if (how === 'delete') queriesOf(run).delete(node, which)
    else queriesOf(run).update(node, which, { name, service, onlyPassing, ttlMs })
  },
})

export const queryExecute = defineWorkload({
  name: 'query.execute',
  about: 'somebody asks a prepared query, by its id, its name or what a template makes of a name',
  onServers: true,
  perMinute: 40,
  marks: [{ name: 'query found nothing', events: 40 }],
  fields: {
    name: oneOf('', '', 'q-a', 'q-b', 'find-db', 'find-api', 'find-cache'),
    which,
    limit: whole(0, 2),
    order: oneOf('none', 'near'),
    near: anyNode,
  },
  apply(run, { node, name, which, limit, order, near }) {
    if (run.up(node)) queriesOf(run).execute(node, name, which, limit, order === 'near' ? near : '')
  },
})
