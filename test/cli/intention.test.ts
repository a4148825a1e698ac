import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { runCommand, tryCommand } from './kit.ts'

const INTENTION = {
  CreatedAt: '2026-11-23T06:00:56.37551921Z',
  ID: '1dbe023b-6403-1394-7e46-0c965b68bf6c',
  SourceNS: 'default',
  SourceName: 'web',
  DestinationNS: 'default',
  DestinationName: 'db',
  SourceType: 'consul',
  Action: 'deny',
  Precedence: 9,
}
const LAYER_7 = { ...INTENTION, Action: undefined, Permissions: [{ Action: 'allow', HTTP: { PathExact: '/' } }] }
const EXACT = '/v1/connect/intentions/exact'
const CREATE = { 'POST /v1/connect/intentions': { json: { ID: INTENTION.ID } } }

test('create allows unless told to deny', async (t) => {
  const allow = await tryCommand(['intention', 'create', 'web', 'db'], CREATE)
  t.is(allow.out, 'Created: web => db (allow)\n')
  t.is(allow.code, 0)
  t.deepEqual(allow.seen, [
    'POST /v1/connect/intentions {"SourceType":"consul","SourceName":"web","DestinationName":"db","Action":"allow"}',
  ])
  const deny = await tryCommand(['intention', 'create', '-deny', '-meta', 'why=test', '*', 'db'], CREATE)
  t.is(deny.out, 'Created: * => db (deny)\n')
  t.deepEqual(JSON.parse(deny.requests[0]?.body ?? ''), {
    SourceType: 'consul',
    SourceName: '*',
    DestinationName: 'db',
    Action: 'deny',
    Meta: { why: 'test' },
  })
})

test('create refuses what makes no sense', async (t) => {
  t.regex(
    (await runCommand(['intention', 'create', '-allow', '-deny', 'a', 'b'])).err,
    /^Only one of -allow or -deny may be specified\.\n\nUsage:/,
  )
  t.regex((await runCommand(['intention', 'create', 'web'])).err, /^Error: Must specify two arguments: source and destination\n/)
  t.regex((await runCommand(['intention', 'create', 'a/b/c', 'd'])).err, /^Error: Invalid intention source: invalid service name "a\/b\/c"/)
})

test('create passes on what the servers say', async (t) => {
  const answers = { 'POST /v1/connect/intentions': { status: 500, text: 'Sources[1] defines "web" more than once' } }
  const { code, err } = await tryCommand(['intention', 'create', 'web', 'db'], answers)
  t.is(code, 1)
  t.is(err, 'Error creating intention "web => db (allow)": Unexpected response code: 500 (Sources[1] defines "web" more than once)\n')
})

test('create -replace changes one that has an ID by its ID, and another by its services, without a word', async (t) => {
  const byId = await tryCommand(['intention', 'create', '-replace', '-allow', 'web', 'db'], {
    [`GET ${EXACT}`]: { json: INTENTION },
    [`PUT /v1/connect/intentions/${INTENTION.ID}`]: { json: { ID: INTENTION.ID } },
  })
  t.deepEqual([byId.code, byId.out, byId.err], [0, '', ''])
  t.regex(byId.seen[1] ?? '', /^PUT .*"Action":"allow"/)
  const byServices = await tryCommand(['intention', 'create', '-replace', 'web', 'db'], {
    [`GET ${EXACT}`]: { json: { ...INTENTION, ID: undefined } },
    [`PUT ${EXACT}`]: { text: 'true' },
  })
  t.deepEqual([byServices.code, byServices.out], [0, ''])
  t.regex(byServices.seen[1] ?? '', /^PUT \/v1\/connect\/intentions\/exact\?destination=db&source=web /)
  t.is((await tryCommand(['intention', 'create', '-replace', 'web', 'db'], CREATE)).out, 'Created: web => db (allow)\n')
})

test('create reads files', async (t) => {
  const folder = temporaryDirectory(t)
  const good = join(folder, 'good.json')
  const bad = join(folder, 'bad.json')
  writeFileSync(good, JSON.stringify({ SourceName: 'web', DestinationName: 'db', Permissions: LAYER_7.Permissions }))
  writeFileSync(bad, '{"SourceName":"web"}')
  const answers = { [`PUT ${EXACT}`]: { text: 'true' } }
  const done = await tryCommand(['intention', 'create', '-file', good], answers)
  t.is(done.out, 'Created: web => db (1 permissions)\n')
  t.regex(done.seen[1] ?? '', /^PUT .*\/exact\?destination=db&source=web .*"Permissions":\[/)
  const again = await tryCommand(['intention', 'create', '-file', good], { ...answers, [`GET ${EXACT}`]: { json: LAYER_7 } })
  t.regex(again.err, /there is one for these services already; replace it with -replace/)
  t.true((await runCommand(['intention', 'create', '-file', bad])).err.startsWith(`Error: ${bad}: DestinationName must be a string\n`))
  t.regex((await runCommand(['intention', 'create', '-file', '/nowhere.json'])).err, /open \/nowhere\.json: no such file or directory/)
  t.regex((await runCommand(['intention', 'create', '-file'])).err, /^Error: -file needs at least one file\n/)
})

test('check answers with a word and an exit code', async (t) => {
  const answers = (allowed: boolean) => ({ 'GET /v1/connect/intentions/check': { json: { Allowed: allowed } } })
  const yes = await tryCommand(['intention', 'check', 'web', 'db'], answers(true))
  t.deepEqual([yes.code, yes.out], [0, 'Allowed\n'])
  t.deepEqual(yes.seen, ['GET /v1/connect/intentions/check?destination=db&source=web&source-type=consul'])
  const no = await tryCommand(['intention', 'check', 'web', 'db'], answers(false))
  t.deepEqual([no.code, no.out], [1, 'Denied\n'])
})

const EXPLAINED = {
  Allowed: false,
  Reason: 'Matched L4 intention: default/* => default/db (Precedence: 8, Action: DENY)',
  Decides: { SourceName: '*', DestinationName: 'db', Action: 'deny', Precedence: 8 },
  Candidates: [
    { SourceName: 'web', DestinationName: 'db', Precedence: 9, Intention: null, Decides: false, Why: 'there is none' },
    {
      SourceName: '*',
      DestinationName: 'db',
      Precedence: 8,
      Intention: { Action: 'deny' },
      Decides: true,
      Why: 'decides: it is the first that matches',
    },
  ],
  Default: { Action: 'allow', Decides: false },
  OtherSources: ['api'],
  OtherSourcesCount: 3,
}

test('check -explain says how the decision comes about', async (t) => {
  const answers = { 'GET /v1/tribune/intentions/explain': { json: EXPLAINED } }
  const told = await tryCommand(['intention', 'check', '-explain', 'web', 'db'], answers)
  t.is(told.code, 1)
  t.is(
    told.out,
    `Denied
Matched L4 intention: default/* => default/db (Precedence: 8, Action: DENY)

   Precedence  Source  Destination  Says   Why
   9           web     db           -      there is none
>  8           *       db           deny   decides: it is the first that matches
   default                          allow  an intention matches

About other sources: api and 2 more
`,
  )
  const json = await tryCommand(['intention', 'check', '-explain', '-format=json', 'web', 'db'], answers)
  t.deepEqual(JSON.parse(json.out), EXPLAINED)
  t.is((await tryCommand(['intention', 'check', '-explain', 'web', 'db'], {})).code, 1)
  t.regex((await runCommand(['intention', 'check', '-format=json', 'web', 'db'])).err, /^Error: -format needs -explain/)
  const allowed = { ...EXPLAINED, Allowed: true, Candidates: [], Default: { Action: 'allow', Decides: true }, OtherSourcesCount: 0 }
  const fallback = await tryCommand(['intention', 'check', '-explain', 'a', 'b'], {
    'GET /v1/tribune/intentions/explain': { json: allowed },
  })
  t.is(fallback.code, 0)
  t.regex(fallback.out, /^> {2}default +allow {2}decides: no intention matches\n$/m)
})

test('what the agent has to say about a write comes after the text of the reference, on standard error', async (t) => {
  const headers = { 'X-Tribune-Warning': ['one, with a comma', 'two'] } as unknown as Record<string, string>
  const made = await tryCommand(['intention', 'create', 'web', 'db'], { 'POST /v1/connect/intentions': { json: { ID: 'x' }, headers } })
  t.deepEqual([made.code, made.out, made.err], [0, 'Created: web => db (allow)\n', 'Warning: one, with a comma\nWarning: two\n'])
  const entry = '{"Kind":"service-intentions","Name":"db","Sources":[]}'
  const written = await tryCommand(['config', 'write', '-'], { 'PUT /v1/config': { text: 'true', headers } }, { stdin: entry })
  t.deepEqual([written.code, written.err], [0, 'Warning: one, with a comma\nWarning: two\n'])
})

test('match lists what applies', async (t) => {
  const answers = { 'GET /v1/connect/intentions/match': { json: { db: [INTENTION, LAYER_7] } } }
  const { out, seen } = await tryCommand(['intention', 'match', 'db'], answers)
  t.is(out, 'web => db (deny)\nweb => db (1 permissions)\n')
  t.deepEqual(seen, ['GET /v1/connect/intentions/match?by=destination&name=db'])
  t.deepEqual((await tryCommand(['intention', 'match', '-source', 'web'], answers)).seen, [
    'GET /v1/connect/intentions/match?by=source&name=web',
  ])
  t.is((await tryCommand(['intention', 'match', 'x'], { 'GET /v1/connect/intentions/match': { json: { x: null } } })).out, '')
  t.is((await runCommand(['intention', 'match', '-source', '-destination', 'x'])).code, 1)
})

test('get prints everything of one', async (t) => {
  const found = await tryCommand(['intention', 'get', 'web', 'db'], {
    [`GET ${EXACT}`]: { json: { ...INTENTION, Description: 'why not', Meta: { b: '2', a: '1' } } },
  })
  t.is(
    found.out,
    `Source:       web
Destination:  db
Action:       deny
ID:           1dbe023b-6403-1394-7e46-0c965b68bf6c
Description:  why not
Meta[a]:      1
Meta[b]:      2
Created At:   Monday, 23-Nov-26 06:00:56 UTC
`,
  )
  const layer7 = await tryCommand(['intention', 'get', INTENTION.ID], { [`GET /v1/connect/intentions/${INTENTION.ID}`]: { json: LAYER_7 } })
  t.regex(layer7.out, /\nPermissions:\n\[\n {2}\{\n {4}"Action": "allow"/)
  t.notRegex(layer7.out, /^Action:/m)
  const missing = await tryCommand(['intention', 'get', 'web', 'nope'], {})
  t.deepEqual([missing.code, missing.err], [1, 'Intention not found with source "web" and destination "nope"\n'])
})

test('delete takes services or an ID', async (t) => {
  const both = await tryCommand(['intention', 'delete', 'web', 'db'], { [`DELETE ${EXACT}`]: { text: 'true' } })
  t.is(both.out, 'Intention deleted.\n')
  t.deepEqual(both.seen, ['DELETE /v1/connect/intentions/exact?destination=db&source=web'])
  const byId = await tryCommand(['intention', 'delete', 'abc'], { 'DELETE /v1/connect/intentions/abc': { text: 'true' } })
  t.is(byId.code, 0)
  t.is((await runCommand(['intention', 'delete'])).code, 1)
})

test('list shows a table, or JSON', async (t) => {
  const answers = { 'GET /v1/connect/intentions': { json: [INTENTION, { ...LAYER_7, ID: undefined }] } }
  t.is(
    (await tryCommand(['intention', 'list'], answers)).out,
    `ID                                    Source  Action  Destination  Precedence
1dbe023b-6403-1394-7e46-0c965b68bf6c  web     deny    db           9
                                      web             db           9
`,
  )
  t.is(JSON.parse((await tryCommand(['intention', 'list', '-format=json'], answers)).out).length, 2)
  t.is((await tryCommand(['intention', 'list'], { 'GET /v1/connect/intentions': { json: [] } })).out, '')
})

const proof = (enforced: string, closed: string, silent = '0') => ({
  'X-Tribune-Enforced': String(enforced === '2/2'),
  'X-Tribune-Intention-Index': '830',
  'X-Tribune-Enforced-Proxies': enforced,
  'X-Tribune-Enforced-Ms': enforced === '2/2' ? '38' : '5000',
  'X-Tribune-Closed-Connections': closed,
  'X-Tribune-Silent-Proxies': silent,
})
const ENFORCEMENT = {
  'GET /v1/tribune/enforcement': {
    json: {
      Destination: 'db',
      IntentionIndex: 830,
      Enforced: false,
      Proxies: [
        { Node: 'n1', ServiceID: 'db-1', Service: 'db', Enforced: true, IntentionIndex: 830 },
        { Node: 'n2', ServiceID: 'db-2', Service: 'db', Enforced: false, IntentionIndex: 812 },
        { Node: 'n3', ServiceID: 'db-3', Service: 'db', Enforced: false, IntentionIndex: 0 },
        { Node: 'n6', ServiceID: 'db-6', Service: 'db', Kind: 'native', Enforced: false, IntentionIndex: 812, FellSilent: false },
        { Node: 'n7', ServiceID: 'db-7', Service: 'db', Kind: 'native', Enforced: false, IntentionIndex: 830, FellSilent: true },
      ],
      Silent: [
        { Node: 'n4', ServiceID: 'db-envoy', Service: 'db', Kind: 'proxy' },
        { Node: 'n5', ServiceID: 'db-native', Service: 'db', Kind: 'native' },
      ],
    },
  },
}

test('create -wait says once every proxy has it in force', async (t) => {
  const answers = { 'POST /v1/connect/intentions': { json: { ID: INTENTION.ID }, headers: proof('2/2', '14') } }
  const { out, err, code, seen } = await tryCommand(['intention', 'create', '-deny', '-wait', 'web', 'db'], answers)
  t.is(out, 'Created: web => db (deny)\nenforced on 2 of 2 proxies in 38 ms, 14 connections closed\n')
  t.is(err, '')
  t.is(code, 0)
  t.regex(seen[0] ?? '', /^POST \/v1\/connect\/intentions\?wait-enforced=5000ms /)
})

test('create -wait names the proxies that have it not, what they have, and those that tell nothing', async (t) => {
  const answers = { ...ENFORCEMENT, 'POST /v1/connect/intentions': { json: { ID: INTENTION.ID }, headers: proof('1/5', '1', '2') } }
  const { out, err, code, seen } = await tryCommand(['intention', 'create', '-deny', '-wait=10s', 'web', 'db'], answers)
  t.is(out, 'Created: web => db (deny)\nenforced on 1 of 5 proxies after 5000 ms, 1 connection closed\n')
  t.is(
    err,
    [
      'missing: db-2 on n2, has those of index 812, not 830',
      'missing: db-3 on n3, has told of none, not 830',
      'missing: db-6 (native) on n6, has those of index 812, not 830',
      'missing: db-7 (native) on n7, which does not tell any more what it has in force',
      'not known: db-envoy on n4, a proxy of another program that tells nothing',
      'not known: db-native on n5, an application in the mesh by itself that tells nothing',
      '',
    ].join('\n'),
  )
  t.is(code, 2)
  t.regex(seen[0] ?? '', /wait-enforced=10000ms/)
  t.is(seen[1], 'GET /v1/tribune/enforcement?destination=db&intention-index=830')
})

test('delete -wait says the same, of one with an ID too', async (t) => {
  const exact = await tryCommand(['intention', 'delete', '-wait', 'web', 'db'], {
    [`DELETE ${EXACT}`]: { json: true, headers: proof('2/2', '0') },
  })
  t.is(exact.out, 'Intention deleted.\nenforced on 2 of 2 proxies in 38 ms, 0 connections closed\n')
  t.deepEqual(exact.seen, [`DELETE ${EXACT}?destination=db&source=web&wait-enforced=5000ms`])
  const path = `/v1/connect/intentions/${INTENTION.ID}`
  const byId = await tryCommand(['intention', 'delete', '-wait', INTENTION.ID], {
    ...ENFORCEMENT,
    [`GET ${path}`]: { json: INTENTION },
    [`DELETE ${path}`]: { json: true, headers: proof('1/2', '0') },
  })
  t.is(byId.code, 2)
  t.is(byId.seen.at(-1), 'GET /v1/tribune/enforcement?destination=db&intention-index=830')
})

test('-wait needs an agent that knows what its proxies have in force, and a time', async (t) => {
  const { err, code } = await tryCommand(['intention', 'create', '-wait', 'web', 'db'], CREATE)
  t.is(err, 'the agent does not say what its proxies have in force\n')
  t.is(code, 1)
  t.regex(
    (await runCommand(['intention', 'create', '-wait=0s', 'web', 'db'])).err,
    /^invalid value "0s" for flag -wait: value out of range/,
  )
  t.regex((await runCommand(['intention', 'create', '-wait=x', 'web', 'db'])).err, /^invalid value "x" for flag -wait: parse error/)
})
