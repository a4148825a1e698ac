import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { LOCK_FLAGS, SEMAPHORE_FLAGS } from '../../src/cli/lock-kinds.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { type Answer, runCommand, type Seen, tryCommand } from './kit.ts'

const ID = '11111111-2222-4333-8444-555555555555'
const KEY = 'service/web/.lock'

/** An agent with one key. `taken` is who else holds it; `lost`: the next look finds it in other hands. */
function agentWith({ taken = '', delayed = false, lost = false }: { taken?: string; delayed?: boolean; lost?: boolean } = {}) {
  const state = { holder: taken, looks: 0 }
  const entry = (): Answer => ({
    json: [
      { Key: KEY, Flags: Number(LOCK_FLAGS), Value: null, LockIndex: 1, ModifyIndex: 7, ...(state.holder && { Session: state.holder }) },
    ],
  })
  return {
    'PUT /v1/session/create': { json: { ID } },
    [`PUT /v1/session/destroy/${ID}`]: { json: true },
    [`GET /v1/kv/${KEY}`]: () => {
      if (state.holder === ID && ++state.looks > 1 && lost) state.holder = 'somebody else'
      return entry()
    },
    [`PUT /v1/kv/${KEY}`]: ({ url }: Seen): Answer => {
      const done = url.includes('acquire') ? !delayed && state.holder === '' : state.holder === ID
      if (done) state.holder = url.includes('acquire') ? ID : ''
      return { json: done }
    },
    [`DELETE /v1/kv/${KEY}`]: { json: true },
  }
}

/** Without what time decides: blocking looks. */
function changes(seen: readonly string[]): string[] {
  return seen.filter((line) => !line.startsWith('GET'))
}

test('the child runs with the lock, and everything is given back', async (t) => {
  const file = join(temporaryDirectory(t), 'env')
  const env = { PATH: process.env['PATH'] ?? '', SHELL: '/bin/sh' }
  const { code, seen, err } = await tryCommand(['lock', '/service/web/', `env > ${file}`], agentWith(), { env })
  t.is(err, '')
  t.is(code, 0)
  t.deepEqual(changes(seen), [
    `PUT /v1/session/create {"Name":"Consul lock for 'env > ${file}' at 'service/web'","TTL":"15s"}`,
    `PUT /v1/kv/${KEY}?acquire=${ID}&flags=${LOCK_FLAGS}`,
    `PUT /v1/kv/${KEY}?flags=${LOCK_FLAGS}&release=${ID}`,
    `DELETE /v1/kv/${KEY}?cas=7`,
    `PUT /v1/session/destroy/${ID}`,
  ])
  const told = readFileSync(file, 'utf8')
  for (const line of ['CONSUL_LOCK_HELD=true', 'CONSUL_LOCK_FENCE=7', `CONSUL_LOCK_SESSION=${ID}`]) t.true(told.includes(`${line}\n`), line)
})

test('a child that fails is reported, and is the exit code if that was asked for', async (t) => {
  const failed = await tryCommand(['lock', 'service/web', 'exit 3'], agentWith())
  t.like(failed, { code: 0, err: 'Error running handler: exit status 3\n' })
  const asked = await tryCommand(['lock', '-child-exit-code', '-shell=false', 'service/web', '/bin/false'], agentWith())
  t.like(asked, { code: 2, err: 'Error running handler: exit status 1\n' })
})

test('a child is stopped at once when the lock is lost', async (t) => {
  const file = join(temporaryDirectory(t), 'late')
  const { code, err } = await tryCommand(['lock', 'service/web', `sleep 60; touch ${file}`], agentWith({ lost: true }))
  t.is(code, 1)
  t.is(err, 'Lock lost: somebody else may hold it now\n')
  t.false(existsSync(file))
})

for (const [what, setup] of [
  ['somebody else holds it', { taken: 'somebody else' }],
  ['its last holder was lost', { delayed: true }],
] as const) {
  test(`a lock that is not acquired in time runs nothing: ${what}`, async (t) => {
    const { code, err, seen } = await tryCommand(['lock', '-timeout=50ms', 'service/web', 'exit 3'], agentWith(setup))
    t.is(code, 1)
    t.is(err, 'Shutdown triggered or timeout during lock acquisition\n')
    t.is(seen.at(-1), `PUT /v1/session/destroy/${ID}`)
  })
}

test('a key of somebody else is no lock', async (t) => {
  const foreign = { ...agentWith(), [`GET /v1/kv/${KEY}`]: { json: [{ Key: KEY, Flags: 0, Value: null, LockIndex: 0, ModifyIndex: 7 }] } }
  t.like(await tryCommand(['lock', 'service/web', 'true'], foreign), {
    code: 1,
    err: 'Lock acquisition failed: Existing key does not match lock use\n',
  })
})

const RECORD = 'pool/.lock'

/** An agent with a semaphore of two that other sessions hold; those in `alive` still live. */
function poolWith(holders: readonly string[], alive: readonly string[], limit = 2) {
  const entries = new Map<string, { Value: string; Session?: string }>()
  const write = (key: string, text: string, session?: string) =>
    entries.set(key, { Value: Buffer.from(text).toString('base64'), ...(session && { Session: session }) })
  write(RECORD, JSON.stringify({ Limit: limit, Holders: Object.fromEntries(holders.map((id) => [id, true])) }))
  for (const id of alive) write(`pool/${id}`, '', id)
  const answers = {
    'PUT /v1/session/create': { json: { ID } },
    [`PUT /v1/session/destroy/${ID}`]: { json: true },
    'GET /v1/kv/pool/': () => ({
      json: [...entries].map(([Key, entry]) => ({ Key, ...entry, Flags: Number(SEMAPHORE_FLAGS), LockIndex: 0, ModifyIndex: 9 })),
    }),
    [`PUT /v1/kv/pool/${ID}`]: () => ({ json: write(`pool/${ID}`, '', ID).size > 0 }),
    [`DELETE /v1/kv/pool/${ID}`]: () => ({ json: entries.delete(`pool/${ID}`) }),
    [`PUT /v1/kv/${RECORD}`]: ({ body }: Seen) => ({ json: write(RECORD, body).size > 0 }),
    [`DELETE /v1/kv/${RECORD}`]: () => ({ json: entries.delete(RECORD) }),
  }
  return { answers, entries }
}

test('of a lock for several, one of the places is taken and given back; whoever is gone has none', async (t) => {
  const { answers, entries } = poolWith(['gone', 'living'], ['living'])
  const { code, err, seen } = await tryCommand(['lock', '-n=2', 'pool', 'exit 0'], answers)
  t.deepEqual([code, err], [0, ''])
  const records = seen.filter((line) => line.startsWith(`PUT /v1/kv/${RECORD}`))
  t.deepEqual(records, [
    `PUT /v1/kv/${RECORD}?cas=9&flags=${SEMAPHORE_FLAGS} {"Limit":2,"Holders":{"living":true,"${ID}":true}}`,
    `PUT /v1/kv/${RECORD}?cas=9&flags=${SEMAPHORE_FLAGS} {"Limit":2,"Holders":{"living":true}}`,
  ])
  t.deepEqual([...entries.keys()], [RECORD, 'pool/living'])
})

test('a lock for several whose places are taken is not acquired, nor one for another number', async (t) => {
  const { answers } = poolWith(['a', 'b'], ['a', 'b'])
  t.like(await tryCommand(['lock', '-n=2', '-timeout=50ms', 'pool', 'exit 0'], answers), {
    code: 1,
    err: 'Shutdown triggered or timeout during lock acquisition\n',
  })
  t.like(await tryCommand(['lock', '-n=3', 'pool', 'exit 0'], poolWith([], []).answers), {
    code: 1,
    err: 'Lock acquisition failed: semaphore limit conflict (lock: 2, local: 3)\n',
  })
})

test('arguments that make no sense', async (t) => {
  for (const [args, why] of [
    [['x'], 'Key prefix and child command must be specified'],
    [['-n=0', 'x', 'y'], 'Lock holder limit must be positive'],
    [['-timeout=-1s', 'x', 'y'], 'Timeout must be positive'],
    [['-monitor-retry=-1', 'x', 'y'], "Number for 'monitor-retry' must be >= 0"],
  ] as const) {
    const { code, err } = await runCommand(['lock', ...args])
    t.is(code, 1)
    t.true(err.startsWith(`${why}\n\nUsage:`), err)
  }
})
