import test from 'ava'
import type { RefusedRow } from '../../actors/decisions/protocol.ts'
import { run } from '../kit/http.ts'

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
