import test from 'ava'
import { runCommand, tryCommand } from './kit.ts'

const SERVER = {
  Name: 'n1',
  Addr: '127.0.0.1',
  Port: 8301,
  Tags: { role: 'consul', build: '1.10.12:abc', vsn: '2', dc: 'dc1', segment: '' },
  Status: 1,
}
const CLIENT = { Name: 'c1', Addr: '::1', Port: 8301, Tags: { role: 'node', build: '1.10.12:', vsn: '2', dc: 'dc1' }, Status: 4 }
const MEMBERS = { 'GET /v1/agent/members': { json: [SERVER, CLIENT] } }

test('members shows what kind each is and how it is', async (t) => {
  const { out, seen, code } = await tryCommand(['members'], MEMBERS)
  t.is(code, 0)
  t.is(
    out,
    `Node  Address         Status  Type    Build    Protocol  DC   Segment
c1    [::1]:8301      failed  client  1.10.12  2         dc1  <default>
n1    127.0.0.1:8301  alive   server  1.10.12  2         dc1  <all>
`,
  )
  t.deepEqual(seen, ['GET /v1/agent/members?segment=_all'])
})

test('members picks by status, in detail, and over datacenters', async (t) => {
  const detailed = await tryCommand(['members', '-detailed', '-status=ali'], MEMBERS)
  t.is(
    detailed.out,
    `Node  Address         Status  Tags
n1    127.0.0.1:8301  alive   build=1.10.12:abc,dc=dc1,role=consul,segment=,vsn=2
`,
  )
  t.deepEqual((await tryCommand(['members', '-wan'], MEMBERS)).seen, ['GET /v1/agent/members?wan=1'])
  const none = await tryCommand(['members', '-status=left'], MEMBERS)
  t.deepEqual([none.code, none.out, none.err], [2, '', ''])
  t.regex((await tryCommand(['members', '-status=('], MEMBERS)).err, /^Failed to compile status regexp: /)
})

const NODES = [
  { ID: '', Node: 'extn', Address: '10.9.9.9', Datacenter: 'dc1', TaggedAddresses: null, Meta: null },
  {
    ID: '9fbdeee8-2754-2b22-666b-a5b5a5dd1e08',
    Node: 'n1',
    Address: '127.0.0.1',
    Datacenter: 'dc1',
    TaggedAddresses: { wan: '127.0.0.1', lan: '127.0.0.1' },
    Meta: { 'consul-network-segment': '' },
  },
]

test('catalog nodes shows short IDs, or everything', async (t) => {
  const answers = { 'GET /v1/catalog/nodes': { json: NODES } }
  t.is(
    (await tryCommand(['catalog', 'nodes'], answers)).out,
    `Node  ID        Address    DC
extn            10.9.9.9   dc1
n1    9fbdeee8  127.0.0.1  dc1
`,
  )
  t.regex(
    (await tryCommand(['catalog', 'nodes', '-detailed'], answers)).out,
    /dc1 {2}lan=127\.0\.0\.1, wan=127\.0\.0\.1 {2}consul-network-segment=\n$/,
  )
  t.deepEqual(JSON.parse((await tryCommand(['catalog', 'nodes', '-format=json'], answers)).out), NODES)
})

test('catalog nodes passes on what is asked for', async (t) => {
  const args = ['catalog', 'nodes', '-service=web', '-near=_agent', '-node-meta=a=b', '-node-meta=c=d', '-filter=Meta.x == 1']
  const none = await tryCommand([...args, '-datacenter=dc2', '-stale'], { 'GET /v1/catalog/service/web': { json: [] } })
  t.deepEqual(none.seen, ['GET /v1/catalog/service/web?dc=dc2&filter=Meta.x+%3D%3D+1&near=_agent&node-meta=a%3Ab&node-meta=c%3Ad&stale='])
  t.deepEqual([none.code, none.err], [0, 'No nodes match the given query - try expanding your search.\n'])
})

test('catalog services shows names, and tags if asked', async (t) => {
  const answers = { 'GET /v1/catalog/services': { json: { web: ['v1', 'prod'], consul: [] } } }
  t.is((await tryCommand(['catalog', 'services'], answers)).out, 'consul\nweb\n')
  t.is((await tryCommand(['catalog', 'services', '-tags'], answers)).out, 'consul      \nweb         prod,v1\n')
  const none = await tryCommand(['catalog', 'services', '-node=x'], { 'GET /v1/catalog/node/x': { json: null } })
  t.deepEqual([none.code, none.err], [0, 'No services match the given query - try expanding your search.\n'])
  const node = { json: { Services: { a: { Service: 'web', Tags: ['x'] }, b: { Service: 'web', Tags: null } } } }
  t.is((await tryCommand(['catalog', 'services', '-node=n1'], { 'GET /v1/catalog/node/n1': node })).out, 'web\n')
})

test('catalog datacenters shows one on each line', async (t) => {
  t.is((await tryCommand(['catalog', 'datacenters'], { 'GET /v1/catalog/datacenters': { json: ['dc1', 'dc2'] } })).out, 'dc1\ndc2\n')
})

test('info sorts its sections and figures', async (t) => {
  const answers = { 'GET /v1/agent/self': { json: { Stats: { raft: { term: '2' }, agent: { services: '1', checks: '0' } } } } }
  t.is((await tryCommand(['info'], answers)).out, 'agent:\n\tchecks = 0\n\tservices = 1\nraft:\n\tterm = 2\n')
})

test('reload and leave say that they worked, or why not', async (t) => {
  t.is((await tryCommand(['reload'], { 'PUT /v1/agent/reload': {} })).out, 'Configuration reload triggered\n')
  t.is((await tryCommand(['leave'], { 'PUT /v1/agent/leave': {} })).out, 'Graceful leave complete\n')
  const failed = await tryCommand(['reload'], { 'PUT /v1/agent/reload': { status: 500, text: 'bad file' } })
  t.deepEqual([failed.code, failed.err], [1, 'Error reloading: Unexpected response code: 500 (bad file)\n'])
  t.regex((await runCommand(['leave', 'x'])).err, /^Error found unexpected args: \[x\]\n\nUsage: tribune leave/)
})

test('maint begins, ends and lists maintenance', async (t) => {
  const on = await tryCommand(['maint', '-enable', '-reason=new disk'], { 'PUT /v1/agent/maintenance': {} })
  t.is(on.out, 'Node maintenance is now enabled\n')
  t.deepEqual(on.seen, ['PUT /v1/agent/maintenance?enable=true&reason=new+disk'])
  const off = await tryCommand(['maint', '-disable', '-service=web1'], { 'PUT /v1/agent/service/maintenance/web1': {} })
  t.is(off.out, 'Service maintenance is now disabled for "web1"\n')
  const checks = {
    a: { Node: 'n1', CheckID: '_node_maintenance', ServiceID: '', Notes: 'x' },
    b: { Node: 'n1', CheckID: '_service_maintenance:web1', ServiceID: 'web1', Notes: 'y' },
    c: { Node: 'n1', CheckID: 'other', ServiceID: '', Notes: '' },
  }
  t.is(
    (await tryCommand(['maint'], { 'GET /v1/agent/checks': { json: checks } })).out,
    'Node:\n  Name:   n1\n  Reason: x\n\nService:\n  ID:     web1\n  Reason: y\n\n',
  )
  t.is((await tryCommand(['maint'], { 'GET /v1/agent/checks': { json: {} } })).out, '')
})

test('maint refuses what makes no sense', async (t) => {
  t.regex((await runCommand(['maint', '-enable', '-disable'])).err, /^Only one of -enable or -disable may be provided\n/)
  t.regex((await runCommand(['maint', '-reason=x'])).err, /^Reason may only be provided with -enable\n/)
  t.regex((await runCommand(['maint', '-service=x'])).err, /^Service requires either -enable or -disable\n/)
})

test('actors shows how busy each is', async (t) => {
  const row = { Thread: '1 state', Actor: 'kv', Key: '', Mailbox: 3, MailboxMax: 64, Messages: 10, BusyMs: 1.4, Restarts: 0, AgeMs: 61_900 }
  const answers = { 'GET /v1/tribune/actors': { json: [row] } }
  t.is(
    (await tryCommand(['actors'], answers)).out,
    `Thread   Actor  Key  Mailbox  Messages  Busy  Restarts  Age
1 state  kv          3/64     10        1ms   0         1m1s
`,
  )
  t.deepEqual(JSON.parse((await tryCommand(['actors', '-format=json'], answers)).out), [row])
})
