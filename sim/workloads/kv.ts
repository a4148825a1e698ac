import { lastIndex } from '../../actors/command.ts'
import { kvGet } from '../../actors/kv/queries.ts'
import { apisOf, isRefusedForSure } from '../apis.ts'
import type { SimReply } from '../clients.ts'
import { freshValue, oneOf } from '../fields.ts'
import type { Operation } from '../history.ts'
import { defineWorkload } from '../kind.ts'
import type { Run } from '../run.ts'

const KEYS = ['app/a', 'app/b', 'app/c', 'leader'] as const
const FOLDER = 'app/'
const BURST = 200
const client = oneOf('c1', 'c2', 'c3')
const key = oneOf(...KEYS)
/** A condition is: none; the key must not exist; it must be as this client saw it last. */
const condition = oneOf('none', 'none', 'absent', 'as-seen', 'as-seen')

export const kvPut = defineWorkload({
  name: 'kv.put',
  about: 'a client writes a key, perhaps only if it is as expected',
  perMinute: 60,
  marks: [
    { name: 'kv write applied', events: 20 },
    { name: 'kv condition failed', events: 40 },
    { name: 'reader woken', events: 20 },
  ],
  fields: { client, key, condition, value: freshValue },
  apply(run, { node, key, client, value, condition }) {
    if (!run.up(node)) return
    const { expected, cas } = run.condition(`${client} ${node} ${key}`, condition)
    put(run, node, key, { client, value, ...(expected !== undefined && { expected }) }, cas)
  },
})

export const kvDelete = defineWorkload({
  name: 'kv.delete',
  about: 'a client deletes a key, perhaps only if it is as expected',
  perMinute: 12,
  fields: { client, key, condition: oneOf('none', 'none', 'as-seen') },
  apply(run, { node, key, client, condition }) {
    if (!run.up(node)) return
    const { expected, cas } = run.condition(`${client} ${node} ${key}`, condition)
    const operation = begin(run, key, { client, do: 'delete', value: null, ...(expected !== undefined && { expected }) })
    apisOf(run).request(node, 'DELETE', `/v1/kv/${key}`, { query: casQuery(cas) }, (reply) => settle(run, key, operation, reply))
  },
})

export const kvDeleteTree = defineWorkload({
  name: 'kv.delete-tree',
  about: 'a client deletes everything in a folder',
  perMinute: 3,
  marks: [{ name: 'kv folder deleted', events: 3 }],
  fields: { client },
  apply(run, { node, client }) {
    if (!run.up(node)) return
    const inside = KEYS.filter((key) => key.startsWith(FOLDER))
    const operations = inside.map((key) => ({ key, operation: begin(run, key, { client, do: 'delete', value: null }) }))
    apisOf(run).request(node, 'DELETE', `/v1/kv/${FOLDER}`, { query: { recurse: '' } }, (reply) => {
      if (reply !== 'lost' && reply.status === 200) run.reach('kv folder deleted')
      for (const { key, operation } of operations) settle(run, key, operation, reply)
    })
  },
})

export const kvBurst = defineWorkload({
  name: 'kv.burst',
  about: 'a client writes 200 keys at once',
  perMinute: 0.3,
  marks: [{ name: 'kv burst', events: 1, chance: 0.7 }],
  fields: { client, value: freshValue },
  apply(run, { node, client, value }) {
    if (!run.up(node)) return
    for (let count = 0; count < BURST; count++) put(run, node, `burst/${count}`, { client, value: `${value}-${count}` })
    run.reach('kv burst')
  },
})

export const kvGetOnce = defineWorkload({
  name: 'kv.get',
  about: 'a client reads a key',
  perMinute: 60,
  marks: [{ name: 'kv read', events: 20 }],
  fields: { client, key },
  apply(run, { node, key, client }) {
    if (!run.up(node)) return
    const invokedMs = run.world.nowMs
    apisOf(run).request(node, 'GET', `/v1/kv/${key}`, {}, (reply) => noteReply(run, node, client, key, invokedMs, reply))
  },
})

/** At rest every server has everything. */
export function readEveryKey(run: Run): void {
  const keys = [...run.history.operations.keys()].filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length))
  for (const node of run.cluster.servers) {
    for (const key of keys) {
      const { entry } = kvGet(node.tables.view(), key)
      noteRead(run, 'checker', key, run.world.nowMs, entry ? Buffer.from(entry.value).toString() : null)
    }
  }
}

const PREFIX = 'kv/'

function begin(run: Run, key: string, operation: Pick<Operation, 'client' | 'do' | 'value' | 'expected'>): Operation {
  return run.history.begin(`${PREFIX}${key}`, { ...operation, invokedMs: run.world.nowMs })
}

function put(run: Run, node: string, key: string, what: Pick<Operation, 'client' | 'value' | 'expected'>, cas?: number): void {
  const operation = begin(run, key, { ...what, do: 'put' })
  const request = { body: what.value ?? '', query: casQuery(cas) }
  apisOf(run).request(node, 'PUT', `/v1/kv/${key}`, request, (reply) => settle(run, key, operation, reply))
}

function casQuery(cas: number | undefined): Record<string, string> {
  return cas === undefined ? {} : { cas: String(cas) }
}

/**
 * Notes what a client was told of a key, and lets it remember. A lone server's answer is the newest there is, and so is that of one that
 * asks the log first. One of several others may be behind: what it shows must have been so at the index it has reached.
 */
function noteReply(run: Run, node: string, client: string, key: string, invokedMs: number, reply: SimReply | 'lost'): void {
  if (reply === 'lost' || (reply.status !== 200 && reply.status !== 404)) return
  const [entry] = reply.status === 200 ? (reply.json as { Value: string | null; ModifyIndex: number }[]) : []
  const value = entry ? Buffer.from(entry.Value ?? '', 'base64').toString() : null
  const { log, clients } = run.cluster
  const { isServer, tables } = run.cluster.node(node)
  if (log && isServer) run.readings.push({ node, key, value, head: lastIndex(tables.view()) })
  // Where there are clients, servers ask the log before they answer.
  if (!log || clients.length > 0) noteRead(run, client, key, invokedMs, value)
  if (!isServer) run.reach('kv read through a client')
  run.seen.set(`${client} ${node} ${key}`, { value, index: entry?.ModifyIndex ?? 0 })
  run.reach('kv read')
}

function noteRead(run: Run, client: string, key: string, invokedMs: number, outcome: string | null): void {
  const operation = run.history.begin(`${PREFIX}${key}`, { client, do: 'get', value: null, invokedMs, outcome })
  operation.answeredMs = run.world.nowMs
}

function settle(run: Run, key: string, operation: Operation, reply: SimReply | 'lost'): void {
  const told = reply === 'lost' ? reply : `${reply.status} ${reply.text}`
  run.world.trace.add(run.world.nowMs, `${key} ${operation.do} ${told}`)
  if (reply === 'lost' || reply.status !== 200) {
    run.reach(`kv write ${reply === 'lost' ? reply : reply.status}`)
    if (reply !== 'lost' && isRefusedForSure(reply)) run.history.forget(`${PREFIX}${key}`, operation)
    return
  }
  operation.answeredMs = run.world.nowMs
  operation.outcome = reply.text.trim() === 'true'
  run.reach(operation.outcome ? 'kv write applied' : 'kv condition failed')
}
