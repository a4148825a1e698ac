import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import test from 'ava'
import { referenceEndpoints } from '../compat/reference.ts'
import { type Agent, startAgent, temporaryDirectory } from '../kit/agents.ts'

/** Values that only their owner may ever see again. */
const TOKENS = ['header-token-4711', 'query-token-4711', 'bearer-token-4711', 'body-token-4711', 'file-token-4711', 'cli-token-4711']
const FILE = {
  services: [{ name: 'web', port: 80, token: 'file-token-4711', connect: { sidecar_service: {} } }],
}

test.serial('no key and no token in what an agent logs at its lowest level, in errors, archives and answers', async (t) => {
  t.timeout(120_000)
  const folder = temporaryDirectory(t)
  const logFile = join(folder, 'logs', 'agent.log')
  const args = ['-dev', '-log-level', 'trace', '-log-file', logFile]
  const agent = await startAgent(t, { args, files: { 'web.json': FILE } })
  t.regex(agent.said(), /Data: in a temporary folder until the agent ends: keys and certificates too/)
  const leaf = await agent.json<{ PrivateKeyPEM: string }>('/v1/agent/connect/ca/leaf/web')
  t.regex(leaf.PrivateKeyPEM, /PRIVATE KEY/)
  const said = [
    await session(agent),
    (await agent.tribune('debug', '-duration=11s', '-interval=5s', `-output=${join(folder, 'archive')}`)).out,
  ]
  await agent.stop()
  said.push(agent.said(), readFileSync(logFile, 'utf8'))
  const archive = gunzipSync(readFileSync(join(folder, 'archive.tar.gz'))).toString('latin1')
  t.regex(archive, /"Config"/)
  for (const text of [...said, archive]) {
    for (const token of TOKENS) t.false(text.includes(token), `${token} in ${around(text, token)}`)
    t.notRegex(text, /PRIVATE KEY/)
    t.false(text.includes(bodyOf(leaf.PrivateKeyPEM)))
  }
})

/** Asks for about everything with tokens of all kinds; answers what came back, but for what is a key by its purpose. */
async function session(agent: Agent): Promise<string> {
  const texts: string[] = []
  const ask = async (method: string, path: string, body?: string | object) => {
    const { text, headers } = await agent.http(method, path, body)
    texts.push(`${method} ${path.split('?')[0]}\n${JSON.stringify(headers)}\n${text}`)
  }
  for (const endpoint of referenceEndpoints) {
    const [method = '', path = ''] = endpoint.split(' ')
    if (method !== 'GET' || /monitor|stream|leaf|snapshot|debug\/pprof|agent\/(leave|reload)/.test(path)) continue
    await ask(method, `${path.replaceAll(/[:*]\w+/g, 'web')}?token=query-token-4711&index=0`)
  }
  await ask('PUT', '/v1/agent/service/register', { Name: 'api', Token: 'body-token-4711', Port: 81, Connect: { SidecarService: {} } })
  await ask('PUT', '/v1/agent/service/register?token=query-token-4711', { Name: 7 })
  await ask('PUT', '/v1/agent/service/register?token=query-token-4711', '{"Token": "body-token-4711", ')
  await ask('PUT', '/v1/agent/token/default?token=query-token-4711', { Token: 'body-token-4711' })
  await ask('PUT', '/v1/connect/ca/configuration?token=query-token-4711', {
    Provider: 'consul',
    Config: { PrivateKey: '-----BEGIN EC PRIVATE KEY-----\nbody-token-4711\n-----END EC PRIVATE KEY-----\n', LeafCertTTL: '72h' },
  })
  await ask('PUT', '/v1/connect/ca/configuration', {
    Provider: 'vault',
    Config: { Address: 'http://127.0.0.1:1', Token: 'body-token-4711', RootPKIPath: 'a', IntermediatePKIPath: 'b' },
  })
  await ask('GET', '/v1/catalog/services?token=query-token-4711&filter=Broken%20(')
  for (const words of [
    ['catalog', 'services', '-token=cli-token-4711'],
    ['kv', 'put', '-token=cli-token-4711', 'a', 'b'],
    ['connect', 'ca', 'get-config', '-token=cli-token-4711'],
    ['connect', 'ca', 'status', '-token=cli-token-4711'],
    ['members', '-token=cli-token-4711', '-wan'],
  ]) {
    const { out, err } = await agent.tribune(...words)
    texts.push(out, err)
  }
  for (const headers of [{ 'X-Consul-Token': 'header-token-4711' }, { Authorization: 'Bearer bearer-token-4711' }]) {
    for (const path of ['/v1/catalog/nodes', '/v1/nothing', '/v1/agent/service/nothing']) {
      texts.push(await (await fetch(`http://${agent.address}${path}`, { headers })).text())
    }
  }
  return texts.join('\n')
}

function around(text: string, token: string): string {
  const at = text.indexOf(token)
  return JSON.stringify(text.slice(Math.max(0, at - 200), at + 100))
}

/** A key as it could appear anywhere, without what stands around it. */
function bodyOf(pem: string): string {
  return pem.split('\n')[1] ?? pem
}

test.serial('whatever the umask is, nobody else can read what holds keys; leaves are in no file', async (t) => {
  t.timeout(120_000)
  const folder = temporaryDirectory(t)
  const [data, logs] = [join(folder, 'deep', 'data'), join(folder, 'logs', 'agent.log')]
  const agent = await startAgent(t, {
    args: ['-server', '-bootstrap', '-data-dir', data, '-log-file', logs, '-bind', '127.0.0.1'],
    files: { 'web.json': FILE, 'connect.json': { connect: { enabled: true } } },
    wrapped: 'umask 0; exec "$@"',
  })
  const leaf = await agent.json<{ PrivateKeyPEM: string }>('/v1/agent/connect/ca/leaf/web')
  await agent.http('PUT', '/v1/agent/service/register', { Name: 'api', Port: 81, Connect: { SidecarService: {} } })
  await agent.http('PUT', '/v1/agent/service/deregister/api')
  const saved = join(folder, 'deep', 'backup.snap')
  t.is((await agent.tribune('snapshot', 'save', saved)).code, 0)
  t.is((await agent.http('PUT', '/v1/agent/reload')).status, 200)
  const open = [...filesIn(join(folder, 'deep')), ...filesIn(join(folder, 'logs'))].filter((path) => (statSync(path).mode & 0o077) !== 0)
  t.deepEqual(open, [])
  t.is(statSync(saved).mode & 0o777, 0o600)
  await agent.stop()
  const key = bodyOf(leaf.PrivateKeyPEM)
  t.deepEqual(
    filesIn(folder).filter((path) => statSync(path).isFile() && readFileSync(path).includes(key)),
    [],
  )
  const snapshot = gunzipSync(readFileSync(saved)).toString('latin1')
  t.false(snapshot.includes(key))
  t.regex(snapshot, /PRIVATE KEY/, 'the root’s key is in a snapshot, which is why its mode matters')
})

/** Everything below a folder, with the folders. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true }).map((name) => join(folder, String(name)))
}
