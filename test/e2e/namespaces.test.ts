import { request } from 'node:http'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Agent, agentPorts, beginAgent, type Reply, temporaryDirectory } from '../kit/agents.ts'
import { freePorts } from '../kit/free-ports.ts'
import { faultsOf, readAll, startLoad } from '../kit/load.ts'
import { type Network, namespacesFault, startNetwork } from '../kit/namespaces.ts'
import { until } from '../kit/running.ts'

const LONG_MS = 90_000
const OPERATIONS = 60
const NAMES = ['s1', 's2', 's3', 'c1', 'c2']

test('five agents, each with a network of its own, whose cables are pulled: who is cut off says so, the others go on, and all are one again', async (t) => {
  t.timeout(300_000)
  const fault = namespacesFault()
  if (fault !== undefined) {
    t.log(`NOT RUN: ${fault}`)
    return t.pass()
  }
  const network = await startNetwork(t, NAMES.length)
  const machines = await startMachines(t, network)
  const [s1, s2, s3, c1, c2] = machines as [Machine, Machine, Machine, Machine, Machine]
  await seen(machines, NAMES.map(alive))
  let asked = machines
  const load = startLoad(t, { clients: 3, keys: 3, paceMs: 20, agents: () => asked })
  await load.more(OPERATIONS)

  load.turnTo('cable')
  asked = [s1, s2, c1, c2]
  let beganMs = performance.now()
  await network.cable(3, false)
  await seen(asked, [...['s1', 's2', 'c1', 'c2'].map(alive), 's3 failed'])
  t.log(`a server without its cable counted as failed everywhere after ${seconds(beganMs)}`)
  await until(
    'it says that it is cut off',
    () => s3.http('GET', '/v1/kv/a'),
    ({ status, text }) => status === 500 && text === 'No cluster leader',
    LONG_MS,
  )
  t.is((await s3.http('GET', '/v1/catalog/nodes?stale')).status, 200, 'it tells what it knows to whom that is enough')
  await load.more(OPERATIONS)
  beganMs = performance.now()
  await network.cable(3, true)
  await seen(machines, NAMES.map(alive))
  t.log(`it was back everywhere after ${seconds(beganMs)}`)
  await answering(s3)

  load.turnTo('split')
  asked = [s2, s3, c2]
  beganMs = performance.now()
  await network.plug([1, 4], 1)
  await seen(asked, [alive('s2'), alive('s3'), alive('c2'), 's1 failed', 'c1 failed'])
  await seen([s1, c1], [alive('s1'), alive('c1'), 's2 failed', 's3 failed', 'c2 failed'])
  t.log(`both sides of a split knew of it after ${seconds(beganMs)}`)
  await load.more(OPERATIONS)
  await until(
    'the smaller side has no leader',
    () => c1.http('PUT', '/v1/kv/lost', 'x'),
    ({ status }) => status === 500,
    LONG_MS,
  )
  beganMs = performance.now()
  await network.plug([1, 4], 0)
  await seen(machines, NAMES.map(alive))
  t.log(`they were one again after ${seconds(beganMs)}`)
  asked = machines
  for (const machine of machines) await answering(machine)
  await load.more(OPERATIONS)

  const history = await load.end()
  await readAll(history, machines)
  t.deepEqual(faultsOf(history), [])
  await until(
    'everybody is healthy in the catalog',
    async () => (await c2.http('GET', '/v1/health/state/critical')).text,
    (text) => text === '[]',
    LONG_MS,
  )
})

type Machine = Pick<Agent, 'http' | 'address'>

/** Three servers and two clients, whose interfaces are sockets of the file system: their networks are not that of the test. */
async function startMachines(t: ExecutionContext, network: Network): Promise<Machine[]> {
  const folder = temporaryDirectory(t)
  const ports = agentPorts(await freePorts())
  const join_ = [1, 2, 3].map((machine) => `-retry-join=${network.addressOf(machine)}:${ports.serfLan}`)
  return Promise.all(
    NAMES.map(async (name, at) => {
      const socket = join(folder, `${name}.sock`)
      const own = [
        `-node=${name}`,
        `-bind=${network.addressOf(at + 1)}`,
        `-data-dir=${join(folder, name)}`,
        '-disable-host-node-id',
        '-threads=0',
      ]
      const role = name.startsWith('s') ? ['-server', '-bootstrap-expect=3'] : []
      const args = [...role, ...own, ...join_, '-retry-interval=1s']
      const agent = await beginAgent(t, {
        args,
        ports,
        wrapped: network.on(at + 1),
        files: { 'http.json': { addresses: { http: `unix://${socket}` } } },
      })
      await agent.line(/^==> Log data will now stream in/, { withinMs: LONG_MS })
      const http: Machine['http'] = (method, path, body, withinMs = LONG_MS) => askSocket(socket, method, path, body, withinMs)
      return { http, address: socket }
    }),
  )
}

function askSocket(socketPath: string, method: string, path: string, body: string | object | undefined, timeout: number): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, method, path, agent: false, timeout }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
      response.on('error', reject)
    })
    asking.on('timeout', () => asking.destroy(new Error(`${method} ${path}: no answer within ${timeout} ms`)))
    asking.on('error', reject)
    asking.end(typeof body === 'object' ? JSON.stringify(body) : body)
  })
}

const STATUSES = ['none', 'alive', 'leaving', 'left', 'failed']

function alive(name: string): string {
  return `${name} alive`
}

/** Once each of these machines sees the members so. */
async function seen(machines: readonly Machine[], wanted: readonly string[]): Promise<void> {
  for (const { http, address } of machines) {
    await until(
      `the members at ${address}`,
      async () => {
        const { text } = await http('GET', '/v1/agent/members')
        return (JSON.parse(text) as { Name: string; Status: number }[]).map(({ Name, Status }) => `${Name} ${STATUSES[Status]}`).sort()
      },
      (found) => found.join() === [...wanted].sort().join(),
      LONG_MS,
    )
  }
}

async function answering({ http, address }: Machine): Promise<void> {
  await until(
    `${address} answers`,
    () => http('GET', '/v1/kv/?keys'),
    ({ status }) => status === 200 || status === 404,
    LONG_MS,
  )
}

function seconds(beganMs: number): string {
  return `${((performance.now() - beganMs) / 1_000).toFixed(2)} s`
}
