import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { runTribune, temporaryDirectory } from '../kit/agents.ts'
import { runCommand } from './kit.ts'

/** Runs `tribune tls …` in a folder of its own. */
function workshop(t: ExecutionContext) {
  const folder = temporaryDirectory(t)
  return {
    folder,
    tls: (...args: string[]) => runTribune(t, ['tls', ...args], {}, { cwd: folder }),
    certificate: (name: string) => new X509Certificate(readFileSync(join(folder, name))),
    /** What OpenSSL says of a certificate; throws if it says no. */
    verified: (authority: string, name: string) =>
      execFileSync('openssl', ['verify', '-x509_strict', '-CAfile', authority, name], { cwd: folder, encoding: 'utf8', stdio: 'pipe' }),
  }
}

test('an authority and what it vouches for: files, names, and OpenSSL accepts them', async (t) => {
  t.timeout(60_000)
  const { folder, tls, certificate, verified } = workshop(t)
  t.like(await tls('ca', 'create'), { code: 0, out: '==> Saved consul-agent-ca.pem\n==> Saved consul-agent-ca-key.pem\n', err: '' })
  t.like(await tls('ca', 'create'), { code: 1, out: '', err: 'consul-agent-ca.pem already exists.\n' })
  const authority = certificate('consul-agent-ca.pem')
  t.true(authority.ca)
  t.is(authority.subject, `CN=Consul Agent CA ${BigInt(`0x${authority.serialNumber}`)}`)
  t.is((authority.validToDate.getTime() - authority.validFromDate.getTime()) / 86_400_000, 1_825)

  const server = await tls('cert', 'create', '-server', '-node=s1', '-additional-dnsname=a.example', '-additional-ipaddress=fd00::1')
  t.is(server.out, '==> Using consul-agent-ca.pem and consul-agent-ca-key.pem\n==> Saved dc1-server-consul-0.pem\n==> Saved dc1-server-consul-0-key.pem\n') // biome-ignore format: one line
  t.regex(server.err, /^==> WARNING: Server Certificates grants authority to become a\n( {4}.*\n){3}$/)
  t.is((await tls('cert', 'create', '-client', '-dc=dc2')).code, 0)
  t.is((await tls('cert', 'create', '-cli')).code, 0)
  t.regex((await tls('cert', 'create', '-cli', '-days=1')).out, /Saved dc1-cli-consul-1\.pem/)
  t.deepEqual(
    readdirSync(folder).filter((name) => !name.endsWith('-key.pem')),
    ['consul-agent-ca.pem', 'dc1-cli-consul-0.pem', 'dc1-cli-consul-1.pem', 'dc1-server-consul-0.pem', 'dc2-client-consul-0.pem'],
  )
  const one = certificate('dc1-server-consul-0.pem')
  t.is(one.subject, 'CN=server.dc1.consul')
  t.is(one.subjectAltName, 'DNS:a.example, DNS:s1.server.dc1.consul, DNS:server.dc1.consul, DNS:localhost, IP Address:FD00:0:0:0:0:0:0:1, IP Address:127.0.0.1') // biome-ignore format: one line
  t.deepEqual(one.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
  t.is(certificate('dc2-client-consul-0.pem').subject, 'CN=client.dc2.consul')
  t.falsy(certificate('dc1-cli-consul-0.pem').keyUsage)
  for (const name of ['dc1-server-consul-0', 'dc2-client-consul-0', 'dc1-cli-consul-0']) {
    t.is(verified('consul-agent-ca.pem', `${name}.pem`), `${name}.pem: OK\n`)
    const key = readFileSync(join(folder, `${name}-key.pem`), 'utf8')
    t.true(key.startsWith('-----BEGIN EC PRIVATE KEY-----\n'))
    t.is(statSync(join(folder, `${name}-key.pem`)).mode & 0o777, 0o600)
    const { publicKey } = certificate(`${name}.pem`)
    t.is(execFileSync('openssl', ['ec', '-pubout'], { input: key, encoding: 'utf8', stdio: 'pipe' }), String(publicKey.export({ type: 'spki', format: 'pem' }))) // biome-ignore format: one line
  }
})

test('both ends of a connection believe each other by what was made', async (t) => {
  t.timeout(60_000)
  const { folder, tls } = workshop(t)
  for (const args of [
    ['ca', 'create'],
    ['cert', 'create', '-server'],
    ['cert', 'create', '-cli'],
  ])
    t.is((await tls(...args)).code, 0)
  const pem = (name: string) => readFileSync(join(folder, name))
  const [cert, key, ca] = [pem('dc1-server-consul-0.pem'), pem('dc1-server-consul-0-key.pem'), pem('consul-agent-ca.pem')]
  const server = createServer({ cert, key, ca, requestCert: true, rejectUnauthorized: true }, (_, response) => response.end('["dc1"]'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const list = (...args: string[]) => runCommand(['catalog', 'datacenters', `-http-addr=${address}`, ...args])
  const known = [`-ca-file=${join(folder, 'consul-agent-ca.pem')}`, '-tls-server-name=server.dc1.consul']
  const own = [`-client-cert=${join(folder, 'dc1-cli-consul-0.pem')}`, `-client-key=${join(folder, 'dc1-cli-consul-0-key.pem')}`]
  t.deepEqual(await list(...known, ...own), { code: 0, out: 'dc1\n', err: '' })
  t.is((await list(...known)).code, 1, 'without a certificate')
  t.regex((await list(...own)).err, /x509: certificate signed by unknown authority/)
})

test('an authority with constraints signs only names of its domain', async (t) => {
  t.timeout(60_000)
  const { tls, verified, certificate } = workshop(t)
  t.is((await tls('ca', 'create', '-domain=mesh', '-name-constraint', '-common-name=Us', '-cluster-id=1234')).code, 0)
  t.is(certificate('mesh-agent-ca.pem').subject, 'CN=Us')
  t.is(certificate('mesh-agent-ca.pem').subjectAltName, 'URI:spiffe://1234.mesh')
  t.is((await tls('cert', 'create', '-server', '-domain=mesh')).code, 0)
  t.is(verified('mesh-agent-ca.pem', 'dc1-server-mesh-0.pem'), 'dc1-server-mesh-0.pem: OK\n')
  t.is((await tls('cert', 'create', '-server', '-domain=mesh', '-additional-dnsname=elsewhere.example')).code, 0)
  t.throws(() => verified('mesh-agent-ca.pem', 'dc1-server-mesh-1.pem'), { message: /permitted subtree violation/ })
})

test('what makes no sense is said, and nothing is written', async (t) => {
  const create = async (...args: string[]) => (await runCommand(['tls', ...args])).err.split('\n')[0]
  t.is(await create('cert', 'create'), 'Please provide either -server, -client, or -cli')
  t.is(await create('cert', 'create', '-server', '-client'), 'Please provide either -server, -client, or -cli')
  t.is(await create('cert', 'create', '-client', '-node=x'), '-node requires -server')
  t.is(await create('cert', 'create', '-client', '-ca=/nowhere.pem'), 'Error reading CA: open /nowhere.pem: no such file or directory')
  t.is(await create('cert', 'create', '-client', '-additional-ipaddress=1.2.3'), '-additional-ipaddress "1.2.3" is not an IP address')
  t.is(await create('cert', 'create', '-client', '-dc=../x'), '-dc "../x" is not a name for DNS')
  t.is(await create('ca', 'create', '-days=0'), '-days must be from 1 to 36500, got 0')
  t.is(await create('ca', 'create', '-domain=a/b'), '-domain "a/b" is not a name for DNS')
  t.is(await create('ca', 'create', 'x'), 'Too many arguments (expected 0, got 1)')
  const file = join(temporaryDirectory(t), 'ca.pem')
  writeFileSync(file, 'no certificate')
  t.regex(
    (await create('cert', 'create', '-client', `-ca=${file}`, `-key=${file}`)) ?? '',
    /^Error creating certificate with .*: by\.certPem: no PEM/,
  )
})
