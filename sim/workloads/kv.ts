import { lastIndex } from '../../actors/command.ts'
import { kvRef } from '../../actors/kv/index.ts'
import { kvGet } from '../../actors/kv/queries.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { freshValue, oneOf } from '../fields.ts'
import type { Operation } from '../history.ts'
import { defineWorkload } from '../kind.ts'
import type { Run } from '../run.ts'

const KEYS = ['app/a', 'app/b', 'app/c', 'leader'] as const
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
  apply(run, { node: name, key, client, value, condition }) {
    const node = run.up(name)
    if (!node) return
    const { expected, cas } = run.condition(`${client} ${name} ${key}`, condition)
    const operation = run.history.begin(`kv/${key}`, {
      client,
      do: 'put',
      value,
      invokedMs: run.world.nowMs,
      ...(expected !== undefined && { expected }),
    })
    const request = { key, value: Buffer.from(value), flags: 0n, token: '', ...(cas !== undefined && { cas }) }
    node.edge.ask(kvRef, 'put', request, 8_000, (result) => settle(run, `kv/${key}`, operation, result))
  },
})

export const kvDelete = defineWorkload({
  name: 'kv.delete',
  about: 'a client deletes a key, perhaps only if it is as expected',
  perMinute: 12,
  fields: { client, key, condition: oneOf('none', 'none', 'as-seen') },
  apply(run, { node: name, key, client, condition }) {
    const node = run.up(name)
    if (!node) return
    const { expected, cas } = run.condition(`${client} ${name} ${key}`, condition)
    const operation = run.history.begin(`kv/${key}`, {
      client,
      do: 'delete',
      value: null,
      invokedMs: run.world.nowMs,
      ...(expected !== undefined && { expected }),
    })
    node.edge.ask(kvRef, 'delete', { key, recurse: false, token: '', ...(cas !== undefined && { cas }) }, 8_000, (result) =>
      settle(run, `kv/${key}`, operation, result),
    )
  },
})

export const kvGetOnce = defineWorkload({
  name: 'kv.get',
  about: 'a client reads a key',
  perMinute: 60,
  marks: [{ name: 'kv read', events: 20 }],
  fields: { client, key },
  apply(run, { node, key, client }) {
    readKey(run, node, client, key)
  },
})

/**
 * Reads as an edge thread does, and lets the client remember what it saw. A lone server's answer is the newest there is. One of
 * several may be behind: what it shows must have been so at the index it has reached.
 */
export function readKey(run: Run, nodeName: string, client: string, key: string): void {
  const node = run.up(nodeName)
  if (!node) return
  const view = node.edge.ports.tables.view()
  const { entry } = kvGet(view, key)
  const value = entry ? Buffer.from(entry.value).toString() : null
  if (run.cluster.log) run.readings.push({ node: nodeName, key, value, head: lastIndex(view) })
  else noteRead(run, client, key, value)
  run.seen.set(`${client} ${nodeName} ${key}`, { value, index: entry?.modifyIndex ?? 0 })
  run.reach('kv read')
}

/** At rest every server has everything. */
export function readEveryKey(run: Run): void {
  for (const node of run.cluster.nodes.values()) {
    for (const key of KEYS) {
      const { entry } = kvGet(node.tables.view(), key)
      noteRead(run, 'checker', key, entry ? Buffer.from(entry.value).toString() : null)
    }
  }
}

function noteRead(run: Run, client: string, key: string, value: string | null): void {
  const { nowMs } = run.world
  const operation = run.history.begin(`kv/${key}`, { client, do: 'get', value: null, invokedMs: nowMs, outcome: value })
  operation.answeredMs = nowMs
}

function settle(run: Run, key: string, operation: Operation, result: Result<{ applied: boolean }>): void {
  run.world.trace.add(run.world.nowMs, `${key} ${operation.do} ${JSON.stringify(result)}`)
  if (isRefused(result)) {
    run.reach(`kv write ${result.refused}`)
    // The disk did not take it, or it never got past the door: it has not happened. Late and gone say nothing.
    if (result.refused === 'busy' || result.refused === 'invalid') run.history.forget(key, operation)
    return
  }
  operation.answeredMs = run.world.nowMs
  operation.outcome = result.applied
  run.reach(result.applied ? 'kv write applied' : 'kv condition failed')
}
