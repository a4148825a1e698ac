import test from 'ava'
import { caConfigTable } from '../../actors/ca/tables.ts'
import { configEntryOf } from '../../src/config/entries/index.ts'
import type { View } from '../../src/kernel/tables.ts'
import { granted } from '../kit/asking.ts'
import { read, requested, settings } from '../kit/http.ts'
import { emptyTables } from '../kit/tables.ts'

const CLUSTER = '0846e11b-0000-4000-8000-000000000001'

/** Tables with these entries, and an authority for the cluster. */
function withEntries(...entries: object[]): View {
  const tables = emptyTables()
  for (const entry of entries) tables.apply([{ kind: 'config.set', atMs: 0, request: granted(configEntryOf(entry)) }])
  const view = tables.view()
  return {
    get: (table, key) => (table.id === caConfigTable.id ? ({ clusterId: CLUSTER } as never) : view.get(table, key)),
    range: (table, options) => view.range(table, options),
  }
}

const PLAIN = `{"Chain":{"ServiceName":"web","Namespace":"default","Datacenter":"dc1","Protocol":"tcp","StartNode":"resolver:web.default.dc1","Nodes":{"resolver:web.default.dc1":{"Type":"resolver","Name":"web.default.dc1","Resolver":{"ConnectTimeout":"5s","Default":true,"Target":"web.default.dc1"}}},"Targets":{"web.default.dc1":{"ConnectTimeout":"5s","ID":"web.default.dc1","Service":"web","Namespace":"default","Datacenter":"dc1","MeshGateway":{},"Subset":{},"SNI":"web.default.dc1.internal.${CLUSTER}.consul","Name":"web.default.dc1.internal.${CLUSTER}.consul"}}}}`

test('a service without entries, even one that there is not, has a chain of one resolver', (t) => {
  const { index, json } = read(withEntries(), '/v1/discovery-chain/web')
  t.is(JSON.stringify(json), PLAIN)
  t.is(index, 0)
})

test('the protocol is that of service-defaults, else of proxy-defaults; an external name is the SNI', (t) => {
  const view = withEntries(
    { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } },
    { Kind: 'service-defaults', Name: 'web', Protocol: 'grpc', ExternalSNI: 'web.example' },
  )
  t.like(read(view, '/v1/discovery-chain/db'), { index: 2, json: { Chain: { Protocol: 'http' } } })
  const { Chain } = read(view, '/v1/discovery-chain/web').json as { Chain: { Protocol: string; Targets: Record<string, object> } }
  t.is(Chain.Protocol, 'grpc')
  const name = `web.default.dc1.internal.${CLUSTER}.consul`
  t.like(Chain.Targets['web.default.dc1'], { External: true, SNI: 'web.example', Name: name })
})

test('a chain is compiled for the datacenter that is asked for', (t) => {
  t.like(read(withEntries(), '/v1/discovery-chain/web?compile-dc=dc2').json, {
    Chain: { Datacenter: 'dc2', StartNode: 'resolver:web.default.dc2', Targets: { 'web.default.dc2': { Datacenter: 'dc2' } } },
  })
})

test('there is no chain without a name or without a certificate authority', (t) => {
  t.deepEqual(read(withEntries(), '/v1/discovery-chain/'), { status: 400, text: 'Bad request: Missing chain name' })
  t.deepEqual(read(emptyTables().view(), '/v1/discovery-chain/web'), { status: 500, text: 'no cluster ca config setup' })
})

test('overrides change a chain and its name, those that change nothing do not', async (t) => {
  const view = withEntries({ Kind: 'service-defaults', Name: 'web', Protocol: 'http' })
  const other = (await post(view, { OverrideConnectTimeout: '7s', override_protocol: 'TCP', OverrideMeshGateway: { Mode: 'remote' } })).json
  t.like(other, {
    Chain: {
      Protocol: 'tcp',
      Nodes: { 'resolver:web.default.dc1': { Resolver: { ConnectTimeout: '7s' } } },
      Targets: { 'web.default.dc1': { ConnectTimeout: '7s', MeshGateway: {} } },
    },
  })
  t.regex((other as { Chain: { CustomizationHash: string } }).Chain.CustomizationHash, /^[0-9a-f]{8}$/)
  const plain = read(view, '/v1/discovery-chain/web').json
  for (const body of [{}, '', null, { OverrideProtocol: 'http', OverrideConnectTimeout: 5e9, Unknown: 1 }]) {
    t.deepEqual((await post(view, body)).json, plain)
  }
  t.like((await post(view, {})).headers, { 'X-Consul-Index': '1', 'X-Consul-Effective-Consistency': 'leader' })
})

test('overrides that cannot be read are refused', async (t) => {
  const decoding = 'Bad request: Request decoding failed: '
  const bodies: [body: unknown, text: string][] = [
    ['{', `${decoding}unexpected EOF`],
    [[], `${decoding}'' expected a map, got "object"`],
    [{ OverrideProtocol: 1 }, `${decoding}'OverrideProtocol' expected type 'string'`],
    [{ OverrideConnectTimeout: 'x' }, `${decoding}error decoding 'OverrideConnectTimeout': time: invalid duration "x"`],
    [{ OverrideMeshGateway: 1 }, `${decoding}'OverrideMeshGateway' expected a map`],
    [{ OverrideMeshGateway: { mode: 'x' } }, 'Invalid OverrideMeshGateway.Mode parameter'],
  ]
  for (const [body, text] of bodies) t.deepEqual(await post(withEntries(), body), { status: 400, text })
})

/** POST /v1/discovery-chain/web */
async function post(view: View, body: unknown): Promise<{ json?: unknown; headers?: object; status?: number; text?: string }> {
  const { route, request } = requested('POST', '/v1/discovery-chain/web', body)
  if (!('run' in route)) throw new Error('it runs')
  const ports = { tables: { view: () => view }, clock: { monotonicMs: () => 0 }, random: () => ({ next: () => 0 }) }
  return route.run(request, { settings, host: { ports, thread: 0 }, onGone: () => undefined } as never) as Promise<object>
}
