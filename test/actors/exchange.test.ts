import test from 'ava'
import fc from 'fast-check'
import { dnsFault, executeFault, giveUpFault, httpFault, moreFault } from '../../actors/exchange/faults.ts'
import { exchange } from '../../actors/exchange/index.ts'
import { preparedQuery } from '../kit/queries.ts'
import { tryActor } from '../kit/try-actor.ts'

const HTTP = { number: 1, request: { method: 'GET', url: '/', headers: { a: 'b', c: ['d'] }, body: new Uint8Array(), from: '10.0.0.1' } }
const DNS = { number: 1, question: { name: 'a.', type: 1, settings: {}, turn: {} } }
const EXECUTE = { query: preparedQuery().service, connect: false, limit: 0 }
/** Everything that another machine may ask, and how it is looked at. */
const FAULTS = { http: httpFault, dns: dnsFault, execute: executeFault, more: moreFault, giveUp: giveUpFault } as const

test('a request is taken as it should be', (t) => {
  t.is(httpFault(HTTP), undefined)
  t.is(dnsFault(DNS), undefined)
  t.is(executeFault(EXECUTE), undefined)
  t.is(moreFault({ number: 1, from: 0 }), undefined)
  t.is(giveUpFault({ number: 1 }), undefined)
})

test('what is wrong with one is said with its place', (t) => {
  const http = (changes: object) => httpFault({ number: 1, request: { ...HTTP.request, ...changes } })
  t.is(http({ url: 5 }), 'request.url: must be a text')
  t.is(http({ datacenter: {} }), 'request.datacenter: must be a text')
  t.is(http({ headers: { a: 5 } }), 'request.headers: must be texts')
  t.is(http({ body: 'text' }), 'request.body: must be bytes')
  t.is(dnsFault({ ...DNS, question: { ...DNS.question, type: 1.5 } }), 'question.type: must be a whole number')
  const execute = (changes: object) => executeFault({ ...EXECUTE, query: { ...EXECUTE.query, ...changes } })
  t.is(execute({ tags: [5] }), 'query.ignoreCheckIds and tags: must be lists of texts')
  t.is(execute({ nodeMeta: { a: 5 } }), 'query.nodeMeta and serviceMeta: must be texts by key')
  t.is(execute({ onlyPassing: 'yes' }), 'connect and query.onlyPassing: must be true or false')
  t.is(execute({ service: null }), 'query.service and near: must be texts')
})

test('whatever another machine says is taken or refused, and the actor goes on', (t) => {
  const actor = tryActor(exchange, { args: undefined })
  const whole = fc.constantFrom<object>(HTTP, DNS, EXECUTE, { number: 1, from: 0 }, { ...HTTP, ...DNS, ...EXECUTE })
  const spoiled = fc.tuple(whole, fc.string(), fc.jsonValue()).map(([said, key, value]) => ({ ...said, [key]: value }))
  const inside = fc.tuple(whole, fc.dictionary(fc.constantFrom('url', 'headers', 'name', 'turn', 'tags', 'service'), fc.jsonValue()))
  const deep = inside.map(([said, changes]) => {
    const parts = Object.entries(said).map(([key, value]) => [key, typeof value === 'object' ? { ...value, ...changes } : value])
    return Object.fromEntries(parts) as object
  })
  fc.assert(
    fc.property(
      fc.constantFrom(...(Object.keys(FAULTS) as (keyof typeof FAULTS)[])),
      fc.oneof(fc.jsonValue(), spoiled, deep),
      (name, said) => {
        const fault = FAULTS[name](said as never)
        if (fault === undefined) return
        t.deepEqual(actor.call(name, said as never).result, { refused: 'invalid', why: fault })
      },
    ),
  )
})
