import test from 'ava'
import fc from 'fast-check'
import { kvGet } from '../../actors/kv/queries.ts'
import { remoteExec } from '../../actors/remote-exec/index.ts'
import { jobOf, keyOf, outputName, placeOf } from '../../actors/remote-exec/job.ts'
import { isRefused, refuse } from '../../src/kernel/refusal.ts'
import { tryActor } from '../kit/try-actor.ts'

const SESSION = '11111111-2222-3333-4444-555555555555'
const ASKED = { id: 'e-1', payload: Buffer.from(JSON.stringify({ Prefix: '_rexec', Session: SESSION })) }
const STEP_MS = 100
const DONE = { applied: true }

function tried({ enabled = true, job = { Command: 'echo hi', Wait: 2_000_000_000 } as object | null } = {}) {
  const a = tryActor(remoteExec, { args: { enabled, token: '' }, node: 'n1' })
  /** What the store has is found at once. */
  const found = () => {
    for (;;) {
      const [call] = a.pending() as { name: string; request: { key: string } }[]
      if (call?.name !== 'get') return
      a.answer('get', { value: kvGet(a.tables.view(), call.request.key).entry?.value ?? null })
    }
  }
  const cast = a.cast
  a.cast = (name, request) => {
    cast(name, request)
    found()
  }
  const wait = a.wait
  a.wait = (ms) => {
    for (let waitedMs = 0; waitedMs < ms; waitedMs += STEP_MS) {
      wait(Math.min(STEP_MS, ms - waitedMs))
      found()
    }
  }
  if (job) put(job)
  a.effects()
  function put(value: object) {
    a.commit('kv.put', { key: `_rexec/${SESSION}/job`, value: Buffer.from(JSON.stringify(value)), flags: 0n })
  }
  /** Key and value of what waits to be written; it succeeds unless another result is given. */
  function written(result: unknown = DONE) {
    const [call] = a.pending() as { to: string; request: { key: string; value: Uint8Array; session: string } }[]
    if (!call) return undefined
    const { key, value, session } = call.request
    a.answer('lock', result)
    return [call.to, key.replace(`_rexec/${SESSION}/n1/`, ''), Buffer.from(value).toString(), session === SESSION]
  }
  const programs = () => a.acts('programs').filter((request) => (request as { do: string }).do !== 'end-all')
  const outcome = (output: string, exitCode?: number) =>
    a.outcome('programs', { program: 7, output: Buffer.from(output), exitCode }, (request: { do: string }) => request.do === 'read')
  const start = () =>
    a.outcome('programs', { program: 7, output: Buffer.alloc(0), exitCode: undefined }, (request: { do: string }) => request.do === 'start')
  return { a, put, written, programs, outcome, start }
}

test('a job is acknowledged, run, and told of until its end', (t) => {
  const { a, written, programs, outcome, start } = tried()
  a.cast('asked', ASKED)
  t.deepEqual(programs(), [], 'nothing runs before it is acknowledged')
  t.deepEqual(written(), ['kv', 'ack', '', true])
  t.deepEqual(programs(), [{ do: 'start', work: { line: 'echo hi' } }])
  start()
  t.deepEqual(programs(), [{ do: 'read', program: 7, bytesMax: 4_096, settleMs: 500, waitMs: 2_000 }])
  outcome('hi\n')
  t.deepEqual(programs(), [], 'nothing more is read before that is written')
  t.deepEqual(written(), ['kv', 'out/00000', 'hi\n', true])
  outcome('')
  t.deepEqual(written(), ['kv', 'out/00001', '', true], 'a sign of life')
  outcome('bye\n', 3)
  t.deepEqual(written(), ['kv', 'out/00002', 'bye\n', true])
  t.deepEqual(written(), ['kv', 'exit', '3', true])
  t.deepEqual([programs(), a.pending(), a.state.runs.size], [[], [], 0])
})

test('the end without output is the exit code alone', (t) => {
  const { a, written, outcome, start } = tried()
  a.cast('asked', ASKED)
  written()
  start()
  outcome('', 0)
  t.deepEqual(written(), ['kv', 'exit', '0', true])
})

test('agents that do not allow it do nothing', (t) => {
  const { a } = tried({ enabled: false })
  a.cast('asked', ASKED)
  t.like(a.effects(), [{ did: 'print', level: 'info', line: 'ignoring remote exec event, disabled.', facts: { event_id: 'e-1' } }])
})

test('what cannot be started has ended with 255', (t) => {
  const { a, written } = tried()
  a.cast('asked', ASKED)
  written()
  a.outcome('programs', refuse('invalid', 'no such file'), (request: { do: string }) => request.do === 'start')
  t.deepEqual(written(), ['kv', 'exit', '255', true])
})

test('the program ends when nobody can be told any more', (t) => {
  const { a, written, programs, outcome, start } = tried()
  a.cast('asked', ASKED)
  written()
  start()
  outcome('hi\n')
  written(refuse('conflict', `invalid session "${SESSION}"`))
  t.deepEqual(programs(), [{ do: 'end', program: 7 }])
  t.deepEqual(written(refuse('conflict', 'invalid session')), ['kv', 'exit', '255', true])
  t.is(a.state.runs.size, 0)
})

test('nothing runs where the acknowledgement cannot be written', (t) => {
  const { a, written, programs } = tried()
  a.cast('asked', ASKED)
  written({ applied: false })
  t.deepEqual([programs(), a.state.runs.size], [[], 0])
})

test('a server that is behind is looked at again', (t) => {
  const { a, put, written } = tried({ job: null })
  a.cast('asked', ASKED)
  a.wait(1_000)
  t.is(written(), undefined)
  put({ Command: 'x' })
  a.wait(500)
  t.deepEqual(written(), ['kv', 'ack', '', true])
  const without = tried({ job: null })
  without.a.cast('asked', ASKED)
  without.a.wait(10_000)
  t.like(without.a.effects().slice(-1), [{ did: 'print', level: 'error', facts: { error: 'job spec missing' } }])
  t.is(without.a.state.runs.size, 0)
})

test('only so many run at once', (t) => {
  const { a } = tried()
  for (let count = 0; count < 65; count += 1) a.cast('asked', ASKED)
  t.is(a.state.runs.size, 64)
  t.is(a.effects().filter(({ did }) => did === 'print').length, 1)
})

test('what a crash left running is ended', (t) => {
  t.deepEqual(tried().a.acts('programs'), [{ do: 'end-all' }])
  t.deepEqual(tried({ enabled: false }).a.acts('programs'), [])
})

test('payloads and jobs are read, and what they are not is said', (t) => {
  const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
  t.deepEqual(placeOf(bytes({ Prefix: 'a/', Session: 's' })), { prefix: 'a/', session: 's' })
  t.like(placeOf(bytes({ Prefix: 1, Session: 's' })), { why: 'Prefix: must be a text' })
  t.like(placeOf(bytes({ Prefix: 'a' })), { why: 'Session: must name the session of the job' })
  t.like(placeOf(bytes([])), { why: 'must be an object' })
  t.true(isRefused(placeOf(bytes('{'))))
  t.is(keyOf({ prefix: 'a//b/', session: 's' }, 'n1', 'ack'), 'a/b/s/n1/ack')
  t.is(outputName(255), 'out/000ff')
  t.deepEqual(jobOf(bytes({ Command: 'c', Args: ['a'], Script: 'eA==', Wait: 1e9 })), { work: { args: ['a'] }, waitMs: 1_000 })
  t.deepEqual(jobOf(bytes({ Command: 'c', Args: null, Script: 'eA==' })), { work: { scriptBase64: 'eA==' }, waitMs: 200 })
  t.like(jobOf(bytes({ Args: 'x' })), { why: 'Args: must be a list of texts' })
  t.like(jobOf(bytes({ Script: '#!' })), { why: 'Script: must be base64' })
  t.like(jobOf(bytes({ Command: 1 })), { why: 'Command: must be a text' })
  t.like(jobOf(bytes({ Command: 'x', Wait: '2s' })), { why: 'Wait: must be a number of nanoseconds' })
  t.like(jobOf(bytes({})), { why: 'there is nothing to run: neither Command nor Args nor Script' })
})

test('any JSON is a job or refused', (t) => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const job = jobOf(Buffer.from(text))
      t.true(isRefused(job) || job.waitMs >= 200)
      placeOf(Buffer.from(text))
    }),
  )
  t.pass()
})
