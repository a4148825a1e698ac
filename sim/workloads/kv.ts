import { kvRef } from '../../actors/kv/index.ts'
import { kvGet } from '../../actors/kv/queries.ts'
import type { Random } from '../../src/kernel/ports.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import type { Operation } from '../history.ts'
import type { Kind } from '../plan.ts'
import type { Run } from '../run.ts'
import { pick } from '../streams.ts'

const KEYS = ['app/a', 'app/b', 'app/c', 'leader']
const CLIENTS = ['c1', 'c2', 'c3']
/** A condition is: none; the key must not exist; it must be as this client saw it last. */
const CONDITIONS = ['none', 'none', 'absent', 'as-seen', 'as-seen']

function draw(random: Random) {
  return { client: pick(random, CLIENTS), key: pick(random, KEYS), condition: pick(random, CONDITIONS), value: `v${random.int(0, 1e9)}` }
}

export const kvPut: Kind<Run> = {
  name: 'kv.put',
  perMinute: 60,
  draw,
  apply(run, event) {
    const { key, client, value, condition } = event as unknown as ReturnType<typeof draw>
    const node = run.up(event.node)
    if (!node) return
    const { expected, cas } = run.condition(`${client} ${event.node} ${key}`, condition)
    const operation = run.history.begin(`kv/${event.node}/${key}`, {
      client,
      do: 'put',
      value,
      invokedMs: run.world.nowMs,
      ...(expected !== undefined && { expected }),
    })
    const request = { key, value: Buffer.from(value), flags: 0n, token: '', ...(cas !== undefined && { cas }) }
    node.edge.ask(kvRef, 'put', request, 8_000, (result) => settle(run, `kv/${event.node}/${key}`, operation, result))
  },
}

export const kvDelete: Kind<Run> = {
  name: 'kv.delete',
  perMinute: 12,
  draw,
  apply(run, event) {
    const { key, client, condition } = event as unknown as ReturnType<typeof draw>
    const node = run.up(event.node)
    if (!node) return
    const { expected, cas } = run.condition(`${client} ${event.node} ${key}`, condition === 'absent' ? 'none' : condition)
    const operation = run.history.begin(`kv/${event.node}/${key}`, {
      client,
      do: 'delete',
      value: null,
      invokedMs: run.world.nowMs,
      ...(expected !== undefined && { expected }),
    })
    node.edge.ask(kvRef, 'delete', { key, recurse: false, token: '', ...(cas !== undefined && { cas }) }, 8_000, (result) =>
      settle(run, `kv/${event.node}/${key}`, operation, result),
    )
  },
}

export const kvGetOnce: Kind<Run> = {
  name: 'kv.get',
  perMinute: 60,
  draw,
  apply(run, event) {
    const { key, client } = event as unknown as ReturnType<typeof draw>
    readKey(run, event.node, client, key)
  },
}

/** Reads as an edge thread does, and lets the client remember what it saw. */
export function readKey(run: Run, nodeName: string, client: string, key: string): void {
  const node = run.up(nodeName)
  if (!node) return
  const { entry } = kvGet(node.edge.ports.tables.view(), key)
  const value = entry ? Buffer.from(entry.value).toString() : null
  const nowMs = run.world.nowMs
  const operation = run.history.begin(`kv/${nodeName}/${key}`, { client, do: 'get', value: null, invokedMs: nowMs, outcome: value })
  operation.answeredMs = nowMs
  run.seen.set(`${client} ${nodeName} ${key}`, { value, index: entry?.modifyIndex ?? 0 })
  run.reach('kv read')
}

export function readEveryKey(run: Run): void {
  for (const node of run.plan.nodes) for (const key of KEYS) readKey(run, node, 'checker', key)
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
