import type { Row } from './benchmark.ts'
import { startAgent } from './kit/agent.ts'
import { done } from './kit/http.ts'
import { freePorts } from './kit/ports.ts'
import type { Stage } from './kit/stage.ts'
import { pause, untilTrue } from './kit/wait.ts'

const SIDECARS = 100
const CHANGES = 20
const READY_WITHIN_MS = 120_000
/** Between two changes. */
const REST_MS = 500

type Sidecar = { Service: string; Upstreams?: { HealthyInstances: number }[] }

/**
 * An instance of db goes into maintenance and comes back; 100 sidecars of one server have it as their upstream. What they know is read from
 * the agent again and again, so each time is up to one such question too long.
 */
export async function propagatedForReal(stage: Stage): Promise<Row> {
  const upstreamPorts = await freePorts(SIDECARS)
  const services = upstreamPorts.map((port, at) => ({
    name: `web-${at}`,
    port: 1,
    connect: { proxy: { config: { upstreams: [{ destination_name: 'db', local_bind_port: port }] } } },
  }))
  const config = {
    services: [{ name: 'db', port: 1, connect: { proxy: {} } }, ...services],
    connect: { enabled: true, proxy: { allow_managed_root: true } },
  }
  const agent = await startAgent(stage, { mode: 'server', config, proxyPorts: SIDECARS + 1 })
  /** The sidecars that know so many healthy instances of db. */
  const knowing = async (instances: number): Promise<string[]> => {
    const sidecars = JSON.parse((await done('GET', `${agent.url}/v1/tribune/proxies`)).text) as Sidecar[]
    return sidecars.filter(({ Upstreams: [db] = [] }) => db?.HealthyInstances === instances).map(({ Service }) => Service)
  }
  await untilTrue('each sidecar knows db', async () => (await knowing(1)).length === SIDECARS, READY_WITHIN_MS)
  const tookMs: number[] = []
  let questions = 0
  for (let change = 0; change < CHANGES; change++) {
    await pause(REST_MS)
    const known = new Set<string>()
    const beganMs = performance.now()
    await done('PUT', `${agent.url}/v1/agent/service/maintenance/db?enable=${change % 2 === 0}`)
    while (known.size < SIDECARS) {
      const names = await knowing(change % 2)
      questions++
      for (const name of names) {
        if (!known.has(name)) tookMs.push(performance.now() - beganMs)
        known.add(name)
      }
    }
  }
  const sorted = tookMs.toSorted((a, b) => a - b)
  const at = (part: number) => sorted[Math.ceil(part * sorted.length) - 1] ?? Number.NaN
  return {
    name: `  to ${SIDECARS} real sidecars of one server, p99`,
    ours: at(0.99),
    unit: 'ms',
    note: `p50 ${at(0.5).toFixed(1)}, longest ${at(1).toFixed(1)} ms from sending the request, over ${CHANGES} changes; looked at ${questions} times`,
  }
}
