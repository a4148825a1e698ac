import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Agent, agentPorts, ask, startAgent, writeFiles } from '../kit/agents.ts'
import { freePorts } from '../kit/free-ports.ts'
import { installed } from '../kit/installed.ts'
import { startProgram, until } from '../kit/running.ts'
import { listening } from '../kit/servers.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'

// Two programs that read the same configuration. Both follow services by blocking queries.

const VICTORIA = installed('victoria-metrics')
const PROMETHEUS = prometheusWithCatalog()

type Target = { health: string; labels: Record<string, string>; discoveredLabels: Record<string, string> }
type Scene = { agent: Agent; port: number; metricsPort: number; folder: string }

async function scene(t: ExecutionContext): Promise<Scene> {
  t.timeout(120_000)
  const metrics = createServer((_request, response) => response.end('cups_total 42\n'))
  const metricsPort = await listening(t, metrics)
  t.teardown(() => metrics.closeAllConnections())
  const free = await freePorts()
  const port = free.next()
  const agent = await startAgent(t, { args: ['-dev', '-node', 'n1'], ports: agentPorts(free) })
  return { agent, port, metricsPort, folder: temporaryDirectory(t) }
}

async function followed(t: ExecutionContext, { agent, port, metricsPort }: Scene): Promise<void> {
  const api = async (path: string) => JSON.parse((await ask(`http://127.0.0.1:${port}/api/v1/${path}`)).text).data
  const targets = async (): Promise<Target[]> => (await api('targets?state=active')).activeTargets
  const web = { name: 'web', id: 'web1', port: metricsPort, address: '127.0.0.1', tags: ['v1', 'eu'], meta: { team: 'tea' } }
  t.is((await agent.http('PUT', '/v1/agent/service/register', { ...web, check: { ttl: '10m', status: 'passing' } })).status, 200)

  const [target] = await until('the service is scraped', targets, (found) => found.length === 1 && found[0]?.health === 'up')
  t.like(target?.labels, { instance: `127.0.0.1:${metricsPort}`, job: 'web', node: 'n1', team: 'tea', health: 'passing' })
  t.like(target?.discoveredLabels, {
    __meta_consul_address: '127.0.0.1',
    __meta_consul_dc: 'dc1',
    __meta_consul_service_id: 'web1',
    __meta_consul_service_port: String(metricsPort),
    __meta_consul_tags: ',v1,eu,',
  })
  await agent.http('PUT', '/v1/agent/service/register', { ...web, id: 'web2', tags: [] })
  await until('another instance is found', targets, (found) => found.length === 2)
  await agent.http('PUT', '/v1/agent/check/fail/service:web1')
  await until('its health is followed', targets, (found) => found.some(({ labels }) => labels.health === 'critical'))
  await agent.http('PUT', '/v1/agent/service/deregister/web1')
  await agent.http('PUT', '/v1/agent/service/deregister/web2')
  await until('both are gone', targets, (found) => found.length === 0)
}

test.serial(VICTORIA ? 'VictoriaMetrics finds what it is to scrape, and loses it again' : 'VictoriaMetrics is not installed', async (t) => {
  if (!VICTORIA) return t.pass()
  const world = await scene(t)
  const { agent, port, folder } = world
  writeFiles(folder, { 'scrape.yml': configuration(agent.address) })
  const flags = [`-promscrape.config=${join(folder, 'scrape.yml')}`, '-promscrape.consulSDCheckInterval=1s']
  const where = [`-storageDataPath=${join(folder, 'data')}`, `-httpListenAddr=127.0.0.1:${port}`]
  startProgram(t, 'victoria-metrics', VICTORIA, [...flags, ...where], { cwd: folder })
  await followed(t, world)
})

test.serial(
  PROMETHEUS ? 'Prometheus finds what it is to scrape, and loses it again' : 'Prometheus with `consul_sd_configs` is not installed',
  async (t) => {
    if (!PROMETHEUS) return t.pass()
    const world = await scene(t)
    const { agent, port, folder } = world
    writeFiles(folder, { 'prometheus.yml': configuration(agent.address) })
    const flags = [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`]
    startProgram(t, 'prometheus', PROMETHEUS, [...flags, `--web.listen-address=127.0.0.1:${port}`], { cwd: folder })
    await followed(t, world)
  },
)

/** Debian builds Prometheus without `consul_sd_configs`, and its checker refuses them then. */
function prometheusWithCatalog(): string | undefined {
  const checker = installed('promtool')
  const file = join(temporaryDirectory(), 'prometheus.yml')
  writeFileSync(file, configuration('127.0.0.1:1'))
  return checker && spawnSync(checker, ['check', 'config', file]).status === 0 ? installed('prometheus') : undefined
}

function configuration(agent: string): string {
  return `
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: everything
    consul_sd_configs: [{ server: '${agent}' }]
    relabel_configs:
      - { source_labels: [__meta_consul_service], regex: consul, action: drop }
      - { source_labels: [__meta_consul_service], target_label: job }
      - { source_labels: [__meta_consul_node], target_label: node }
      - { source_labels: [__meta_consul_health], target_label: health }
      - { source_labels: [__meta_consul_service_id], target_label: id }
      - { regex: __meta_consul_service_metadata_(.+), action: labelmap }
`
}
