import type { Benchmark, Row } from './benchmark.ts'
import { type Agent, startAgent } from './kit/agent.ts'
import { done } from './kit/http.ts'
import { residentMb } from './kit/process.ts'
import { blockedGet, openReader, put, type Reader } from './kit/reader.ts'
import type { Stage } from './kit/stage.ts'
import { pause } from './kit/wait.ts'

const READERS = 10_000
const OPENED_AT_ONCE = 200
/** For all of them to be taken in, and for what their requests left behind to be collected. */
const PARKED_MS = 3_000

export const readers: Benchmark = {
  name: 'readers',
  about: `${READERS} blocked readers, on one prefix and on a key each`,
  needs: [],
  async run(stage) {
    const agent = await startAgent(stage, { mode: 'server', config: { limits: { http_max_conns_per_client: READERS * 2 } } })
    await done('PUT', `${agent.url}/v1/kv/many/0`, '0')
    const connections = await opened(stage, agent)
    const idleMb = residentMb(agent)
    const prefix = await blocked(agent, connections, () => '/v1/kv/many/?recurse')
    const keys = await blocked(agent, connections, (reader) => `/v1/kv/many/${reader}`)
    const perReader = (row: Blocked) =>
      `${(((row.heldMb - idleMb) * 1_024) / READERS).toFixed(1)} KB more for each than its idle connection`
    const rows: Row[] = [
      {
        name: `${READERS} readers of one prefix woken`,
        ours: prefix.wokenMs,
        unit: 'ms',
        note: `from sending the PUT to the last answer; ${perReader(prefix)}`,
      },
      {
        name: `${READERS} readers of a key each: one woken`,
        ours: keys.wokenMs,
        unit: 'ms',
        note: `the others sleep on; ${perReader(keys)}`,
      },
      {
        name: `memory with ${READERS} blocked readers`,
        ours: prefix.heldMb,
        unit: 'MB',
        note: `${idleMb.toFixed(0)} MB with their idle connections`,
      },
    ]
    return rows
  },
}

type Blocked = { wokenMs: number; heldMb: number }

/** Blocks all readers, changes one key and waits for whoever is concerned. */
async function blocked(agent: Agent, connections: readonly Reader[], pathOf: (reader: number) => string): Promise<Blocked> {
  const { index } = await done('GET', `${agent.url}/v1/kv/many/0`)
  const answers = connections.map((reader, number) => reader.ask(blockedGet(pathOf(number), index)))
  await pause(PARKED_MS)
  const heldMb = residentMb(agent)
  const concerned = answers.filter((_answer, number) => pathOf(number).endsWith('recurse') || number === 0)
  const startMs = performance.now()
  await done('PUT', `${agent.url}/v1/kv/many/0`, String(index))
  const heard = await Promise.all(concerned)
  return { wokenMs: Math.max(...heard.map(({ atMs }) => atMs)) - startMs, heldMb }
}

async function opened(stage: Stage, agent: Agent): Promise<Reader[]> {
  const connections: Reader[] = []
  stage.atEnd(() => {
    for (const reader of connections) reader.close()
  })
  while (connections.length < READERS)
    connections.push(...(await Promise.all(Array.from({ length: OPENED_AT_ONCE }, () => openReader(agent)))))
  // A connection that was never used holds less than one that waits for its next request.
  await Promise.all(connections.map((reader) => reader.ask(put('/v1/kv/warm', ''))))
  await pause(PARKED_MS)
  return connections
}
