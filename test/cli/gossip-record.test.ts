import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { membership, wanMembership } from '../../actors/membership/index.ts'
import { placeOf } from '../../actors/membership/ring.ts'
import { argsOf, record } from '../kit/membership.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { tryActor } from '../kit/try-actor.ts'
import { runCommand, tryCommand } from './kit.ts'

const RECORD = 'PUT /v1/tribune/gossip/record'
const NOW_MS = Date.UTC(2026, 10, 23, 7)

const folder = temporaryDirectory()

function fileOf(name: string, lines: readonly string[]): string {
  const file = join(folder, name)
  writeFileSync(file, `${lines.join('\n')}\n`)
  return file
}

/** Three seconds of an agent that learns of another one. */
function recordedLines(): string[] {
  const a = tryActor(membership, { args: argsOf('n1'), nowMs: NOW_MS })
  a.outcome('gossip', { peer: 'p1', port: 8301 }, (request: { do: string }) => request.do === 'listen')
  const recording = a.call('record', { forMs: 3_000 })
  const id = '00000000-0000-4000-8000-000000000002'
  const me = { ...a.state.self, name: 'n2', peer: 'p2', id, place: placeOf(id), address: '127.0.0.2' }
  a.event('gossip', { did: 'connected', peer: 'p2', address: { host: '127.0.0.2', port: 8301 } })
  a.event('gossip', { did: 'message', from: 'p2', message: { do: 'hello', version: 1, datacenter: 'dc1', me } })
  a.wait(3_000)
  return (recording.result as { lines: string[] }).lines
}

test('gossip record asks the agent and writes what it answers', async (t) => {
  const file = join(folder, 'asked.jsonl')
  const answer = { text: '{}\n{}\n{}\n', headers: { 'X-Tribune-Ended': 'full' } }
  const { code, out, err, seen } = await tryCommand(['gossip', 'record', '-for=5s', file], { [RECORD]: answer })
  t.is(code, 0)
  t.deepEqual(seen, ['PUT /v1/tribune/gossip/record?for=5s'])
  t.is(out, `Recorded 1 inputs (9 bytes) in ${file}\n`)
  t.is(err, 'There was no room for more: it ended before its time\n')
  t.is(readFileSync(file, 'utf8'), answer.text)
})

test('what a server went through among those of all datacenters is recorded and played again, too', async (t) => {
  const own = { ...argsOf('n1'), wan: true as const, name: 'n1.dc1', tags: { role: 'consul', dc: 'dc1' } }
  const a = tryActor(wanMembership, { args: own, nowMs: NOW_MS })
  a.outcome('gossip-wan', { peer: 'p1', port: 8302 }, (request: { do: string }) => request.do === 'listen')
  const recording = a.call('record', { forMs: 3_000 })
  a.event('gossip-wan', { did: 'connected', peer: 'p2', address: { host: '127.0.0.2', port: 8302 } })
  const me = record('b1.dc2', { peer: 'p2', address: '127.0.0.2', tags: { role: 'consul', dc: 'dc2' } })
  a.event('gossip-wan', { did: 'message', from: 'p2', message: { do: 'hello', version: 1, datacenter: 'dc2', me, wan: true } })
  a.wait(3_000)
  const { lines } = recording.result as { lines: string[] }
  const file = fileOf('wan.jsonl', lines)
  const answer = { [RECORD]: { text: readFileSync(file, 'utf8') } }
  t.deepEqual((await tryCommand(['gossip', 'record', '-wan', '-for=3s', file], answer)).seen, [
    'PUT /v1/tribune/gossip/record?for=3s&wan=1',
  ])
  const { code, out } = await runCommand(['gossip', 'replay', file])
  t.is(code, 0, out)
  t.regex(out, /b1\.dc2 is a member/)
})

test('gossip record says what is wrong', async (t) => {
  t.is((await runCommand(['gossip', 'record'])).code, 1)
  const refused = await tryCommand(['gossip', 'record', join(folder, 'x')], {
    [RECORD]: { status: 409, text: 'there is a recording already' },
  })
  t.is(refused.code, 1)
  t.is(refused.err, 'Error recording gossip: Unexpected response code: 409 (there is a recording already)\n')
  const unwritable = await tryCommand(['gossip', 'record', folder], { [RECORD]: { text: '{}\n{}\n' } })
  t.is(unwritable.code, 1)
  t.regex(unwritable.err, /^Error writing the recording: EISDIR/)
})

test('gossip replay shows what came of a recording, and whether it is the same again', async (t) => {
  const lines = recordedLines()
  const file = fileOf('good.jsonl', lines)
  const { code, out, err } = await runCommand(['gossip', 'replay', file])
  t.is(err, '')
  t.is(code, 0)
  t.regex(
    out,
    /^n1 from 2026-11-23T07:00:00Z on, \d+ inputs\n2026-11-23T07:00:00Z n2 is a member .*\n.* n1 accuses n2 .*\nThe same as recorded after \d+ of \d+ inputs in .*, 2 entries\n$/,
  )
  t.is((await runCommand(['gossip', 'replay', '-speed=100000', file])).out, out)
  t.regex((await runCommand(['gossip', 'replay', '-until=0s', file])).out, /The same as recorded after 2 of \d+ inputs in 0s, 1 entries\n$/)
})

test('gossip replay ends with 1 where it differs or the end is missing', async (t) => {
  const lines = recordedLines()
  const changed = lines.map((line) => line.replace('"what":"joined"', '"what":"left"'))
  const different = await runCommand(['gossip', 'replay', fileOf('changed.jsonl', changed)])
  t.is(different.code, 1)
  t.regex(
    different.out,
    /DIFFERENT at input 2, event: it noted .*"what":"left".*, and now .*"what":"joined"[\s\S]*\nNot as recorded after .*: 1 differences\n$/,
  )
  const cut = await runCommand(['gossip', 'replay', fileOf('cut.jsonl', lines.slice(0, -1))])
  t.is(cut.code, 1)
  t.is(cut.err, 'The recording was cut off: its end is missing\n')
})

test('gossip replay names the line of a file that is no recording', async (t) => {
  const [header = '', ...rest] = recordedLines()
  const cases: [lines: string[], why: RegExp][] = [
    [['no JSON'], /line 1: this is no recording of gossip/],
    [[header.replace('"version":1', '"version":2')], /line 1: version 2 is not known, only 1 is/],
    [[header.replace('"seed":', '"need":')], /line 1: seed: must be a number/],
    [[header, '[]'], /line 2: is no object of JSON/],
    [[header, '{"atMs":1,"name":"toString","did":[],"trace":[]}'], /line 2: name: there is no input "toString"/],
    [[header, '{"atMs":1,"name":"beat","did":{},"trace":[]}'], /line 2: did: must be a list/],
    [[header, ...rest.slice(1)], /the recording had \d+ inputs and has \d+/],
    [[header, ...rest, rest[0] ?? ''], /line \d+: comes after the end/],
  ]
  for (const [at, [lines, why]] of cases.entries()) {
    const { code, err } = await runCommand(['gossip', 'replay', fileOf(`bad-${at}.jsonl`, lines)])
    t.is(code, 2)
    t.regex(err, why)
  }
  t.is((await runCommand(['gossip', 'replay', join(folder, 'missing')])).code, 2)
  t.is((await runCommand(['gossip', 'replay'])).code, 2)
  t.is((await runCommand(['gossip', 'replay', '-speed=0', fileOf('any.jsonl', [header])])).code, 2)
  const broken = await runCommand(['gossip', 'replay', fileOf('broken.jsonl', [header.replace('"members":', '"others":'), ...rest])])
  t.is(broken.code, 1)
  t.regex(broken.out, /the actor crashes/)
})
