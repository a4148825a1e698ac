import test from 'ava'
import fc from 'fast-check'
import { lastIndex } from '../../actors/command.ts'
import { goTime } from '../../src/http/go-time.ts'
import { CA_SETTINGS, fakeRoot, foundCa, rotateCa } from '../kit/ca.ts'
import { asked, read, requested, run, settings } from '../kit/http.ts'
import { report, tell, withSidecar } from '../kit/reports.ts'
import { emptyTables } from '../kit/tables.ts'

const CLUSTER = '0846e11b-0000-4000-8000-000000000001'
const LEAF = {
  service: 'web',
  certPem: 'C',
  keyPem: 'K',
  serial: '08',
  uri: `spiffe://${CLUSTER}.consul/ns/default/dc/dc1/svc/web`,
  signingKeyId: 'k',
  validAfterMs: Date.UTC(2026, 10, 23, 6, 39, 40),
  validBeforeMs: Date.UTC(2026, 10, 26, 6, 39, 40),
  index: 8,
}

function founded() {
  const tables = emptyTables()
  const root = { ...fakeRoot('13:8e'), commonName: 'pri', signingKeyId: 'f2:b5', notAfterMs: 1_500, certPem: 'ROOT\n' }
  foundCa(tables, root, { ...CA_SETTINGS, shown: { IntermediateCertTTL: '8760h', LeafCertTTL: '72h' } })
  return tables
}

test('roots are shown byte for byte as Consul shows them', (t) => {
  const { json, index } = read(founded().view(), '/v1/connect/ca/roots')
  t.is(index, 1)
  const [root] = (json as { Roots: { SerialNumber: bigint }[] }).Roots
  t.is(root?.SerialNumber, 7n)
  t.is(
    JSON.stringify(json, (_key, value) => (typeof value === 'bigint' ? Number(value) : value)),
    `{"ActiveRootID":"13:8e","TrustDomain":"${CLUSTER}.consul","Roots":[{"ID":"13:8e","Name":"Consul CA Primary Cert","SerialNumber":7,"SigningKeyID":"f2:b5","ExternalTrustDomain":"${CLUSTER}","NotBefore":"1970-01-01T00:00:00Z","NotAfter":"1970-01-01T00:00:01.5Z","RootCert":"ROOT\\n","IntermediateCerts":null,"Active":true,"PrivateKeyType":"ec","PrivateKeyBits":256,"CreateIndex":1,"ModifyIndex":1}]}`,
  )
  t.like(read(founded().view(), '/v1/agent/connect/ca/roots'), { index: 1, headers: { 'X-Cache': 'HIT' } })
})

test('roots come as PEM too', (t) => {
  const view = founded().view()
  t.like(read(view, '/v1/connect/ca/roots?pem=true'), { text: 'ROOT\n', type: 'application/pem-certificate-chain' })
  t.true('json' in read(view, '/v1/connect/ca/roots?pem=false'))
  t.deepEqual(read(view, '/v1/connect/ca/roots?pem=yes'), {
    status: 400,
    text: `Bad request: The 'pem' query parameter must be a boolean value`,
  })
})

test('without an authority every question is answered with the reason', (t) => {
  const view = emptyTables().view()
  for (const path of ['/v1/connect/ca/roots', '/v1/agent/connect/ca/roots', '/v1/connect/ca/configuration']) {
    t.deepEqual(read(view, path), { status: 500, text: 'Connect must be enabled in order to use this endpoint' })
  }
})

test('no answer has the private key of the root', (t) => {
  const tables = founded()
  for (const path of ['/v1/connect/ca/roots', '/v1/connect/ca/roots?pem=1', '/v1/agent/connect/ca/roots', '/v1/connect/ca/configuration']) {
    const shown = read(tables.view(), path)
    t.false(
      (JSON.stringify(shown.json, (_key, value) => (typeof value === 'bigint' ? String(value) : value)) ?? shown.text).includes('SECRET'),
    )
  }
})

test('the configuration is shown as it was written', (t) => {
  t.deepEqual(read(founded().view(), '/v1/connect/ca/configuration').json, {
    Provider: 'consul',
    Config: { IntermediateCertTTL: '8760h', LeafCertTTL: '72h' },
    State: null,
    ForceWithoutCrossSigning: false,
    CreateIndex: 1,
    ModifyIndex: 1,
  })
})

test('a configuration is judged before anybody is asked', (t) => {
  const put = (body: unknown) => asked('PUT', '/v1/connect/ca/configuration', body)
  t.like(put({ Provider: 'consul', Config: { LeafCertTTL: '2h' }, State: null }), {
    name: 'configure',
    request: { settings: { leafCertTtlMs: 7_200_000 }, rehearse: false },
  })
  t.like(put({ Provider: 'consul', Config: { LeafCertTTL: 7.2e12 } }), { request: { settings: { leafCertTtlMs: 7_200_000 } } })
  t.like(put({ Provider: 'foo', Config: {} }), { status: 500, text: 'could not initialize provider: unknown CA provider "foo"' })
  t.like(put(null), { status: 500, text: 'could not initialize provider: unknown CA provider ""' })
  t.like(put({ Provider: 'consul', Config: { LeafCertTTL: '59m' } }), {
    status: 500,
    text: 'error configuring provider: leaf cert TTL must be greater or equal than 1h0m0s',
  })
  t.like(put({ Provider: 'consul', Config: { LeafCertTTL: 'x' } }), {
    status: 500,
    text: `error configuring provider: error decoding 'LeafCertTTL': time: invalid duration "x"`,
  })
  for (const [value, shown] of [
    ['{"a":1}', '{"a":1}'],
    ['[true]', '[true]'],
    ['1e300', '1e+300'],
  ]) {
    t.like(put(`{"Provider":"consul","Config":{"RotationPeriod":${value}}}`), {
      status: 500,
      text: `error configuring provider: error decoding 'RotationPeriod': time: invalid duration ${shown}`,
    })
  }
  t.like(put({ State: { a: 'b' } }), {
    status: 400,
    text: 'Bad request: Provider State is read-only. It must be omitted or identical to the current value',
  })
  t.like(put('{'), { status: 400 })
})

test('a plan is shown, a change answers nothing', (t) => {
  const { route, request } = requested('PUT', '/v1/connect/ca/configuration?plan', {
    Provider: 'consul',
    Config: { PrivateKeyBits: 384 },
    ForceWithoutCrossSigning: true,
  })
  if (!('ask' in route)) throw new Error('asks the authority')
  t.like(route.ask(request, settings), { name: 'configure', request: { rehearse: true, settings: { forceWithoutCrossSigning: true } } })
  const plan = {
    does: 'rotation',
    refusedWhy: '',
    rootId: 'aa',
    keyType: 'ec',
    keyBits: 384,
    crossSigned: true,
    proxies: 3,
    trusting: 2,
    behind: ['n1/web'],
    silent: 1,
    leaves: 4,
    leavesMs: 30_000,
    retireAtMs: Date.UTC(2026, 10, 26),
  }
  t.deepEqual(route.reply({ plan } as never, request, settings).json, {
    Does: 'rotation',
    Refused: '',
    RootID: 'aa',
    PrivateKeyType: 'ec',
    PrivateKeyBits: 384,
    CrossSigned: true,
    Proxies: 3,
    Trusting: 2,
    Behind: ['n1/web'],
    NotReporting: 1,
    Leaves: 4,
    LeavesWithinMs: 30_000,
    RetireAt: '2026-11-26T00:00:00Z',
  })
  t.deepEqual(route.reply({ plan: undefined } as never, request, settings), {})
})

test('lifetimes, kinds of keys and providers that Consul does not have are refused with its texts', (t) => {
  const put = (Config: object, Provider = 'consul') => asked('PUT', '/v1/connect/ca/configuration', { Provider, Config })
  for (const [config, why] of [
    [{ LeafCertTTL: '8761h', SkipValidate: false }, 'leaf cert TTL must be less than 8760h0m0s'],
    [{ IntermediateCertTTL: '2h' }, 'Intermediate Cert TTL must be greater or equal than 3h'],
    [
      { LeafCertTTL: '72h', IntermediateCertTTL: '100h' },
      'Intermediate Cert TTL must be greater or equal than 3 * LeafCertTTL (>=216h0m0s).',
    ],
    [{ PrivateKeyType: 'dsa' }, "private key type must be either 'ec' or 'rsa'"],
    [{ PrivateKeyBits: 255 }, 'EC key length must be one of (224, 256, 384, 521) bits'],
    [{ PrivateKeyType: 'rsa', PrivateKeyBits: 1024 }, 'RSA key length must be 2048 or 4096 bits'],
    [{ CSRMaxPerSecond: -1 }, "error decoding 'CSRMaxPerSecond': must be a number of at least 0"],
    [{ PrivateKey: 5 }, "error decoding 'PrivateKey': must be a text"],
  ] as const) {
    t.deepEqual(put(config), { status: 500, text: `error configuring provider: ${why}` })
  }
  t.like(put({ LeafCertTTL: '1s', SkipValidate: true }), { request: { settings: { leafCertTtlMs: 1_000 } } })
  t.like(put({ Unknown: 1, PrivateKey: 'K' }), { request: { settings: { shown: { Unknown: 1, PrivateKey: 'hidden' } } } })
  t.like(put({ Token: 'T' }, 'vault'), { request: { provider: 'vault', settings: { csrMaxPerSecond: 50, shown: { Token: 'hidden' } } } })
})

test('GET /v1/tribune/connect/ca/status says how far a change of the root is', (t) => {
  const tables = founded()
  t.like(read(tables.view(), '/v1/tribune/connect/ca/status').json, {
    Provider: 'consul',
    ActiveRootID: '13:8e',
    Roots: [{ State: 'active', Presenting: null, LeavesUntil: null }],
    Rotation: null,
  })
  for (const name of ['db', 'web']) withSidecar(tables, 'n1', name)
  rotateCa(tables, 'aa')
  tell(tables, 'n1', [report({ serviceId: 'db', bundle: ['13:8e', 'aa'], leafKeyId: 'key-of-aa' })])
  tell(tables, 'n1', [report({ serviceId: 'web', bundle: ['13:8e', 'aa'], leafKeyId: 'f2:b5' })])
  const { json, index } = read(tables.view(), '/v1/tribune/connect/ca/status')
  t.is(index, lastIndex(tables.view()))
  t.like(json, {
    ActiveRootID: 'aa',
    Roots: [
      { ID: '13:8e', State: 'retiring', Presenting: 1 },
      { ID: 'aa', State: 'active', Presenting: 1 },
    ],
    Rotation: {
      FromRootID: '13:8e',
      ToRootID: 'aa',
      CanAbort: true,
      Phase: 'active',
      Proxies: 2,
      Done: 1,
      WaitingFor: ['n1/web'],
      Says: '1 of 2 proxies have the new bundle and a leaf of the new root, waiting for n1/web',
    },
  })
  t.deepEqual(read(emptyTables().view(), '/v1/tribune/connect/ca/status').status, 500)
})

test('PUT /v1/tribune/connect/ca/abort answers with the root that signs again', (t) => {
  t.like(asked('PUT', '/v1/tribune/connect/ca/abort'), { name: 'abort', request: { token: '' } })
  const { route, request } = requested('PUT', '/v1/tribune/connect/ca/abort')
  t.deepEqual('reply' in route && route.reply({ rootId: 'aa' } as never, request, settings), { json: { ActiveRootID: 'aa' } })
})

test('a leaf is shown with its key, and says whether it was there already', async (t) => {
  const got = { leaf: LEAF, cached: true, ageMs: 2_900 }
  const reply = await run('GET', '/v1/agent/connect/ca/leaf/web', { get: got })
  t.deepEqual(reply, {
    headers: { 'X-Consul-Index': '8', 'X-Cache': 'HIT', Age: '2' },
    json: {
      SerialNumber: '08',
      CertPEM: 'C',
      PrivateKeyPEM: 'K',
      Service: 'web',
      ServiceURI: LEAF.uri,
      ValidAfter: '2026-11-23T06:39:40Z',
      ValidBefore: '2026-11-26T06:39:40Z',
      CreateIndex: 8,
      ModifyIndex: 8,
    },
  })
  t.like(await run('GET', '/v1/agent/connect/ca/leaf/web', { get: { ...got, cached: false } }), { headers: { 'X-Cache': 'MISS' } })
  t.like(await run('GET', '/v1/agent/connect/ca/leaf/web?index=7', { get: got }), { headers: { 'X-Consul-Index': '8' } })
  t.like(await run('GET', '/v1/agent/connect/ca/leaf/web?index=8&wait=1s', { get: got }), { headers: { 'X-Cache': 'HIT' } })
  t.deepEqual(await run('GET', '/v1/agent/connect/ca/leaf/web?index=x', { get: got }), { status: 400, text: 'Invalid index' })
})

test('who wants to connect must have the identity of a service', (t) => {
  const post = (body: unknown) => asked('POST', '/v1/agent/connect/authorize', body)
  const uri = `spiffe://${CLUSTER}.consul/ns/default/dc/dc1/svc/web`
  t.like(post({ Target: 'db', ClientCertURI: uri, ClientCertSerial: '01' }), { name: 'authorize', request: { target: 'db', uri } })
  t.like(post({ ClientCertURI: uri }), { status: 400, text: 'Bad request: Target service must be specified' })
  t.like(post({ Target: 'db', ClientCertURI: 'https://x' }), {
    status: 400,
    text: 'Bad request: ClientCertURI not a valid Connect identifier',
  })
  t.like(post({ Target: 'db', ClientCertURI: `spiffe://${CLUSTER}.consul` }), {
    status: 400,
    text: 'Bad request: ClientCertURI not a valid Service identifier',
  })
  const { route, request } = requested('POST', '/v1/agent/connect/authorize')
  t.like('reply' in route && route.reply({ allowed: false, reason: 'why' } as never, request, settings), {
    json: { Authorized: false, Reason: 'why' },
  })
})

test('times have no trailing zeros', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4e12 }), (ms) => {
      t.is(Date.parse(goTime(ms)), ms)
      t.notRegex(goTime(ms), /\.\d*0Z$|\.Z$/)
    }),
  )
})
