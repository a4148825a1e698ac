import test from 'ava'
import fc from 'fast-check'
import { connectInstances, serviceInstances } from '../../actors/catalog/queries.ts'
import type { RefusedRow } from '../../actors/decisions/protocol.ts'
import type { UpstreamDefinition } from '../../actors/definitions.ts'
import type { Rule } from '../../actors/intentions/decide.ts'
import { explain } from '../../actors/intentions/explain.ts'
import type { HealthStatus } from '../../src/kernel/ports.ts'
import type { Side, SidecarFact, StepName, WhyFacts } from '../../src/why/facts.ts'
import { nearNames } from '../../src/why/near-names.ts'
import { whyOf } from '../../src/why/steps.ts'
import { upstream } from '../connect/machine.ts'
import { check, instance, proxyTo, registration } from '../kit/catalog.ts'
import { emptyTables } from '../kit/tables.ts'

const NOW_MS = 1_000_000_000
const HOUR_MS = 3_600_000
const SIDECAR = '10.0.0.1:20000'
const APPLICATION = '127.0.0.1:5432'

type Registered = {
  /** False: it is not registered. */
  isThere?: boolean
  name?: string
  status?: HealthStatus
  hasSidecar?: boolean
  native?: boolean
  upstreams?: UpstreamDefinition[]
  sidecars?: SidecarFact[]
}

const REGISTERED: Record<string, { port: number; upstreams: UpstreamDefinition[] }> = {
  web: { port: 20_001, upstreams: [upstream('db', 9_191)] },
  db: { port: 20_000, upstreams: [] },
}

function side(service: 'web' | 'db', given: Registered): Side {
  const { isThere = true, name = service, status = 'passing', hasSidecar = true, native = false } = given
  const { port, upstreams } = { ...REGISTERED[service]!, ...(given.upstreams && { upstreams: given.upstreams }) }
  const tables = emptyTables()
  const register = (request: ReturnType<typeof registration>) => tables.apply([{ kind: 'catalog.register', atMs: 0, request }])
  const checks = [check({ checkId: 'alive', name: 'is alive', serviceId: name, status, output: 'HTTP GET /: 500\nbad day' })]
  if (isThere) register(registration({ service: instance({ name, port: 5_432, native }), checks }))
  if (isThere && hasSidecar && !native) {
    const { kind, proxy } = proxyTo(name)
    const own = { ...proxy, destinationServiceId: name, localServicePort: 5_432, upstreams }
    const aliasing = check({ checkId: 'alias', name: 'alias', serviceId: `${name}-proxy`, status })
    register(registration({ service: instance({ name: `${name}-proxy`, kind, proxy: own, port }), checks: [aliasing] }))
  }
  const view = tables.view()
  return {
    instances: serviceInstances(view, service).instances,
    members: connectInstances(view, service).instances,
    sidecars: given.sidecars ?? [sidecar(service)],
  }
}

function sidecar(serviceId: string, inForce: Partial<SidecarFact['inForce']> = {}, here: Partial<SidecarFact['here']> = {}): SidecarFact {
  const own = { service: 'db', address: '127.0.0.1', port: 9_191, phase: 'listening' as const, why: '' }
  return {
    node: 'n1',
    serviceId,
    inForce: { bundle: ['r1'], leafSerial: '0a', leafKeyId: 'k1', leafValidUntilMs: NOW_MS + HOUR_MS, leafWhy: '', ...inForce },
    here: { phase: 'listening', why: '', upstreams: serviceId === 'web' ? [own] : [], ...here },
  }
}

type Given = Partial<Omit<WhyFacts, 'from' | 'to'>> & { web?: Registered; db?: Registered; rules?: Rule[] }

function factsOf({ web = {}, db = {}, rules = [], ...given }: Given = {}): WhyFacts {
  return {
    nowMs: NOW_MS,
    node: 'n1',
    source: 'web',
    destination: 'db',
    services: ['consul', 'web', 'db', 'cache'],
    from: side('web', web),
    to: side('db', db),
    dns: { enabled: true, domain: 'consul' },
    roots: [{ id: 'r1', signingKeyId: 'k1', active: true, notAfterMs: NOW_MS + HOUR_MS, isCrossSigned: false }],
    explanation: explain(rules, 'web', 'db', true),
    dialled: new Map([
      [SIDECAR, ''],
      [APPLICATION, ''],
    ]),
    refusals: [],
    ...given,
  }
}

const row = (given: Partial<RefusedRow>): RefusedRow => ({
  side: 'inbound',
  source: 'web',
  destination: 'db',
  kind: 'unreachable',
  cause: 'none of 1 instances could be reached, last: dial tcp 10.0.0.1:20000: the certificate has expired',
  count: 3,
  firstMs: NOW_MS - 50_000,
  lastMs: NOW_MS - 2_000,
  newest: [],
  index: 2,
  ...given,
})
const rule = (source: string, action: 'allow' | 'deny'): Rule => ({ id: '', source, destination: 'db', action })
const refusedDial = 'dial tcp: connect: connection refused'
const ROOT = { id: 'r2', signingKeyId: 'k2', active: true, notAfterMs: NOW_MS + HOUR_MS, isCrossSigned: false }
const OLD_ROOT = { ...ROOT, id: 'r1', signingKeyId: 'k1', active: false }

test('where all is well, every link is seen to be', (t) => {
  const { works, broken, steps } = whyOf(factsOf())
  t.true(works)
  t.is(broken, undefined)
  t.deepEqual(
    steps.map(({ name, state }) => `${name} ${state}`),
    ['catalog', 'health', 'dns', 'upstream', 'leaf', 'sidecar', 'roots', 'intention', 'application', 'decisions'].map(
      (name) => `${name} ok`,
    ),
  )
})

const BREAKS: [what: string, given: Given, broken: StepName, seen: RegExp, advice: RegExp][] = [
  [
    'a name is spelled wrong',
    { source: 'wbe', web: { isThere: false } },
    'catalog',
    /no service is called "wbe"; there is "web"/,
    /check the spelling/,
  ],
  [
    'a service is not registered',
    { db: { isThere: false }, services: ['web'] },
    'catalog',
    /no service is called "db"$/,
    /services register/,
  ],
  ['letter case is wrong', { db: { name: 'DB' } }, 'catalog', /no service is called "db", but one is called "DB"/, /use "DB"/],
  [
    'a check is critical',
    { db: { status: 'critical' } },
    'health',
    /check "is alive"|check "alias" of "db-proxy" on n1 is critical/,
    /watch -type=checks -service=db/,
  ],
  [
    'the source has no sidecar',
    { web: { hasSidecar: false, sidecars: [] } },
    'upstream',
    /"web" has no sidecar and is not native/,
    /connect \{ proxy/,
  ],
  [
    'the sidecar of the source is starting',
    { web: { hasSidecar: false, sidecars: [sidecar('web', {}, { phase: 'waiting', why: 'waits for its certificate' })] } },
    'upstream',
    /the sidecar of "web" is not ready: waits for its certificate/,
    /wait a moment/,
  ],
  [
    'the upstream is missing',
    { web: { upstreams: [upstream('cache', 9_191)] } },
    'upstream',
    /has "db" as an upstream/,
    /destination_name = "db"/,
  ],
  [
    'the port of the upstream is taken',
    {
      web: {
        sidecars: [
          sidecar(
            'web',
            {},
            {
              upstreams: [
                {
                  service: 'db',
                  address: '127.0.0.1',
                  port: 9_191,
                  phase: 'failed',
                  why: 'listen tcp 127.0.0.1:9191: bind: address already in use',
                },
              ],
            },
          ),
        ],
      },
    },
    'upstream',
    /127\.0\.0\.1:9191 of "web-proxy" on n1 does not listen: .*already in use/,
    /free the port/,
  ],
  [
    'the source has no certificate',
    { web: { sidecars: [sidecar('web', { leafSerial: '', leafWhy: 'no authority' })] } },
    'leaf',
    /"web" on n1 has no certificate: no authority/,
    /ca status/,
  ],
  [
    'the certificate of the destination ended',
    { db: { sidecars: [sidecar('db', { leafValidUntilMs: NOW_MS - 5_000 })] } },
    'leaf',
    /"db" on n1 ended 5 s ago/,
    /ca status/,
  ],
  [
    'the destination has no sidecar',
    { db: { hasSidecar: false, sidecars: [] } },
    'sidecar',
    /"db" has no sidecar/,
    /connect \{ proxy \{\} \}/,
  ],
  [
    'the sidecar of the destination is starting',
    { db: { hasSidecar: false, sidecars: [sidecar('db', {}, { phase: 'failed', why: 'no port is left' })] } },
    'sidecar',
    /the sidecar of "db" is not ready: no port is left/,
    /wait a moment/,
  ],
  [
    'the sidecar of the destination does not listen',
    {
      dialled: new Map([
        [SIDECAR, refusedDial],
        [APPLICATION, ''],
      ]),
      db: { sidecars: [sidecar('db', {}, { why: 'a reason' })] },
    },
    'sidecar',
    /nobody takes connections for "db": "db-proxy" on n1 does not: .*refused, it says: a reason/,
    /start the sidecar/,
  ],
  ['there is no authority', { roots: undefined }, 'roots', /there is no certificate authority/, /connect \{ enabled = true \}/],
  [
    'the root ended',
    { roots: [{ ...ROOT, id: 'r1', signingKeyId: 'k1', notAfterMs: NOW_MS - 1 }] },
    'roots',
    /the root that signs ended/,
    /rotate the root/,
  ],
  [
    'one side does not know of the root that signed for the other',
    { roots: [OLD_ROOT, ROOT], web: { sidecars: [sidecar('web', { leafKeyId: 'k2', bundle: ['r1', 'r2'] })] } },
    'roots',
    /"db" on n1 does not trust the root that signed for "web" on n1 yet/,
    /ca status/,
  ],
  [
    'a root is not trusted any more',
    { db: { sidecars: [sidecar('db', { leafKeyId: 'old' })] } },
    'roots',
    /"db" on n1 has a certificate of a root that is not trusted/,
    /ca status/,
  ],
  [
    'an intention denies',
    { rules: [rule('web', 'deny')] },
    'intention',
    /^default\/web => default\/db .*DENY\) decides$/,
    /create -replace -allow web db/,
  ],
  [
    'a wildcard denies',
    { rules: [rule('*', 'deny'), rule('Web', 'allow')] },
    'intention',
    /there is one for "Web", but letter case counts/,
    /create -allow web db/,
  ],
  [
    'nothing matches where all is denied',
    { explanation: explain([], 'web', 'db', false) },
    'intention',
    /no intention matches: Default behavior/,
    /create -allow/,
  ],
  [
    'an intention is about requests',
    { rules: [{ ...rule('web', 'deny'), permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/' } }] }] },
    'intention',
    /which is about requests/,
    /-replace/,
  ],
  [
    'the application does not listen',
    {
      dialled: new Map([
        [SIDECAR, ''],
        [APPLICATION, refusedDial],
      ]),
    },
    'application',
    /does not take connections: 127\.0\.0\.1:5432 behind "db-proxy" on n1/,
    /start "db"/,
  ],
  [
    'something else refused just now',
    { refusals: [row({})] },
    'decisions',
    /^refused 3 times, last 2 s ago: none of 1 instances/,
    /which instances/,
  ],
]

for (const [what, given, name, seen, advice] of BREAKS) {
  test(`the first broken link is named, with what to do: ${what}`, (t) => {
    const { works, broken } = whyOf(factsOf(given))
    t.false(works)
    t.is(broken?.name, name)
    t.regex(broken?.seen ?? '', seen)
    t.regex(broken?.advice ?? '', advice)
  })
}

const stateOf = (name: StepName, given: Given) => {
  const step = whyOf(factsOf(given)).steps.find((one) => one.name === name)
  return `${step?.state}: ${step?.seen}`
}

test('what only another node can see is unknown, and breaks nothing', (t) => {
  const given: Given = { node: 'n2', dialled: new Map([[SIDECAR, '']]), web: { sidecars: [] }, db: { sidecars: [] } }
  t.true(whyOf(factsOf(given)).works)
  t.regex(stateOf('upstream', given), /^unknown: the application dials 127\.0\.0\.1:9191/)
  t.regex(stateOf('leaf', given), /^unknown: the certificates of "web" and "db" are not to be seen/)
  t.regex(stateOf('roots', given), /^unknown: one root is trusted/)
  t.regex(stateOf('application', given), /^unknown: /)
  t.regex(stateOf('dns', { dns: { enabled: false, domain: 'consul' } }), /^unknown: this agent does not answer DNS/)
  t.regex(stateOf('dns', { destination: 'd b' }), /^unknown: "d b" cannot be asked for by DNS/)
  t.regex(stateOf('sidecar', { dialled: new Map() }), /^unknown: one instance could not be tried/)
})

test('native services have no sidecar in between', (t) => {
  const given: Given = {
    web: { native: true, sidecars: [] },
    db: { native: true, sidecars: [] },
    dialled: new Map([['10.0.0.1:5432', '']]),
  }
  t.true(whyOf(factsOf(given)).works)
  t.regex(stateOf('upstream', given), /^ok: "web" is native/)
  t.regex(stateOf('application', given), /^ok: "db" is native/)
})

test('a certificate that was cross-signed leads to an older root', (t) => {
  const given: Given = {
    roots: [OLD_ROOT, { ...ROOT, isCrossSigned: true }],
    web: { sidecars: [sidecar('web', { leafKeyId: 'k2', bundle: ['r1', 'r2'] })] },
  }
  t.regex(stateOf('roots', given), /^ok: 2 roots are trusted/)
})

test('a refusal that would not happen again, one that is old and one of nobody in particular break nothing', (t) => {
  t.regex(stateOf('decisions', { refusals: [row({ kind: 'intention', cause: 'a rule' })] }), /^ok: refused 3 times, last 2 s ago: a rule/)
  t.regex(stateOf('decisions', { refusals: [row({ kind: 'application' })] }), /^ok: /)
  t.regex(stateOf('decisions', { refusals: [row({ lastMs: NOW_MS - 2 * HOUR_MS, count: 1 })] }), /^ok: refused once 2 h ago/)
  const nameless = row({ source: '', kind: 'handshake', cause: 'not a TLS handshake' })
  t.regex(stateOf('decisions', { refusals: [nameless] }), /^unknown: somebody was refused by "db" before it showed who it is/)
})

test('names that somebody may have meant are near ones', (t) => {
  t.deepEqual(nearNames('wbe', ['web', 'wb', 'api', 'WBE']), ['WBE', 'wb', 'web'])
  t.deepEqual(nearNames('payments', ['payment', 'paymnets', 'shipments', 'p']), ['payment', 'paymnets'])
  const name = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(name, name, fc.nat(8), (one, other, at) => {
      t.deepEqual(nearNames(one, [one]), [one])
      t.is(nearNames(one, [`${one.slice(0, at)}x${one.slice(at)}`]).length, 1, 'one character more')
      if (one.length > other.length + 2) t.deepEqual(nearNames(other, [one]), [])
    }),
  )
})

test('what applications tell of themselves counts as what agents tell of sidecars', (t) => {
  const { here: _here, ...told } = sidecar('db')
  const native = (inForce: Partial<SidecarFact['inForce']> = {}) => ({
    sidecars: [{ ...told, native: true as const, inForce: { ...told.inForce, ...inForce } }],
  })
  t.regex(stateOf('leaf', { db: native() }), /^ok: .*"db" on n1 has 0a, valid for/)
  t.regex(
    stateOf('leaf', { db: native({ leafValidUntilMs: NOW_MS - HOUR_MS }) }),
    /^broken: the certificate of the application of "db" on n1 ended 60 min ago/,
  )
})
