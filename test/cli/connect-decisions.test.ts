import test from 'ava'
import { runCommand, tryCommand } from './kit.ts'

const decision = (given: object = {}) => ({
  Side: 'inbound',
  Source: 'web',
  Destination: 'db',
  Kind: 'intention',
  Cause: 'default/web => default/db (Precedence: 9, Action: DENY)',
  Count: 3,
  First: '2026-11-23T06:00:00Z',
  Last: '2026-11-23T07:00:00Z',
  Newest: [{ At: '2026-11-23T07:00:00Z', URI: 'spiffe://td/x', SerialNumber: '0a', From: '10.0.0.1:1' }],
  Index: 4,
  ...given,
})
const URL = 'GET /v1/tribune/decisions'

test('connect decisions prints one line for each pair and cause', async (t) => {
  const unknown = decision({ Source: '', Kind: 'handshake', Cause: 'the certificate has expired', Newest: [], Count: 1 })
  const { code, out, seen } = await tryCommand(['connect', 'decisions', '-source=web', '-destination=db'], {
    [URL]: { json: [unknown, decision()] },
  })
  t.is(code, 0)
  t.deepEqual(seen, ['GET /v1/tribune/decisions?destination=db&source=web'])
  t.is(
    out,
    `Last                  Count  Connection  From        Why
2026-11-23T07:00:00Z  1      ? => db     -           handshake: the certificate has expired
2026-11-23T07:00:00Z  3      web => db   10.0.0.1:1  intention: default/web => default/db (Precedence: 9, Action: DENY)
`,
  )
})

test('connect decisions prints nothing or an empty list where nobody was refused', async (t) => {
  t.is((await tryCommand(['connect', 'decisions'], { [URL]: { json: [] } })).out, '')
  t.is((await tryCommand(['connect', 'decisions', '-format=json'], { [URL]: { json: [] } })).out, '[]\n')
  t.is((await runCommand(['connect', 'decisions', 'x'])).code, 1)
  t.regex((await tryCommand(['connect', 'decisions'], {})).err, /^Error reading the decisions: Unexpected response code: 404/)
})

test('connect decisions -follow goes on with what is new, also of an agent that began anew', async (t) => {
  const stop = new AbortController()
  const answers = [
    { index: 4, json: [decision()] },
    { index: 5, json: [decision(), decision({ Source: 'api', Index: 5 })] },
    { index: 2, json: [decision({ Count: 1, Index: 2 })] },
  ]
  const { code, out, seen } = await tryCommand(
    ['connect', 'decisions', '-follow'],
    {
      [URL]: () => {
        const answer = answers.shift()
        if (!answer) stop.abort()
        return { json: answer?.json ?? [], headers: { 'X-Consul-Index': String(answer?.index ?? 2) } }
      },
    },
    { signal: stop.signal },
  )
  t.is(code, 0)
  t.deepEqual(
    out.split('\n').map((line) => / (\S+ => \S+) .*\((\d) so far\)/.exec(line)?.slice(1).join(' ')),
    ['web => db 3', 'api => db 3', 'web => db 1', undefined],
  )
  t.deepEqual(seen.slice(0, 3), [
    'GET /v1/tribune/decisions',
    'GET /v1/tribune/decisions?index=4&wait=60s',
    'GET /v1/tribune/decisions?index=5&wait=60s',
  ])
})
