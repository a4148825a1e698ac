import test, { type ExecutionContext } from 'ava'
import { type Agent, type AgentPorts, agentPorts, beginAgent, runTribune, startAgent, TRIBUNE, temporaryDirectory } from '../kit/agents.ts'
import { freePorts } from '../kit/free-ports.ts'

type Member = { Name: string; Status: number }
const AGAIN_MS = 200
const NAMES = ['none', 'alive', 'leaving', 'left', 'failed']

/** `n1 alive`, … once they are as wanted. */
async function members(agent: Agent, ...wanted: string[]): Promise<void> {
  for (;;) {
    const found = await agent.json<Member[]>('/v1/agent/members')
    const shown = found.map(({ Name, Status }) => `${Name} ${NAMES[Status]}`).sort()
    if (shown.join() === wanted.join()) return
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  }
}

function flags(t: ExecutionContext, name: string, key: string, to?: AgentPorts, directory = temporaryDirectory(t)): string[] {
  return [
    ...['-server', '-bootstrap', `-node=${name}`, `-data-dir=${directory}`, '-bind=127.0.0.1', '-disable-host-node-id'],
    ...[`-encrypt=${key}`, ...(to ? [`-retry-join=127.0.0.1:${to.serfLan}`] : [])],
  ]
}

test('three agents find each other; one is killed, comes back and leaves; one with another key is told why', async (t) => {
  t.timeout(110_000)
  const { out } = await runTribune(t, ['keygen'])
  const key = out.trim()
  const ports = async () => agentPorts(await freePorts())
  const [one, two, three, four] = [await ports(), await ports(), await ports(), await ports()]
  const directory = temporaryDirectory(t)
  const n1 = await startAgent(t, { program: TRIBUNE, args: flags(t, 'n1', key), ports: one })
  const n2 = await startAgent(t, { args: flags(t, 'n2', key, one), ports: two })
  const n3 = await startAgent(t, { args: flags(t, 'n3', key, two, directory), ports: three })
  for (const agent of [n1, n2, n3]) await members(agent, 'n1 alive', 'n2 alive', 'n3 alive')

  n3.signal('SIGKILL')
  await members(n1, 'n1 alive', 'n2 alive', 'n3 failed')
  const again = await startAgent(t, { args: flags(t, 'n3', key, undefined, directory), ports: three })
  for (const agent of [n1, n2, again]) await members(agent, 'n1 alive', 'n2 alive', 'n3 alive')

  t.is((await again.tribune('leave')).code, 0)
  await members(n1, 'n1 alive', 'n2 alive', 'n3 left')

  const other = Buffer.alloc(32, 1).toString('base64')
  const stranger = await beginAgent(t, { args: [...flags(t, 'n4', other, one), '-retry-max=1', '-retry-interval=1s'], ports: four })
  t.regex(await stranger.line(/max join retry exhausted/), /it has none of the keys of this agent/)
  await n1.line(/A peer was refused/)
  t.is((await n1.tribune('join', `127.0.0.1:${four.serfLan}`)).code, 1)
  await members(n1, 'n1 alive', 'n2 alive', 'n3 left')
})
