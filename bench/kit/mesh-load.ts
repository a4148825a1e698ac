import type { Row } from '../benchmark.ts'
import type { Served } from './cost.ts'
import { ask } from './http.ts'
import { download, wrk } from './load.ts'
import type { Stage } from './stage.ts'
import { untilTrue } from './wait.ts'

const BYTES_PER_GB = 1e9
const CONNECTIONS = 32
const BACKEND = new URL('./backend.ts', import.meta.url).pathname

/** Starts the service behind everything and waits for it. */
export async function startBackend(stage: Stage, port: number): Promise<void> {
  stage.start(process.execPath, [BACKEND, String(port)], { stdio: 'inherit' })
  await untilTrue(`the service at port ${port} answers`, async () => (await ask('GET', `http://127.0.0.1:${port}/`)).status === 200)
}

/** The three figures of whatever passes connections from `port` on to the backend. */
export async function measurePair(
  stage: Stage,
  name: string,
  served: Served,
  port: number,
  consul: Partial<Record<'requests' | 'connections' | 'gigabytes', number>>,
): Promise<Row[]> {
  const url = `http://127.0.0.1:${port}/`
  const requests = await wrk(stage, { url, served, connections: CONNECTIONS })
  const connections = await wrk(stage, { url, served, connections: CONNECTIONS, headers: ['Connection: close'] })
  const bulk = await download(stage, served, `${url}stream`)
  return [
    { name: `${name}: requests`, ours: requests.perSecond, unit: '/s', ...figure(consul.requests), note: requests.note },
    { name: `${name}: new connections`, ours: connections.perSecond, unit: '/s', ...figure(consul.connections), note: connections.note },
    { name: `${name}: one download`, ours: bulk.perSecond / BYTES_PER_GB, unit: 'GB/s', ...figure(consul.gigabytes), note: bulk.note },
  ]
}

function figure(consul: number | undefined): { consul?: number } {
  return consul === undefined ? {} : { consul }
}
