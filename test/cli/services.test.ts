import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { serviceBody } from '../../src/cli/service-body.ts'
import { serviceFromApi } from '../../src/config/definitions.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { runCommand, tryCommand } from './kit.ts'

const REGISTER = { 'PUT /v1/agent/service/register': {} }

function fileWith(name: string, text: string): string {
  const path = join(temporaryDirectory(), name)
  writeFileSync(path, text)
  return path
}

test('register describes a service with flags', async (t) => {
  const args = [
    '-name=foo',
    '-id=foo1',
    '-port=80',
    '-address=10.0.0.1',
    '-tag=a',
    '-tag=b',
    '-meta=x=y',
    '-tagged-address=wan=192.0.2.7:90',
  ]
  const { code, out, requests } = await tryCommand(['services', 'register', ...args], REGISTER)
  t.deepEqual([code, out], [0, 'Registered service: foo\n'])
  t.deepEqual(JSON.parse(requests[0]?.body ?? ''), {
    ID: 'foo1',
    Name: 'foo',
    Port: 80,
    Address: '10.0.0.1',
    Tags: ['a', 'b'],
    Meta: { x: 'y' },
    TaggedAddresses: { wan: { Address: '192.0.2.7', Port: 90 } },
  })
})

test('register reads files in both languages', async (t) => {
  const json = fileWith(
    'web.json',
    JSON.stringify({ service: { name: 'web', port: 80, connect: { proxy: { config: { bind_port: 20_100 } } } } }),
  )
  const hcl = fileWith('db.hcl', 'services = [{ name = "db" port = 1, check { tcp = "127.0.0.1:1" interval = "10s" } }]')
  const { code, out, err, requests } = await tryCommand(['services', 'register', json, hcl], REGISTER)
  t.deepEqual([code, err], [0, ''])
  t.is(out, 'Registered service: web\nRegistered service: db\n')
  const [web, db] = requests.map(({ body }) => JSON.parse(body))
  t.deepEqual(web.Connect, { Proxy: { ExecMode: 'daemon', Config: { bind_port: 20_100 } } })
  t.like(db.Checks[0], { TCP: '127.0.0.1:1', Interval: '10s', CheckID: 'service:db' })
})

test('what is sent reads back as the same definition', (t) => {
  const definition = serviceFromApi({
    Name: 'web',
    ID: 'web1',
    Tags: ['a'],
    Port: 80,
    Meta: { a: 'b' },
    Weights: { Passing: 3, Warning: 1 },
    TaggedAddresses: { wan: { Address: '1.2.3.4', Port: 5 } },
    Checks: [
      { TTL: '30s', Status: 'passing' },
      { HTTP: 'http://x', Interval: '10s', Timeout: '1.5s', Header: { A: ['b'] }, SuccessBeforePassing: 2 },
    ],
    Connect: { SidecarService: { Port: 1, Proxy: { Upstreams: [{ DestinationName: 'db', LocalBindPort: 9191 }] } } },
  })
  if (isRefused(definition)) return t.fail(definition.why)
  t.deepEqual(serviceFromApi(JSON.parse(JSON.stringify(serviceBody(definition)))), definition)
})

test('register refuses too little, too much, and bad files', async (t) => {
  t.regex((await runCommand(['services', 'register'])).err, /^Service registration requires at least one argument or flags\.\n\nUsage:/)
  t.is((await runCommand(['services', 'register', '-name=x', 'file.json'])).code, 1)
  t.is((await runCommand(['services', 'register', '-port=80'])).err, 'Error: -name is missing: a service needs a name\n')
  t.regex(
    (await runCommand(['services', 'register', '-name=x', '-tagged-address=wan=a:b:c'])).err,
    /^Error: -tagged-address wan: "a:b:c" is not of the form/,
  )
  t.regex((await runCommand(['services', 'register', '/nowhere.json'])).err, /open \/nowhere\.json: no such file or directory/)
  const odd = fileWith('odd.json', '{"service": {"name": "x", "colour": "red"}}')
  t.regex((await runCommand(['services', 'register', odd])).err, /invalid config key service\.colour/)
  const none = fileWith('none.json', '{}')
  t.is((await runCommand(['services', 'register', none])).err, `Error: no service is defined in ${none}\n`)
})

test('deregister takes an ID or files', async (t) => {
  const answers = { 'PUT /v1/agent/service/deregister/foo': {} }
  t.is((await tryCommand(['services', 'deregister', '-id=foo'], answers)).out, 'Deregistered service: foo\n')
  const file = fileWith('foo.json', '{"service": {"name": "foo"}}')
  t.is((await tryCommand(['services', 'deregister', file], answers)).out, 'Deregistered service: foo\n')
  t.is((await runCommand(['services', 'deregister'])).code, 1)
  t.is((await runCommand(['services', 'deregister', '-id=foo', file])).code, 1)
})

test('validate says whether an agent can run with files', async (t) => {
  const good = fileWith('good.json', '{"data_dir": "/tmp/x"}')
  t.is((await runCommand(['validate', good])).out, 'Configuration is valid!\n')
  const quiet = await runCommand(['validate', '-quiet', good])
  t.deepEqual([quiet.code, quiet.out], [0, ''])
  const bad = fileWith('bad.hcl', 'foo = 1')
  const { code, err } = await runCommand(['validate', bad])
  t.is(code, 1)
  t.true(err.startsWith(`Config validation failed: failed to parse ${bad}: 1 error occurred:\n\t* invalid config key foo`))
  t.regex((await runCommand(['validate'])).err, /^Must specify at least one config file or directory\n/)
})
