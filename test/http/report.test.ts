import test from 'ava'
import { run } from '../kit/http.ts'

const NATIVE = { service: { definition: { name: 'db', connect: { native: true } } } }
const FACTS = { signingKeyId: 'k1', issuedMs: 100, renewAtMs: 700, validBeforeMs: 1_000, renewalWhy: 'no route to the authority' }
const REPORT = { LeafSerialNumber: '0a:1b', TrustedRoots: ['r2', 'r1', 'r2'], IntentionIndex: 812 }
const TIMES = { LeafValidAfter: '2026-11-23T00:00:00Z', LeafValidBefore: '2026-11-23T10:00:00Z' }

/** Tells an agent of the service; answers what it said, and what its actor was told. */
async function report(body: unknown, answers: Record<string, unknown> = {}) {
  const told: unknown[] = []
  const applicationTells = (request: unknown) => {
    told.push(request)
    return null
  }
  const reply = await run('PUT', '/v1/tribune/report/db-1', { service: NATIVE, find: FACTS, applicationTells, ...answers }, {}, body)
  return { reply, told }
}

test('PUT /v1/tribune/report/: the agent adds what it knows of the certificate', async (t) => {
  const counts = { EnforcedMs: 3, ClosedConnections: 2, ConnectionsOpen: 5, RootsIndex: 9 }
  const { reply, told } = await report({ ...REPORT, ...TIMES, ...counts, Process: 'p-1', TTL: '1m' })
  t.deepEqual(reply, {})
  t.deepEqual(told, [
    {
      ...{ serviceId: 'db-1', service: 'db', kind: 'native', process: 'p-1', withinMs: 60_000, open: 5, token: '' },
      inForce: {
        rootsIndex: 9,
        bundle: ['r1', 'r2'],
        leafSerial: '0a:1b',
        leafKeyId: 'k1',
        leafIssuedMs: 100,
        leafRenewAtMs: 700,
        leafWhy: 'no route to the authority',
        leafValidUntilMs: 1_000,
        intentionIndex: 812,
        enforcedMs: 3,
        closedConnections: 2,
      },
    },
  ])
})

test('of a certificate that the agent does not know it takes the times, and no signer', async (t) => {
  const { told } = await report({ ...REPORT, ...TIMES }, { find: null })
  const at = (hour: number) => Date.UTC(2026, 10, 23, hour)
  t.like(told, [
    {
      ...{ process: '', withinMs: 30_000, open: 0 },
      inForce: { leafKeyId: '', leafIssuedMs: at(0), leafRenewAtMs: at(9), leafValidUntilMs: at(10) },
    },
  ])
})

const REFUSED: [what: string, body: unknown, status: number, text: string, answers?: Record<string, unknown>][] = [
  ['nothing', '', 400, 'Bad request: EOF'],
  ['a list', [], 400, 'Bad request: json: cannot unmarshal array into an object'],
  ['an unknown key', { ...REPORT, Foo: 1 }, 400, 'Bad request: json: unknown field "Foo"'],
  ['no index', { ...REPORT, IntentionIndex: null }, 400, 'Bad request: IntentionIndex: is missing'],
  ['part of an index', { ...REPORT, IntentionIndex: 1.5 }, 400, 'Bad request: IntentionIndex: 1.5 is no whole number from 0 on'],
  ['fewer than none', { ...REPORT, ConnectionsOpen: -1 }, 400, 'Bad request: ConnectionsOpen: -1 is no whole number from 0 on'],
  ['no roots', { ...REPORT, TrustedRoots: [] }, 400, 'Bad request: TrustedRoots: must be the IDs of 1 to 64 roots'],
  [
    'roots without number',
    { ...REPORT, TrustedRoots: Array(65).fill('r') },
    400,
    'Bad request: TrustedRoots: must be the IDs of 1 to 64 roots',
  ],
  ['roots that are none', { ...REPORT, TrustedRoots: [1] }, 400, 'Bad request: TrustedRoots: must be the IDs of 1 to 64 roots'],
  [
    'no serial number',
    { ...REPORT, LeafSerialNumber: 'x' },
    400,
    'Bad request: LeafSerialNumber: must be bytes in lower-case hex with colons between, as the leaf has it',
  ],
  ['a short TTL', { ...REPORT, TTL: '1s' }, 400, 'Bad request: TTL: 1s is not from 5s to 10m'],
  ['a long TTL', { ...REPORT, TTL: '1h' }, 400, 'Bad request: TTL: 1h is not from 5s to 10m'],
  ['a process with blanks', { ...REPORT, Process: 'a b' }, 400, 'Bad request: Process: must be up to 64 letters, digits and ._-'],
  ['no time', { ...REPORT, LeafValidAfter: 'soon' }, 400, 'Bad request: LeafValidAfter: "soon" is no time'],
  [
    'an unknown certificate without its end',
    { ...REPORT, LeafValidAfter: TIMES.LeafValidAfter },
    400,
    'Bad request: LeafValidBefore: is missing, and this agent does not know the certificate 0a:1b',
    { find: null },
  ],
  [
    'one that ends before it begins',
    { ...REPORT, LeafValidAfter: TIMES.LeafValidBefore, LeafValidBefore: TIMES.LeafValidAfter },
    400,
    'Bad request: LeafValidBefore: is not after LeafValidAfter',
    { find: null },
  ],
]

for (const [what, body, status, text, answers] of REFUSED) {
  test(`a report of ${what} is refused`, async (t) => {
    const { reply, told } = await report(body, answers)
    t.deepEqual(reply, { status, text })
    t.deepEqual(told, [])
  })
}

test('only native services of this agent, and proxies that it does not run, are told of', async (t) => {
  t.deepEqual((await report(REPORT, { service: { service: null } })).reply, { refused: 'missing', why: 'unknown service ID: db-1' })
  const plain = { service: { definition: { name: 'db', connect: { native: false } } } }
  t.deepEqual((await report(REPORT, { service: plain })).reply, {
    refused: 'invalid',
    why: 'service "db-1" is neither registered with Connect.Native nor a proxy of its own',
  })
  const proxy = { destinationServiceName: 'db' }
  const own = (more: object) => ({ service: { definition: { name: 'db-1', kind: 'connect-proxy', proxy: { ...proxy, ...more } } } })
  t.like((await report(REPORT, { service: own({}) })).told, [{ serviceId: 'db-1', service: 'db', kind: 'proxy' }])
  t.like((await report(REPORT, { service: own({ reports: true }) })).reply, { refused: 'invalid' })
})

test('DELETE /v1/tribune/report/: a process ends', async (t) => {
  const ended: unknown[] = []
  const applicationEnds = (request: unknown) => {
    ended.push(request)
    return null
  }
  t.deepEqual(await run('DELETE', '/v1/tribune/report/db-1?process=p-1', { service: NATIVE, applicationEnds }), {})
  t.deepEqual(await run('DELETE', '/v1/tribune/report/db-1', { service: { service: null }, applicationEnds }), {})
  t.deepEqual(ended, [{ serviceId: 'db-1', service: 'db', process: 'p-1', token: '' }])
  t.deepEqual(await run('DELETE', '/v1/tribune/report/db-1?process=a%20b', {}), {
    status: 400,
    text: 'Invalid process: must be up to 64 letters, digits and ._-',
  })
})
