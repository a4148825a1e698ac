import test from 'ava'
import type { ProxyStatus } from '../../actors/proxy/protocol.ts'
import type { HttpClient, RequestOptions } from '../../src/cli/http.ts'
import { ForceReport, type InForceBody, inForceBody } from '../../src/connect-proxy/report.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { until } from '../kit/running.ts'

const FORCE: InForceBody = {
  ...{ TrustedRoots: ['r1'], RootsIndex: 3, LeafSerialNumber: '0a', LeafValidAfter: 'a', LeafValidBefore: 'b' },
  ...{ IntentionIndex: 7, EnforcedMs: 0, ClosedConnections: 0 },
}

/** An agent that answers with these statuses first, 0 for not at all, and with 200 then. */
function reporting(statuses: number[] = []) {
  const asked: [method: string, path: string, index?: number][] = []
  const complaints: string[] = []
  const over = new AbortController()
  const request = async (method: string, path: string, { body, also = [] }: RequestOptions = {}) => {
    asked.push(method === 'PUT' ? [method, path, (body as InForceBody).IntentionIndex] : [method, path])
    const status = statuses.shift() ?? 200
    if (status === 200 || also.includes(status)) return { status, headers: {}, body: Buffer.alloc(0), warnings: [] }
    return refuse('gone', `status ${status}`)
  }
  const http = { request } as unknown as HttpClient
  const report = new ForceReport({ http, proxyId: 'db-proxy', signal: over.signal, failed: (why) => complaints.push(why) })
  return { report, asked, complaints, over }
}

const PATH = '/v1/tribune/report/db-proxy'

test('what a proxy has in force is told when it changes, and its end', async (t) => {
  const { report, asked, over } = reporting()
  report.holds(FORCE)
  report.holds({ ...FORCE })
  await until(
    'it is told',
    () => asked.length,
    (count) => count === 1,
  )
  report.holds({ ...FORCE, IntentionIndex: 8 })
  await until(
    'the change is told',
    () => asked.length,
    (count) => count === 2,
  )
  over.abort()
  await report.end()
  t.deepEqual(asked, [
    ['PUT', PATH, 7],
    ['PUT', PATH, 8],
    ['DELETE', PATH],
  ])
})

test('an agent that does not know the proxy yet is told again, one that fails is complained of once', async (t) => {
  const { report, asked, complaints, over } = reporting([404, 0, 0])
  report.holds(FORCE)
  await until(
    'it is told',
    () => asked.length,
    (count) => count === 2,
  )
  over.abort()
  await report.end()
  const failing = reporting([500, 500])
  failing.report.holds(FORCE)
  await until(
    'it is told',
    () => failing.asked.length,
    (count) => count === 3,
  )
  failing.over.abort()
  await failing.report.end()
  t.deepEqual(complaints, [])
  t.deepEqual(failing.complaints, ['status 500'])
})

test('who never held anything says nothing at its end', async (t) => {
  const { report, asked, over } = reporting()
  over.abort()
  await report.end()
  t.deepEqual(asked, [])
})

test('a sidecar has something in force once it takes connections', (t) => {
  const status = {
    ...{ phase: 'listening', port: 21_000, bundle: ['r1'], rootsIndex: 3, leafSerial: '0a', leafIssuedMs: 0, leafValidUntilMs: 1_000 },
    ...{ intentionIndex: 7, enforcedMs: 2, closedConnections: 1 },
  } as unknown as ProxyStatus
  const times = { LeafValidAfter: '1970-01-01T00:00:00.000Z', LeafValidBefore: '1970-01-01T00:00:01.000Z' }
  t.deepEqual(inForceBody(status), { ...FORCE, ...times, EnforcedMs: 2, ClosedConnections: 1 })
  for (const more of [{ phase: 'waiting' }, { port: 0 }, { leafSerial: '' }, { bundle: [] }] as Partial<ProxyStatus>[])
    t.is(inForceBody({ ...status, ...more }), undefined)
})
