import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Agent, type AgentPorts, agentPorts, startAgent } from '../kit/agents.ts'
import { freePorts } from '../kit/free-ports.ts'
import { until } from '../kit/running.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'

type Shown = { ServiceID: string; State: string; Reason: string }

const SCRIPT = 'echo "$CONNECT_PROXY_ID at $CONSUL_HTTP_ADDR"; trap "exit 0" INT; while :; do sleep 0.1; done'
const service = { service: { name: 'web', port: 8_080, connect: { proxy: { command: ['sh', '-c', SCRIPT] } } } }

test.serial('a program that is a managed proxy outlives its agent, is followed by the next one, and ends with its service', async (t) => {
  t.timeout(90_000)
  const data = temporaryDirectory(t)
  const ports = agentPorts(await freePorts())
  const first = await agentWith(t, ports, data, true)
  await until(
    'it runs',
    () => stateOf(first),
    (state) => state === 'listening',
  )
  const pid = pidIn(data)
  t.teardown(() => {
    if (isRunning(pid)) process.kill(-pid, 'SIGKILL')
  })
  t.is(readFileSync(join(data, 'proxy/logs/web-proxy-stdout.log'), 'utf8'), `web-proxy at ${first.address}\n`)
  await first.stop('SIGKILL')
  t.true(isRunning(pid))

  const next = await agentWith(t, ports, data, true)
  await until(
    'it is followed',
    () => stateOf(next),
    (state) => state === 'listening',
  )
  t.is(pidIn(data), pid)
  t.is((await next.http('PUT', '/v1/agent/service/deregister/web')).status, 200)
  await until(
    'it has ended',
    () => isRunning(pid),
    (runs) => !runs,
  )
  // The agent looks once a second whether a process still runs that it did not start.
  const kept = () => readFileSync(join(data, 'proxy/snapshot.json'), 'utf8')
  await until('it is forgotten', kept, (text) => !text.includes('web-proxy'))
  t.deepEqual(JSON.parse(kept()), { Version: 1, Proxies: [] })
})

test.serial('an agent that runs as root starts no program unless it is allowed to, and says so', async (t) => {
  t.timeout(90_000)
  if (process.getuid?.() !== 0) return t.pass('this is not root')
  const agent = await agentWith(t, agentPorts(await freePorts()), temporaryDirectory(t), false)
  await agent.line(/running as root, will not start managed proxies/)
  const [shown] = await until(
    'it is said',
    () => agent.json<Shown[]>('/v1/tribune/proxies'),
    ([one]) => one?.State === 'stopped',
  )
  t.is(shown?.Reason, 'not started as root unless connect.proxy.allow_managed_root is true')
})

function agentWith(t: ExecutionContext, ports: AgentPorts, data: string, allowed: boolean): Promise<Agent> {
  const proxy = { allow_managed_root: allowed }
  return startAgent(t, {
    args: ['-server', '-bootstrap', '-data-dir', data],
    ports,
    files: { 'agent.json': { bind_addr: '127.0.0.1', connect: { enabled: true, proxy } }, 'web.json': service },
  })
}

async function stateOf(agent: Agent): Promise<string | undefined> {
  return (await agent.json<Shown[]>('/v1/tribune/proxies'))[0]?.State
}

function pidIn(data: string): number {
  return Number(readFileSync(join(data, 'proxy/pids/web-proxy.pid'), 'utf8'))
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}
