import { execFileSync } from 'node:child_process'
import type { Row } from '../benchmark.ts'
import type { Served } from './cost.ts'
import { hold } from './hold.ts'
import { ask } from './http.ts'
import { download, wrk } from './load.ts'
import { residentMb } from './process.ts'
import type { Stage } from './stage.ts'
import { pause, untilTrue } from './wait.ts'

const BYTES_PER_GB = 1e9
const CONNECTIONS = 32
const HELD_MAX = 10_000
/** Until the end of all these connections is no load any more. */
const SETTLED_MS = 3_000
const OTHER_FILES = 1_000
const BACKEND = new URL('./backend.ts', import.meta.url).pathname

/** Starts the service behind everything and waits for it. */
export async function startBackend(stage: Stage, port: number): Promise<void> {
  stage.start(process.execPath, [BACKEND, String(port)], { stdio: 'inherit' })
  await untilTrue(`the service at port ${port} answers`, async () => (await ask('GET', `http://127.0.0.1:${port}/`)).status === 200)
}

/** The figures of whatever passes connections from `port` on to the backend at `backendPort`. */
export async function measurePair(
  stage: Stage,
  name: string,
  served: Served,
  port: number,
  backendPort: number,
  consul: Partial<Record<'requests' | 'connections' | 'gigabytes', number>>,
): Promise<Row[]> {
  const url = `http://127.0.0.1:${port}/`
  // First, while nothing has made room yet that could be used again.
  const count = connectionsToHold()
  const beforeMb = residentMb(served)
  const held = await hold(port, count)
  const heldMb = residentMb(served) - beforeMb
  await held.ask(count - 1)
  held.close()
  await pause(SETTLED_MS)
  const requests = await wrk(stage, { url, served, connections: CONNECTIONS })
  const connections = await wrk(stage, { url, served, connections: CONNECTIONS, headers: ['Connection: close'] })
  const bulk = await download(stage, served, `${url}stream`)
  const one = await wrk(stage, { url, served, connections: 1 })
  const direct = await wrk(stage, { url: `http://127.0.0.1:${backendPort}/`, served, connections: 1 })
  return [
    { name: `${name}: requests`, ours: requests.perSecond, unit: '/s', ...figure(consul.requests), note: requests.note },
    { name: `${name}: new connections`, ours: connections.perSecond, unit: '/s', ...figure(consul.connections), note: connections.note },
    { name: `${name}: one download`, ours: bulk.perSecond / BYTES_PER_GB, unit: 'GB/s', ...figure(consul.gigabytes), note: bulk.note },
    {
      name: `${name}: added to a request`,
      ours: one.medianMs - direct.medianMs,
      unit: 'ms',
      note: `one connection; half of all within ${one.medianMs.toFixed(3)} ms, ${direct.medianMs.toFixed(3)} ms without`,
    },
    {
      name: `${name}: ${count.toLocaleString('en')} idle`,
      ours: heldMb,
      unit: 'MB',
      note: `connections held, ${((heldMb * 1_024) / count).toFixed(1)} KB of memory each`,
    },
  ]
}

/** An agent with both sidecars opens two files for each, and has some of its own. */
function connectionsToHold(): number {
  const filesMax = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }))
  return Math.min(HELD_MAX, Math.floor((filesMax - OTHER_FILES) / 2)) || HELD_MAX
}

function figure(consul: number | undefined): { consul?: number } {
  return consul === undefined ? {} : { consul }
}
