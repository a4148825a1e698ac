import test from 'ava'
import type { RefusedRow } from '../../actors/decisions/protocol.ts'
import { asked, run } from '../kit/http.ts'

const ROW: RefusedRow = {
  side: 'inbound',
  source: 'web',
  destination: 'db',
  kind: 'intention',
  cause: 'default/web => default/db (Precedence: 9, Action: DENY)',
  count: 3,
  firstMs: Date.UTC(2026, 10, 23, 6),
  lastMs: Date.UTC(2026, 10, 23, 7),
  newest: [{ atMs: Date.UTC(2026, 10, 23, 7), uri: 'spiffe://td/x', serial: '0a', from: '10.0.0.1:1' }],
  index: 4,
}

test('/v1/tribune/decisions shows who was refused, with an index to wait for', async (t) => {
  const shown = {
    headers: { 'X-Consul-Index': '1' },
    json: [
      {
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
      },
    ],
  }
  t.deepEqual(await run('GET', '/v1/tribune/decisions?source=web', { decisions: [ROW] }), shown)
  t.deepEqual(await run('GET', '/v1/tribune/decisions?index=99', { decisions: [ROW] }), shown, 'an index of an earlier life')
  t.like(await run('GET', '/v1/tribune/decisions?index=1', { decisions: [ROW] }), { status: 503 })
  t.like(await run('GET', '/v1/tribune/decisions?index=x', {}), { status: 400, text: 'Invalid index' })
})

test('PUT /v1/tribune/decisions takes what others have refused', (t) => {
  const plain = { Side: 'inbound', Destination: 'db', Kind: 'handshake', Cause: 'no client certificate was shown' }
  const whole = { ...plain, Side: 'outbound', Source: 'web', Count: 9, URI: 'spiffe://td/x', SerialNumber: '0a', From: '10.0.0.1:1' }
  t.like(asked('PUT', '/v1/tribune/decisions', [plain, whole]), {
    name: 'add',
    request: {
      token: '',
      refused: [
        {
          ...{ side: 'inbound', source: '', destination: 'db', kind: 'handshake', cause: 'no client certificate was shown' },
          ...{ count: 1, uri: '', serial: '', from: '' },
        },
        {
          ...{ side: 'outbound', source: 'web', destination: 'db', kind: 'handshake', cause: 'no client certificate was shown' },
          ...{ count: 9, uri: 'spiffe://td/x', serial: '0a', from: '10.0.0.1:1' },
        },
      ],
    },
  })
  const KINDS = 'intention, default, identity, handshake, no-instance, unreachable, application, limit, not-ready'
  for (const [body, text] of [
    ['{', 'unexpected EOF'],
    [{}, 'must be a list of 1 to 100 decisions'],
    [[], 'must be a list of 1 to 100 decisions'],
    [Array(101).fill(plain), 'must be a list of 1 to 100 decisions'],
    [[plain, 7], '[1]: json: cannot unmarshal number into an object'],
    [[{ ...plain, Foo: 1 }], '[0]: json: unknown field "Foo"'],
    [[{ ...plain, Side: 'authorize' }], '[0]: Side: must be "inbound" or "outbound"'],
    [[{ ...plain, Kind: 'mood' }], `[0]: Kind: must be one of ${KINDS}`],
    [[{ ...plain, Destination: '' }], '[0]: Destination: is missing'],
    [[{ ...plain, Side: 'outbound' }], '[0]: Source: is missing'],
    [[{ ...plain, Cause: null }], '[0]: Cause: is missing'],
    [[{ ...plain, Count: 0 }], '[0]: Count: must be a whole number from 1 to 1000000'],
  ] as const)
    t.deepEqual(asked('PUT', '/v1/tribune/decisions', body), { status: 400, text: `Bad request: ${text}` })
})
