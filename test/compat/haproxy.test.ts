import { join } from 'node:path'
import test from 'ava'
import { agentPorts, ask, startAgent, writeFiles } from '../kit/agents.ts'
import { serveText } from '../kit/applications.ts'
import { freePorts } from '../kit/free-ports.ts'
import { installed } from '../kit/installed.ts'
import { startProgram, until } from '../kit/running.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'

const HAPROXY = installed('haproxy')
const SERVERS = 4

test(HAPROXY ? 'HAProxy follows a service through SRV records' : 'HAProxy is not installed', async (t) => {
  t.timeout(90_000)
  if (!HAPROXY) return t.pass()
  const free = await freePorts()
  const [port, one, two, three] = [free.next(), free.next(), free.next(), free.next()]
  await serveText(t, one, 'one')
  await serveText(t, two, 'two')
  await serveText(t, three, 'three')
  const agent = await startAgent(t, { ports: agentPorts(free) })
  const register = (id: string, to: number) =>
    agent.http('PUT', '/v1/agent/service/register', { name: 'web', id, port: to, address: '127.0.0.1' })
  await register('one', one)
  await register('two', two)

  const folder = temporaryDirectory(t)
  writeFiles(folder, { 'haproxy.cfg': configuration(port, agent.ports.dns) })
  startProgram(t, 'haproxy', HAPROXY, ['-db', '-f', join(folder, 'haproxy.cfg')])
  const seen = async () => {
    const texts: string[] = []
    // One request after the other: each goes to the next server.
    for (let count = 0; count < SERVERS * 2; count += 1) texts.push((await ask(`http://127.0.0.1:${port}/`)).text)
    return [...new Set(texts)].sort().join(' ')
  }
  await until('both answer', seen, (texts) => texts === 'one two')
  await agent.http('PUT', '/v1/agent/service/deregister/one')
  await until('one is gone', seen, (texts) => texts === 'two')
  await register('three', three)
  await until('a new one is there', seen, (texts) => texts === 'three two')
  await agent.http('PUT', '/v1/agent/service/maintenance/two?enable=true')
  t.is(await until('what is not healthy gets nothing', seen, (texts) => texts === 'three'), 'three')
})

function configuration(port: number, dnsPort: number): string {
  return `
resolvers agent
  nameserver agent 127.0.0.1:${dnsPort}
  accepted_payload_size 8192
  resolve_retries 3
  timeout resolve 500ms
  timeout retry 500ms
  hold valid 500ms
  hold obsolete 0s
  hold nx 0s
defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
frontend all
  bind 127.0.0.1:${port}
  default_backend web
backend web
  balance roundrobin
  option httpchk GET /health
  default-server check inter 200ms
  server-template web ${SERVERS} _web._tcp.service.consul resolvers agent resolve-opts allow-dup-ip resolve-prefer ipv4 init-addr none
`
}
