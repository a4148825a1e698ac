import { kvGet } from '../../actors/kv/queries.ts'
import type { View } from '../../src/kernel/tables.ts'
import { apisOf } from '../apis.ts'
import { oneOf, whole } from '../fields.ts'
import { defineWorkload } from '../kind.ts'
import type { Run } from '../run.ts'

const ACCOUNTS = ['a', 'b', 'c', 'd'] as const
const OPENED_WITH = 100
/** What all accounts hold together, once they are there. */
export const TOTAL = ACCOUNTS.length * OPENED_WITH

const account = oneOf(...ACCOUNTS)

export const transfer = defineWorkload({
  name: 'txn.transfer',
  about: 'a client moves something from one account to another in one transaction',
  onServers: true,
  perMinute: 20,
  marks: [
    { name: 'transfer done', events: 20 },
    { name: 'transfer in conflict', events: 100, chance: 0.1 },
  ],
  fields: { from: account, to: account, amount: whole(1, 50) },
  apply(run, { node: name, from, to, amount }) {
    const node = run.up(name)
    if (!node || from === to) return
    const view = node.edge.ports.tables.view()
    const [source, target] = [balance(view, from), balance(view, to)]
    if (!source || !target) {
      return ask(
        run,
        name,
        ACCOUNTS.map((one) => set(one, OPENED_WITH, 0)),
      )
    }
    ask(run, name, [set(from, source.amount - amount, source.index), set(to, target.amount + amount, target.index)])
  },
})

/** What the accounts hold together, as a server shows them; undefined while there is none. */
export function totalShown(view: View): number | undefined {
  const balances = ACCOUNTS.flatMap((one) => balance(view, one) ?? [])
  return balances.length === 0 ? undefined : balances.reduce((sum, { amount }) => sum + amount, 0)
}

function balance(view: View, one: string): { amount: number; index: number } | undefined {
  const { entry } = kvGet(view, keyOf(one))
  return entry && { amount: Number(Buffer.from(entry.value).toString()), index: entry.modifyIndex }
}

function keyOf(one: string): string {
  return `bank/${one}`
}

/** Writes an account if it is still as it was seen. */
function set(one: string, amount: number, index: number): object {
  return { KV: { Verb: 'cas', Key: keyOf(one), Value: Buffer.from(String(amount)).toString('base64'), Index: index } }
}

function ask(run: Run, node: string, operations: object[]): void {
  apisOf(run).request(node, 'PUT', '/v1/txn', { body: JSON.stringify(operations) }, (reply) => {
    if (reply === 'lost') return run.reach('transfer lost')
    run.reach(reply.status === 200 ? 'transfer done' : reply.status === 409 ? 'transfer in conflict' : `transfer ${reply.status}`)
  })
}
