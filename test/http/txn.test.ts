import test from 'ava'
import fc from 'fast-check'
import { txn } from '../../actors/txn/index.ts'
import type { TxnOperation } from '../../actors/txn/protocol.ts'
import type { HttpReply } from '../../src/http/route.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { asked, requested, settings } from '../kit/http.ts'
import { emptyTables, type TestTables } from '../kit/tables.ts'
import { tryActor } from '../kit/try-actor.ts'

/** What the endpoint answers when the transaction is applied to these tables. */
function answered(tables: TestTables, body: unknown): HttpReply {
  const { route, request } = requested('PUT', '/v1/txn', body)
  if (!('ask' in route)) throw new Error('a transaction is asked for')
  const question = route.ask(request, settings)
  if (!('to' in question)) return isRefused(question) ? { status: 500, text: question.why } : question
  const a = tryActor(txn, { args: { valueBytesMax: settings.kvValueBytesMax }, tables })
  const { result } = a.call('apply', question.request as { operations: TxnOperation[]; token: string })
  if (result === undefined || isRefused(result)) throw new Error('no answer')
  return route.reply(result as never, request, settings)
}

test('answers have the form of Consul 1.10', (t) => {
  const tables = emptyTables()
  const set = { KV: { Verb: 'set', Key: 't/a', Value: 'aGk=', Flags: 3 } }
  const shown = { LockIndex: 0, Key: 't/a', Flags: 3, CreateIndex: 1, ModifyIndex: 1 }
  t.deepEqual(answered(tables, [set, { KV: { Verb: 'get', Key: 't/a' } }]), {
    status: 200,
    json: { Results: [{ KV: { ...shown, Value: null } }, { KV: { ...shown, Value: 'aGk=' } }], Errors: null },
  })
  t.deepEqual(answered(tables, [{ KV: { Verb: 'check-index', Key: 't/a', Index: 9 } }, { KV: { Verb: 'get', Key: 'none' } }]), {
    status: 409,
    headers: { 'X-Consul-Knownleader': 'true', 'X-Consul-Lastcontact': '0' },
    json: {
      Results: null,
      Errors: [
        { OpIndex: 0, What: 'failed index check for key "t/a", current modify index 1 != 9' },
        { OpIndex: 1, What: `key "none" doesn't exist` },
      ],
      Index: 1,
      LastContact: 0,
      KnownLeader: true,
      ConsistencyLevel: '',
      NotModified: false,
      Backend: 0,
    },
  })
  t.deepEqual(answered(tables, [set, { KV: { Verb: 'get', Key: 'none' } }]), {
    status: 409,
    json: { Results: null, Errors: [{ OpIndex: 1, What: `key "none" doesn't exist` }] },
  })
  for (const [index, status] of [
    [2 ** 63, 409],
    [-1, 400],
    [1.5, 400],
    [1e20, 400],
  ]) {
    t.like(answered(tables, [{ KV: { Verb: 'check-index', Key: 't/a', Index: index } }]), { status: status ?? 0 }, String(index))
  }
  t.like(answered(tables, []), { status: 200, json: { Results: [], Errors: null, Index: 1 } })
  t.deepEqual(answered(tables, [{ KV: { Verb: 'delete', Key: 't/a' } }]), { status: 200, json: { Results: [], Errors: null } })
})

test('nodes, services and checks are shown as the catalog shows them', (t) => {
  const tables = emptyTables()
  const { status, json } = answered(tables, [
    { Node: { Verb: 'set', Node: { Node: 'ext', Address: '10.1.1.1', Meta: { a: 'b' } } } },
    { Service: { Verb: 'set', Node: 'ext', Service: { ID: 'web1', Service: 'web', Port: 80, Tags: ['v1'], Kind: 'connect-proxy' } } },
    { Check: { Verb: 'set', Check: { Node: 'ext', CheckID: 'c', Name: 'see', Status: 'passing', ServiceID: 'web1' } } },
  ])
  t.is(status, 200)
  t.like((json as { Results: unknown[] }).Results, [
    { Node: { Node: 'ext', Address: '10.1.1.1', Datacenter: 'dc1', Meta: { a: 'b' }, CreateIndex: 1 } },
    { Service: { ID: 'web1', Service: 'web', Port: 80, Tags: ['v1'], Weights: { Passing: 0, Warning: 0 } } },
    { Check: { Node: 'ext', CheckID: 'c', Status: 'passing', ServiceName: 'web', ServiceTags: ['v1'] } },
  ])
})

test('flags keep all their 64 bits, keys may be in any case, and an operation on nothing is passed over', (t) => {
  const body = '[{}, {"kv": {"verb": "set", "KEY": "a", "flags": 18446744073709551615, "Value": null}}]'
  t.like(asked('PUT', '/v1/txn', body), { request: { operations: [{ on: 'kv', key: 'a', flags: 18_446_744_073_709_551_615n }] } })
})

const BAD: [body: string, status: number, text: string | RegExp][] = [
  ['', 400, 'Failed to parse body: EOF'],
  ['[{]', 400, "Failed to parse body: invalid character ']' looking for beginning of object key string"],
  ['{}', 400, 'Failed to parse body: json: cannot unmarshal object into Go value of type api.TxnOps'],
  ['[{"KV":{"Verb":"set","Key":"a","Value":"a!"}}]', 400, 'Failed to parse body: illegal base64 data at input byte 1'],
  ['[{"KV":{"Verb":"set","Key":1}}]', 400, /^Failed to parse body: json: cannot unmarshal number into field KV.Key/],
  ['[{"KV":{"Verb":"set","Key":"a","Flags":18446744073709551616}}]', 400, /^Failed to parse body: json: cannot unmarshal number/],
  ['[{"KV":{"Verb":"set","Key":"a","Flags":-1}}]', 400, /^Failed to parse body: json: cannot unmarshal number/],
  [JSON.stringify(Array(65).fill({ KV: { Verb: 'get', Key: 'a' } })), 413, 'Transaction contains too many operations (65 > 64)'],
  [
    JSON.stringify([{ KV: { Verb: 'set', Key: 'k', Value: Buffer.alloc(524_289).toString('base64') } }]),
    413,
    'Value for key "k" is too large (524289 > 524288 bytes)',
  ],
]

for (const [body, status, text] of BAD) {
  test(`a body that cannot be used is refused: ${body.slice(0, 60)} (${text})`, (t) => {
    const reply = asked('PUT', '/v1/txn', body)
    t.like(reply, { status })
    t.regex(
      (reply as HttpReply).text ?? '',
      typeof text === 'string' ? new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`) : text,
    )
  })
}

test('whatever a body holds, it is read or refused', (t) => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({ KV: fc.jsonValue(), Node: fc.jsonValue(), Service: fc.jsonValue(), Check: fc.jsonValue() }, { requiredKeys: [] }),
      ),
      (operations) => {
        const reply = asked('PUT', '/v1/txn', JSON.stringify(operations))
        t.true('to' in reply || [400, 413].includes((reply as HttpReply).status ?? 0))
      },
    ),
  )
})
