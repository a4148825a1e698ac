import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { parseAddress, parseUpstream } from '../../src/cli/connect-proxy-options.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { runCommand, tryCommand } from './kit.ts'

const STARTING = '==> Consul Connect proxy starting...\n'
/** A proxy with this signal ends as soon as it runs. */
const ended = { signal: AbortSignal.abort() }

test('ca get-config prints the configuration with tabs', async (t) => {
  const configuration = { Provider: 'consul', Config: { LeafCertTTL: '72h' }, State: null }
  const { out } = await tryCommand(['connect', 'ca', 'get-config'], { 'GET /v1/connect/ca/configuration': { json: configuration } })
  t.is(out, '{\n\t"Provider": "consul",\n\t"Config": {\n\t\t"LeafCertTTL": "72h"\n\t},\n\t"State": null\n}\n')
})

test('ca set-config sends a file', async (t) => {
  const folder = temporaryDirectory(t)
  const good = join(folder, 'ca.json')
  const bad = join(folder, 'bad.json')
  writeFileSync(good, '{"Provider": "consul", "Config": {}}')
  writeFileSync(bad, '[]')
  const done = await tryCommand(['connect', 'ca', 'set-config', '-force-without-cross-signing', `-config-file=${good}`], {
    'PUT /v1/connect/ca/configuration': {},
  })
  t.is(done.out, 'Configuration updated!\n')
  t.deepEqual(done.seen, ['PUT /v1/connect/ca/configuration {"Provider":"consul","Config":{},"ForceWithoutCrossSigning":true}'])
  t.regex((await runCommand(['connect', 'ca', 'set-config'])).err, /^The -config-file flag is required\n/)
  const refused = await runCommand(['connect', 'ca', 'set-config', '-config-file', bad])
  t.is(refused.err, `Error parsing config file: ${bad}: must be an object with Provider and Config\n`)
})

const PLAN = {
  Does: 'rotation',
  Refused: '',
  RootID: '',
  PrivateKeyType: 'rsa',
  PrivateKeyBits: 2048,
  CrossSigned: true,
  Proxies: 212,
  Trusting: 211,
  Behind: ['n1/web-7'],
  NotReporting: 3,
  Leaves: 215,
  LeavesWithinMs: 30_000,
  RetireAt: '2026-11-26T00:00:00Z',
}

test('ca set-config -plan prints what would happen', async (t) => {
  const file = join(temporaryDirectory(t), 'ca.json')
  writeFileSync(file, '{"Config": {}}')
  const planned = (json: object) =>
    tryCommand(['connect', 'ca', 'set-config', '-plan', `-config-file=${file}`], { 'PUT /v1/connect/ca/configuration': { json } })
  const { out, code, seen } = await planned(PLAN)
  t.deepEqual(seen, ['PUT /v1/connect/ca/configuration?plan= {"Config":{}}'])
  t.is(code, 0)
  t.is(
    out,
    `New root:      made anew (rsa-2048)
Cross-signed:  yes: it signs at once, and whoever trusts the old root trusts its leaves
Proxies:       211 of 212 trust the present root; not n1/web-7
Not reporting: 3
Leaves:        215 to be made anew, within 30s
Old root:      trusted until 2026-11-26T00:00:00Z at least
Nothing was changed.
`,
  )
  const refused = await planned({ ...PLAN, Refused: 'no cross-signing', CrossSigned: false, RootID: 'aa' })
  t.is(refused.code, 1)
  t.regex(refused.out, /^It would be refused: no cross-signing\nNew root: {6}aa \(rsa-2048\)\n.*no: it is only trusted/)
  t.is(
    (await planned({ ...PLAN, Does: 'settings', RootID: 'aa' })).out,
    'Only settings would change; the root aa stays.\nNothing was changed.\n',
  )
  t.is((await planned({ ...PLAN, Does: 'nothing' })).out, 'The configuration is the same: nothing would change.\n')
})

const ROTATION = {
  FromRootID: 'aa',
  ToRootID: 'bb',
  Phase: 'active',
  CanAbort: true,
  NotReporting: 1,
  Says: '211 of 212 proxies, waiting for n1/web-7',
}
const STATUS = {
  Provider: 'consul',
  TrustDomain: 'x.consul',
  Roots: [
    { ID: 'aa', State: 'retiring', PrivateKeyType: 'ec', PrivateKeyBits: 256, SignsUntil: '2036', Presenting: 1, LeavesUntil: '2027' },
    { ID: 'bb', State: 'active', PrivateKeyType: 'rsa', PrivateKeyBits: 2048, SignsUntil: '2036', Presenting: 211, LeavesUntil: null },
  ],
  Rotation: ROTATION,
}
const LEAF = { Node: 'n1', ServiceID: 'web', Issued: '2026', RenewAt: '2027', ValidBefore: '2028', Risk: '' }
const EXPIRY = { Oldest: LEAF, NextRenewal: LEAF, AtRisk: [], WithoutLeaf: [] }

test('ca status prints roots, the change of the root and what is at risk', async (t) => {
  const status = (state: object, expiry: object, ...flags: string[]) =>
    tryCommand(['connect', 'ca', 'status', ...flags], {
      'GET /v1/tribune/connect/ca/status': { json: state },
      'GET /v1/tribune/connect/expiry': { json: expiry },
    })
  const { out, code } = await status(STATUS, EXPIRY)
  t.is(code, 0)
  t.is(
    out,
    `Provider:     consul
Trust domain: x.consul

Root  State     Key       Signs until  Presenting  Leaves until
aa    retiring  ec-256    2036         1           2027
bb    active    rsa-2048  2036         211         -

Rotation:     active: 211 of 212 proxies, waiting for n1/web-7 (1 in the mesh do not report)
              "tribune connect ca abort" goes back
Oldest leaf:  n1/web, of 2026, ends 2028
Next renewal: n1/web, at 2027
At risk:      none
`,
  )
  const risky = await status({ ...STATUS, Rotation: null }, { ...EXPIRY, AtRisk: [{ ...LEAF, Risk: 'it has ended' }], WithoutLeaf: [LEAF] })
  t.is(risky.code, 1)
  t.regex(risky.out, /Rotation: {5}none\n.*\n.*\nAt risk:\n {2}n1\/web, ends 2028: it has ended\nWithout leaf: n1\/web\n$/)
  t.deepEqual(JSON.parse((await status(STATUS, EXPIRY, '-format=json')).out), { ...STATUS, Expiry: EXPIRY })
})

test('ca status -follow prints each step until the change of the root is over', async (t) => {
  const steps = [
    STATUS,
    STATUS,
    { ...STATUS, Rotation: { ...ROTATION, Phase: 'retiring', Says: '212 of 212' } },
    { ...STATUS, Rotation: null },
  ]
  let asked = 0
  const { out, code, seen } = await tryCommand(['connect', 'ca', 'status', '-follow'], {
    'GET /v1/tribune/connect/ca/status': () => ({ json: steps[asked++], headers: { 'X-Consul-Index': String(asked) } }),
  })
  t.is(code, 0)
  t.is(out, 'active: 211 of 212 proxies, waiting for n1/web-7\nretiring: 212 of 212\nNo change of the root is under way\n')
  t.is(seen[1], 'GET /v1/tribune/connect/ca/status?index=1&wait=60s')
})

test('ca abort says which root signs again', async (t) => {
  const done = await tryCommand(['connect', 'ca', 'abort'], { 'PUT /v1/tribune/connect/ca/abort': { json: { ActiveRootID: 'aa' } } })
  t.is(done.out, 'Rotation aborted! The active root is aa\n')
  const none = await tryCommand(['connect', 'ca', 'abort'], {
    'PUT /v1/tribune/connect/ca/abort': { status: 404, text: 'there is no rotation to abort' },
  })
  t.is(none.err, 'Error aborting the rotation: Unexpected response code: 404 (there is no rotation to abort)\n')
})

test('proxy prints what flags ask for', async (t) => {
  const args = ['connect', 'proxy', '-service=foo', '-upstream=db:28181', '-upstream', 'cache:10.0.0.1:28182']
  const { out, code } = await tryCommand(args, {}, ended)
  t.is(code, 0)
  t.true(
    out.startsWith(`${STARTING}    Configuration mode: Flags
               Service: foo
              Upstream: db => :28181
              Upstream: cache => 10.0.0.1:28182
       Public listener: Disabled

==> Log data will now stream in as it occurs:

`),
    out,
  )
  t.true(out.endsWith('==> Consul Connect proxy shutdown\n'), out)
})

test('proxy shows its public listener', async (t) => {
  const args = ['connect', 'proxy', '-service=foo', '-listen=127.0.0.1:28443', '-service-addr=127.0.0.1:28080']
  t.regex((await tryCommand(args, {}, ended)).out, /^ {7}Public listener: 127\.0\.0\.1:28443 => 127\.0\.0\.1:28080$/m)
})

const OWN = { ID: 'web1-sidecar-proxy', Kind: 'connect-proxy', Proxy: { DestinationServiceID: 'web1' } }
const servicesOf = (...services: { ID: string }[]) => ({
  'GET /v1/agent/services': { json: Object.fromEntries(services.map((service) => [service.ID, service])) },
})

test('proxy finds the sidecar of a service', async (t) => {
  const found = await tryCommand(['connect', 'proxy', '-sidecar-for', 'web1'], servicesOf({ ID: 'web1' }, OWN), ended)
  t.regex(found.out, /^ {4}Configuration mode: Agent API\n {8}Sidecar for ID: web1\n {14}Proxy ID: web1-sidecar-proxy$/m)
  const managed = { ID: 'web-proxy', Kind: 'connect-proxy' }
  const env = { CONNECT_SIDECAR_FOR: 'web' }
  t.regex((await tryCommand(['connect', 'proxy'], servicesOf(managed), { ...ended, env })).out, /Proxy ID: web-proxy$/m)
})

test('proxy says why it has no configuration', async (t) => {
  const errorOf = async (args: string[], answers = {}) => {
    const { code, out, err } = await tryCommand(['connect', 'proxy', ...args], answers)
    t.is(code, 1)
    t.is(out, STARTING)
    return err
  }
  t.is(
    await errorOf([]),
    '==> Error preparing configuration: -service or -proxy-id must be specified so that proxy can configure itself.\n',
  )
  t.is(await errorOf(['-sidecar-for=nope'], servicesOf(OWN)), '==> Error preparing configuration: No sidecar proxy registered for nope\n')
  t.regex(
    await errorOf(['-sidecar-for=web1'], servicesOf(OWN, { ...OWN, ID: 'other' })),
    /^==> Error preparing configuration: More than one sidecar proxy registered for web1: say which with -proxy-id \(other, web1-sidecar-proxy\)/,
  )
  t.regex(await errorOf(['-sidecar-for=x']), /Failed looking up sidecar proxy info for x: Unexpected response code: 404/)
  t.regex(await errorOf(['-service=x', '-listen=:1']), /-service-addr must be specified with -listen/)
  t.regex(await errorOf(['-service=x', '-listen=1.2.3.4', '-service-addr=:1']), /-listen: "1\.2\.3\.4" is not an address/)
  t.regex(await errorOf(['-proxy-id=x', '-register']), /-register needs -service/)
})

test('proxy refuses flags that it cannot read, before it starts', async (t) => {
  const upstream = await runCommand(['connect', 'proxy', '-service=x', '-upstream=db'])
  t.deepEqual([upstream.code, upstream.out], [1, ''])
  t.regex(upstream.err, /^invalid value "db" for flag -upstream: upstream must be of the form name:addr, got "db"\n/)
  t.regex((await runCommand(['connect', 'proxy', '-log-level=loud'])).err, /^Unknown log level: loud\n/)
})

test('an upstream is a name, perhaps with a namespace and a type, and an address', (t) => {
  t.like(parseUpstream('db:9191'), { destinationType: 'service', destinationName: 'db', localBindAddress: '', localBindPort: 9191 })
  t.like(parseUpstream('ns/db.prepared_query:[::1]:9191'), {
    destinationType: 'prepared_query',
    destinationNamespace: 'ns',
    destinationName: 'db',
    localBindAddress: '::1',
  })
  for (const bad of ['', ':1', 'db:', 'db:0', 'db:65536', 'db:x', 'db.odd:1']) t.true(isRefused(parseUpstream(bad)), bad)
})

test('noise is no address, and every address reads back', (t) => {
  fc.assert(
    fc.property(fc.string(), (noise) => {
      const read = parseAddress(noise)
      return isRefused(read) || (read.port > 0 && read.port < 65_536)
    }),
  )
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 1, max: 65_535 }), (host, port) => {
      t.deepEqual(parseAddress(`${host}:${port}`), { host, port })
    }),
  )
  t.deepEqual(parseAddress(':80'), { host: '', port: 80 })
  t.deepEqual(parseAddress('80'), { host: '', port: 80 })
})
