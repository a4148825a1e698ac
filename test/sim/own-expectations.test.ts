import test, { type ExecutionContext } from 'ava'
import { type Expectation, readExpectation } from '../../sim/own/expectations.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { loaded, ONE, THREE } from './own-kit.ts'

const END_MS = 60_000

function read(t: ExecutionContext, text: string, files = THREE): Expectation | string {
  const expectation = readExpectation(text, { ...loaded(t, files).estate, endMs: END_MS })
  return isRefused(expectation) ? expectation.why : expectation
}

const ALWAYS = { fromMs: undefined, toMs: END_MS }
const READ: [text: string, expectation: object][] = [
  ['web reaches db', { form: 'reaches', source: 'web', node: '', destination: 'db', withinMs: 5_000, window: ALWAYS }],
  ['web on n1 reaches db within 10s', { form: 'reaches', source: 'web', node: 'n1', destination: 'db', withinMs: 10_000, window: ALWAYS }],
  [
    'web reaches db from 20s to 1m',
    { form: 'reaches', source: 'web', node: '', destination: 'db', withinMs: 5_000, window: { fromMs: 20_000, toMs: 60_000 } },
  ],
  [
    '  web reaches  db from 20s within 500ms to 40s ',
    { form: 'reaches', source: 'web', node: '', destination: 'db', withinMs: 500, window: { fromMs: 20_000, toMs: 40_000 } },
  ],
  [
    'web never reaches db from 21s',
    { form: 'never reaches', source: 'web', node: '', destination: 'db', window: { fromMs: 21_000, toMs: END_MS } },
  ],
  [
    'db is passing on n1 from 30s',
    { form: 'health', service: 'db', node: '', status: 'passing', asked: 'n1', withinMs: 5_000, window: { fromMs: 30_000, toMs: END_MS } },
  ],
  [
    'db on n2 is critical on n1 within 3s',
    { form: 'health', service: 'db', node: 'n2', status: 'critical', asked: 'n1', withinMs: 3_000, window: ALWAYS },
  ],
  ['p99 of propagation under 2s', { form: 'propagation', measure: 'p99', topic: '', underMs: 2_000 }],
  ['max of intentions propagation under 1m30s', { form: 'propagation', measure: 'max', topic: 'intentions', underMs: 90_000 }],
  ['n2 is back within 20s', { form: 'back', node: 'n2', withinMs: 20_000 }],
  ['comes to rest within 30s', { form: 'rest', withinMs: 30_000 }],
]

for (const [text, expectation] of READ) {
  test(`is understood: ${text}`, (t) => {
    t.deepEqual(read(t, text), { text, ...expectation } as Expectation)
  })
}

const MISREAD: [text: string, why: RegExp][] = [
  ['web reachs db', /^"reachs" is not understood\. The forms are:\n {2}SERVICE \[on AGENT\] reaches SERVICE/],
  ['', /^it ends too early\. The forms are:/],
  ['web', /^it ends too early\. The forms are:/],
  ['web reaches', /^there is no service ""; there are web, db$/],
  ['web reaches cache', /^there is no service "cache"; there are web, db$/],
  ['api reaches db', /^there is no service "api"; there are web, db$/],
  ['db reaches web', /^db has no upstream "web": it has none that is simulated$/],
  ['web reaches web', /^web has no upstream "web": its upstreams are db$/],
  ['web on n9 reaches db', /^there is no agent "n9"; there are n1, n2, n3$/],
  ['web on n2 reaches db', /^web does not run on n2, but on n1$/],
  ['web on n2 never reaches db', /^web does not run on n2, but on n1$/],
  ['web reaches db within', /^within: the time is missing\./],
  ['web reaches db within ten', /^within: "ten" is not a time\./],
  ['web reaches db within -1s', /^within: "-1s" is not a time\./],
  ['web reaches db from 40s to 20s', /^from 40s is not before to 20s$/],
  ['web reaches db from 20s to 20s', /^from 20s is not before to 20s$/],
  ['web reaches db from 61s', /^from 61s is beyond the end of the run, 60s$/],
  ['web reaches db to 2m', /^to 120s is beyond the end of the run, 60s$/],
  ['web reaches db from 1s from 2s', /^from is there twice$/],
  ['web reaches db always', /^"always" is too much\./],
  ['web never reaches db within 1s', /^"within" is too much\./],
  ['web never db', /^"reaches" is missing before "db"\./],
  ['db is healthy', /^nothing can be "healthy"\./],
  ['cache is passing', /^there is no service "cache"/],
  ['db on n1 is passing', /^db does not run on n1, but on n2, n3$/],
  ['n9 is back within 1s', /^there is no agent "n9"; there are n1, n2, n3$/],
  ['n2 is back', /^"within" is missing at the end\./],
  ['db on n2 is back within 1s', /^agents come back, and are not on other agents: say "db is back within 20s"$/],
  ['p98 of propagation under 2s', /^"of" is not understood\./],
  ['p99 of gossip propagation under 2s', /^"propagation" is missing before "gossip"\./],
  ['p99 of propagation under', /^under: the time is missing\./],
  ['comes home', /^"to" is missing before "home"\./],
]

for (const [text, why] of MISREAD) {
  test(`is refused with a reason: ${text === '' ? 'nothing' : text}`, (t) => {
    const refused = read(t, text)
    t.regex(typeof refused === 'string' ? refused : 'understood', why)
  })
}

test('with a single agent nothing propagates', (t) => {
  t.is(read(t, 'p99 of propagation under 2s', ONE), 'with a single agent nothing propagates')
})
