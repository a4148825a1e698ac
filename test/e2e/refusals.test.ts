import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { type Agent, agentPorts, beginAgent, startAgent } from '../kit/agents.ts'
import { freePorts } from '../kit/free-ports.ts'
import { until } from '../kit/running.ts'

test.serial('a taken HTTP port is named, with its option', async (t) => {
  const ports = agentPorts(await freePorts())
  await take(t, ports.http)
  const { code, err } = await (await beginAgent(t, { ports })).ended
  t.is(code, 1)
  t.regex(err, new RegExp(`^==> .*127\\.0\\.0\\.1:${ports.http}: the address is already in use.*(-http-port|ports\\.http)`))
})

test.serial('a taken DNS port is named, with its option, whether UDP or TCP', async (t) => {
  const ports = agentPorts(await freePorts())
  const named = new RegExp(`^==> .*127\\.0\\.0\\.1:${ports.dns}\\b.*already in use.*(-dns-port|ports\\.dns)`)
  const server = await take(t, ports.dns)
  const onTcp = await (await beginAgent(t, { ports })).ended
  t.is(onTcp.code, 1)
  t.regex(onTcp.err, named)
  server.close()
  const socket = createSocket('udp4')
  socket.bind(ports.dns, '127.0.0.1')
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  const onUdp = await (await beginAgent(t, { ports })).ended
  t.is(onUdp.code, 1)
  t.regex(onUdp.err, named)
})

for (const [pool, port, option] of [
  ['LAN', 'serfLan', '-serf-lan-port'],
  ['WAN', 'serfWan', '-serf-wan-port'],
] as const) {
  test.serial(`a taken port of the gossip of the ${pool} is named, with its option`, async (t) => {
    const ports = agentPorts(await freePorts())
    await take(t, ports[port])
    const { code, err } = await (await beginAgent(t, { ports, args: ['-dev', '-bind=127.0.0.1', '-retry-join=127.0.0.1:1'] })).ended
    t.is(code, 1)
    const why = `^==> Failed to start ${pool} Serf: listen 127\\.0\\.0\\.1:${ports[port]}: the address is already in use.*${option}`
    t.regex(err, new RegExp(why, 'm'))
  })
}

test.serial('two agents do not share ports', async (t) => {
  const [first, second] = [agentPorts(await freePorts()), agentPorts(await freePorts())]
  await startAgent(t, { ports: first })
  for (const [kind, option] of [
    ['http', '-http-port'],
    ['dns', '-dns-port'],
  ] as const) {
    const agent = await beginAgent(t, { ports: { ...second, [kind]: first[kind] } })
    await Promise.race([agent.ended, agent.line(/^==> Log data/).catch(() => undefined)])
    const { code, err } = await agent.stop('SIGKILL')
    t.is(code, 1, kind)
    t.regex(err, new RegExp(`127\\.0\\.0\\.1:${first[kind]}\\b.*already in use.*${option}`))
  }
})

test.serial('a sidecar whose port is taken says so and comes when the port is free', async (t) => {
  t.timeout(60_000)
  const free = await freePorts()
  const [port, bindPort] = [free.next(), free.next()]
  const server = await take(t, bindPort)
  const agent = await startAgent(t, {
    ports: agentPorts(free),
    files: { 'a.json': { service: { name: 'a', port, connect: { proxy: { config: { bind_port: bindPort } } } } } },
  })
  t.regex(await agent.line(/\[ERROR\].*Cannot listen/), new RegExp(`127\\.0\\.0\\.1:${bindPort}.* option=bind_port`))
  server.close()
  await agent.line(/Proxy loaded config and ready to serve/)
})

for (const { what, files, args, errors } of [
  { what: 'an unknown key', files: { 'a.json': '{\n  "server": true,\n  "datacentre": "x"\n}' }, errors: [/a\.json/, /datacentre/] },
  { what: 'an ill-typed value', files: { 'a.hcl': 'ports { http = "many" }' }, errors: [/a\.hcl/, /ports\.http/] },
  { what: 'broken JSON', files: { 'a.json': '{"server": tru}' }, errors: [/a\.json/] },
  { what: 'broken HCL', files: { 'a.hcl': 'service {\n name = \n}' }, errors: [/a\.hcl/] },
  { what: 'a wrong value', files: { 'a.json': '{"log_level": "loud"}' }, errors: [/Invalid log level: loud/] },
  { what: 'no data directory', args: ['-server', '-bootstrap'], errors: [/^==> data_dir cannot be empty\n$/] },
  { what: 'an unknown flag', args: ['-dev', '-no-such-flag'], errors: [/^flag provided but not defined: -no-such-flag\nUsage/] },
  { what: 'a stray argument', args: ['-dev', 'stray'], errors: [/Unexpected extra arguments: \[stray -config-dir/] },
  {
    what: 'a missing file',
    args: ['-dev', '-config-file=/no/such/file.json'],
    errors: [/\/no\/such\/file\.json: no such file or directory/],
  },
  {
    what: 'a log file that cannot be made',
    args: ['-dev', '-log-file=/proc/x/'],
    errors: [/^==> could not write the log file: ENOENT: .*'\/proc\/x'\n$/],
  },
  {
    what: 'a log file that is a folder',
    args: ['-dev', '-log-file=/proc'],
    errors: [/^==> could not write the log file: EISDIR: .*'\/proc'\n$/],
  },
  {
    what: 'a data directory that cannot be made',
    args: ['-server', '-bootstrap', '-bind=127.0.0.1', '-data-dir=/proc/x'],
    errors: [/^==> data directory \/proc\/x cannot be made: the folder \/proc takes no new ones\n$/],
  },
] as { what: string; files?: Record<string, string>; args?: string[]; errors: RegExp[] }[]) {
  test.serial(`${what} in the configuration: one clear error, exit code 1`, async (t) => {
    const { code, out, err } = await (await beginAgent(t, { ...(files && { files }), ...(args && { args }) })).ended
    t.is(code, 1)
    t.is(out, '')
    for (const error of errors) t.regex(err, error)
    if (what !== 'an unknown flag') t.regex(err, /^==> /)
    t.notRegex(err, /^\s+at /m)
  })
}

test.serial('JSON, HCL and a folder of both say the same', async (t) => {
  t.timeout(60_000)
  const service = { name: 'web', port: 80, tags: ['a', 'b'], meta: { x: 'y' }, check: { ttl: '30s', status: 'passing' } }
  const hcl = 'service { name = "web" port = 80 tags = ["a", "b"] meta { x = "y" } check { ttl = "30s" status = "passing" } }'
  const asJson = await startAgent(t, { files: { 'one.json': { service } } })
  const asHcl = await startAgent(t, { files: { 'one.hcl': hcl } })
  t.deepEqual(await services(asHcl), await services(asJson))
  const both = await startAgent(t, {
    files: { 'a.json': { services: [service, { name: 'other', port: 1 }] }, 'b.hcl': 'node_name = "both"', 'c.txt': 'not read' },
  })
  t.deepEqual(Object.keys(await services(both)).sort(), ['other', 'web'])
  t.is((await both.json<{ Config: { NodeName: string } }>('/v1/agent/self')).Config.NodeName, 'both')
})

async function services(agent: Agent): Promise<Record<string, object>> {
  return until('the services are there', () => agent.json<Record<string, object>>('/v1/agent/services'), (found) => 'web' in found) // biome-ignore format: one line
}

/** Listens on a port of this machine. */
async function take(t: ExecutionContext, port: number) {
  const server = createServer()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return server
}
