import test from 'ava'
import type { Gossip, GossipEntry, GossipMember } from '../../src/cli/gossip-answers.ts'
import { sentenceOf } from '../../src/cli/gossip-trace.ts'
import { runCommand, tryCommand } from './kit.ts'

const entry = (given: Partial<GossipEntry> = {}): GossipEntry => ({
  Number: 1,
  At: '2026-11-23T07:00:00Z',
  What: 'accused',
  Member: 'n3',
  Incarnation: 7,
  By: 'n2',
  Via: ['n2', 'n4'],
  Why: 'no answer',
  ...given,
})
const member = (given: Partial<GossipMember> = {}): GossipMember => ({
  Name: 'n1',
  Address: '127.0.0.1',
  Port: 8301,
  Status: 'alive',
  Incarnation: 7,
  Place: 1,
  IsSelf: false,
  IsWatched: false,
  ...given,
})
const gossip = (given: Partial<Gossip> = {}): Gossip => ({
  Node: 'n1',
  HealthScore: 0,
  Connections: 1,
  Rates: { MessagesOut: 2, BytesOut: 90, MessagesIn: 2.1, BytesIn: 95 },
  Totals: null,
  Spread: { Rumours: 3, MedianMs: 40, P99Ms: 90, StepsMax: 4 },
  Members: [member({ IsSelf: true }), member({ Name: 'n2', Port: 8302, Place: 255, IsWatched: true })],
  ...given,
})
const TRACE = 'GET /v1/tribune/gossip/trace'
const GOSSIP = 'GET /v1/tribune/gossip'

test('gossip trace says in sentences who accused whom, and over whom it came', async (t) => {
  const entries = [entry(), entry({ Number: 2, What: 'confirmed', By: 'n4', Via: [] }), entry({ Number: 3, What: 'refuted', Via: ['n3'] })]
  const { code, out, seen } = await tryCommand(['gossip', 'trace', 'n3'], { [TRACE]: { json: entries } })
  t.is(code, 0)
  t.deepEqual(seen, ['GET /v1/tribune/gossip/trace?member=n3'])
  t.is(
    out,
    `2026-11-23T07:00:00Z n2 accuses n3 (incarnation 7): no answer [n2 > n4]
2026-11-23T07:00:00Z n4 confirms that n3 is in doubt: no answer [found out here]
2026-11-23T07:00:00Z n3 refutes that it is gone, with incarnation 7: no answer [from n3]
`,
  )
})

test('with -wan, gossip watch and trace are about the servers of all datacenters', async (t) => {
  const answers = { [GOSSIP]: { json: gossip({ Members: [] }) }, [TRACE]: { json: [] } }
  const watched = await tryCommand(['gossip', 'watch', '-once', '-wan'], answers)
  t.deepEqual(watched.seen, [`${GOSSIP}?wan=1`, `${TRACE}?wan=1`])
  t.deepEqual((await tryCommand(['gossip', 'trace', '-wan', 'n1.dc2'], answers)).seen, [`${TRACE}?member=n1.dc2&wan=1`])
})

test('gossip trace has a sentence for each thing that may become known', (t) => {
  for (const What of ['joined', 'withdrawn', 'failed', 'leaving', 'left', 'pruned', 'silent', 'conflict']) {
    t.regex(sentenceOf(entry({ What })), /^2026-11-23T07:00:00Z .*no answer \[.*\]$/)
  }
})

test('gossip trace prints JSON when asked to, and says what is wrong', async (t) => {
  t.deepEqual(JSON.parse((await tryCommand(['gossip', 'trace', '-format=json'], { [TRACE]: { json: [entry()] } })).out), [entry()])
  t.is((await runCommand(['gossip', 'trace', 'a', 'b'])).code, 1)
  t.regex((await tryCommand(['gossip', 'trace'], {})).err, /^Error reading the trace: Unexpected response code: 404/)
})

test('gossip trace -follow goes on with what is new, also of an agent that began anew', async (t) => {
  const stop = new AbortController()
  const answers = [
    { index: 1, json: [entry()] },
    { index: 2, json: [entry(), entry({ Number: 2, By: 'n4' })] },
    { index: 1, json: [entry({ By: 'n5' })] },
  ]
  const { code, out, seen } = await tryCommand(
    ['gossip', 'trace', '-follow'],
    {
      [TRACE]: () => {
        const answer = answers.shift()
        if (!answer) stop.abort()
        return { json: answer?.json ?? [], headers: { 'X-Consul-Index': String(answer?.index ?? 1) } }
      },
    },
    { signal: stop.signal },
  )
  t.is(code, 0)
  t.deepEqual(
    out.split('\n').map((line) => / (n\d) accuses/.exec(line)?.[1]),
    ['n2', 'n4', 'n5', undefined],
  )
  t.deepEqual(seen.slice(0, 2), [TRACE, `${TRACE}?index=1&wait=60s`])
})

test('gossip watch prints a line for each change where there is no terminal', async (t) => {
  const stop = new AbortController()
  const looks = [
    gossip(),
    gossip(),
    gossip({ Members: [member({ IsSelf: true }), member({ Name: 'n2', Port: 8302, Place: 255, Status: 'suspect', IsWatched: true })] }),
    gossip({ Members: [member({ IsSelf: true })] }),
  ]
  let index = 0
  const { code, out } = await tryCommand(
    ['gossip', 'watch'],
    {
      [GOSSIP]: () => {
        const json = looks.shift()
        if (!json) stop.abort()
        return { json: json ?? gossip(), headers: { 'X-Consul-Index': String(++index) } }
      },
      [TRACE]: () => ({ json: index < 3 ? [] : [entry({ Member: 'n2', By: 'n1', Via: [] })], headers: { 'X-Consul-Index': '1' } }),
    },
    { signal: stop.signal },
  )
  t.is(code, 0)
  const figures = 'says 2/s (90 bytes/s), hears 2.1/s (95 bytes/s); the newest 3 news took 40 ms, at most 90 ms, over up to 4 members'
  t.is(
    out,
    `n1: 2 alive; 1 connections, health score 0; ${figures}
member n1 at 127.0.0.1:8301 is alive (incarnation 7, this agent)
member n2 at 127.0.0.1:8302 is alive (incarnation 7, watched)
n1: 1 alive, 1 suspect; 1 connections, health score 0; ${figures}
member n2 at 127.0.0.1:8302 is suspect (incarnation 7, watched)
2026-11-23T07:00:00Z n1 accuses n2 (incarnation 7): no answer [found out here]
n1: 1 alive; 1 connections, health score 0; ${figures}
member n2 is forgotten
`,
  )
})

test('gossip watch -once shows all of it and ends', async (t) => {
  const answers = { [GOSSIP]: { json: gossip({ Rates: null, Spread: null, Members: [] }) }, [TRACE]: { json: [] } }
  const { code, out } = await tryCommand(['gossip', 'watch', '-once'], answers)
  t.is(code, 0)
  t.is(out, 'n1: no members: it does not gossip; 1 connections, health score 0; rates are known soon; no news came yet\n')
  t.regex((await tryCommand(['gossip', 'watch'], {})).err, /^Error reading gossip: Unexpected response code: 404/)
})

test('gossip watch fills a terminal until q, which then is as it was', async (t) => {
  const pressed: ((key: string) => void)[] = []
  const terminal = {
    size: () => ({ columns: 60, rows: 12 }),
    keys(press: (key: string) => void) {
      pressed.push(press)
      return () => void pressed.pop()
    },
  }
  const { code, out } = await tryCommand(
    ['gossip', 'watch'],
    {
      [GOSSIP]: { json: gossip(), headers: { 'X-Consul-Index': '1' } },
      [TRACE]() {
        pressed[0]?.('q')
        return { json: [entry({ Member: 'n\u001b[2J' })], headers: { 'X-Consul-Index': '1' } }
      },
    },
    { terminal },
  )
  t.is(code, 0)
  t.true(out.startsWith('\u001b[?1049h\u001b[?25l'))
  t.true(out.endsWith('\u001b[?25h\u001b[?1049l'))
  t.deepEqual(pressed, [])
})
