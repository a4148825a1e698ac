import test from 'ava'
import fc from 'fast-check'
import { queryForm } from '../../net/dns/question.ts'
import { dnsSettings } from '../../net/dns/settings.ts'
import { typeNumber } from './fixture.ts'

const settings = dnsSettings({ domain: 'Consul', altDomain: 'mesh.local' })
const A = typeNumber('A')
const SRV = typeNumber('SRV')

const forms: [name: string, type: number, form: object][] = [
  ['n1.node.consul.', A, { form: 'node', node: 'n1', datacenter: '' }],
  ['N1.Rack.2.node.DC1.Consul.', A, { form: 'node', node: 'n1.rack.2', datacenter: 'dc1' }],
  ['web.service.consul.', A, { form: 'service', service: 'web', tag: '', datacenter: '' }],
  ['v1.web.service.dc2.consul.', A, { form: 'service', service: 'web', tag: 'v1', datacenter: 'dc2' }],
  ['v1.2.web.service.consul.', A, { form: 'service', service: 'web', tag: 'v1.2', datacenter: '' }],
  ['_web._tcp.service.consul.', A, { form: 'service', service: 'web', tag: '', datacenter: '' }],
  ['_web._udp.service.consul.', SRV, { form: 'service', service: 'web', tag: 'udp', datacenter: '' }],
  ['_web._v1.service.consul.', SRV, { form: 'service', service: 'web', tag: 'v1', datacenter: '' }],
  ['_web._tcp.consul.', SRV, { form: 'service', service: 'web', tag: '', datacenter: '' }],
  ['_web._tcp.dc1.consul.', SRV, { form: 'service', service: 'web', tag: '', datacenter: 'dc1' }],
  ['_web._tcp.consul.', A, { form: 'unknown' }],
  ['_x.web.service.consul.', SRV, { form: 'service', service: 'web', tag: '_x', datacenter: '' }],
  ['web.connect.consul.', A, { form: 'connect', service: 'web', datacenter: '' }],
  ['x.y.web.connect.consul.', A, { form: 'connect', service: 'web', datacenter: '' }],
  ['0a00000a.addr.dc1.consul.', A, { form: 'address', hex: '0a00000a' }],
  ['x.0a00000a.addr.consul.', A, { form: 'unknown' }],
  ['service.service.consul.', A, { form: 'service', service: 'service', tag: '', datacenter: '' }],
  ['web.service.mesh.local.', A, { form: 'service', service: 'web', tag: '', datacenter: '' }],
  ['web.service.a.b.consul.', A, { form: 'unknown' }],
  ['service.consul.', A, { form: 'unknown' }],
  ['node.consul.', A, { form: 'unknown' }],
  ['web.ingress.consul.', A, { form: 'unknown' }],
  ['q.query.consul.', A, { form: 'query', query: 'q', datacenter: '' }],
  ['My.Q.query.DC1.consul.', SRV, { form: 'query', query: 'my.q', datacenter: 'dc1' }],
  ['_q._tcp.query.consul.', SRV, { form: 'query', query: '_q._tcp', datacenter: '' }],
  ['q.query.mesh.local.', A, { form: 'query', query: 'q', datacenter: '' }],
  ['query.consul.', A, { form: 'unknown' }],
  ['web.virtual.consul.', A, { form: 'unknown' }],
  ['x.consul.', A, { form: 'unknown' }],
  ['consul.', A, { form: 'unknown' }],
  ['example.com.', A, { form: 'foreign' }],
  ['notconsul.', A, { form: 'foreign' }],
  ['.', A, { form: 'foreign' }],
  ['10.0.0.10.IN-ADDR.arpa.', typeNumber('PTR'), { form: 'reverse', address: '10.0.0.10' }],
  ['1.0.0.in-addr.arpa.', typeNumber('PTR'), { form: 'reverse' }],
  ['x.0.0.1.in-addr.arpa.', typeNumber('PTR'), { form: 'reverse' }],
  [`${'6.0.'.repeat(1)}${'0.'.repeat(22)}8.b.d.0.1.0.0.2.ip6.arpa.`, typeNumber('PTR'), { form: 'reverse', address: '2001:db8::6' }],
]

test('each form of name is understood', (t) => {
  for (const [name, type, form] of forms) t.deepEqual(queryForm(name, type, settings), form as ReturnType<typeof queryForm>, name)
})

test('any name has a form', (t) => {
  const label = fc.oneof(
    fc.constantFrom('service', 'node', 'connect', 'addr', 'query', '_tcp', '_web', 'dc1', '\\.', '\\000', ''),
    fc.string(),
  )
  const zone = fc.constantFrom('consul.', 'mesh.local.', 'arpa.', 'in-addr.arpa.', 'ip6.arpa.', '')
  fc.assert(
    fc.property(fc.array(label, { maxLength: 40 }), zone, fc.constantFrom(A, SRV, 255), (labels, end, type) => {
      queryForm([...labels, end].join('.'), type, settings)
    }),
  )
  t.pass()
})
