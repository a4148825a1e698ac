import test from 'ava'
import { requested, settings } from '../kit/http.ts'
import { service } from '../kit/local.ts'

const TELEMETRY = { metrics_prefix: 'consul', statsd_address: 'agent:1', dogstatsd_addr: 'agent:2' }

test('GET /v1/agent/connect/proxy/:id: only the proxy itself sees where metrics of its agent go', async (t) => {
  const config = { upstreams: [], opaque: { telemetry: { statsd_address: 'own:1' } } }
  const proxy = { execMode: 'daemon' as const, command: ['their-proxy'], config }
  const definition = service({ id: 'web1', name: 'web', connect: { native: false, proxy } })
  const own = { statsd_address: 'own:1' }
  const shown = async (token: string, owner: string | undefined) => {
    const answers: Record<string, unknown> = {
      service: { service: { definition, origin: 'api' }, checks: [] },
      facts: { debugConfig: { BindAddr: '0.0.0.0' } },
      ownerOf: owner && { daemon: { id: owner, serviceId: 'web1', service: 'web', command: [] }, telemetry: TELEMETRY },
    }
    const { route, request } = requested('GET', '/v1/agent/connect/proxy/web1-proxy')
    if (!('run' in route)) throw new Error('it is run')
    const context = { settings, asked: (_to: unknown, name: string) => Promise.resolve(answers[name] ?? null) }
    const { json } = (await route.run({ ...request, token }, context as never)) as {
      json: { Command: string[]; Config: { telemetry: object } }
    }
    t.deepEqual(json.Command, ['their-proxy'])
    return json.Config.telemetry
  }
  t.deepEqual(await shown('secret', 'web1-proxy'), { dogstatsd_addr: 'agent:2', metrics_prefix: 'consul.proxy.web1', ...own })
  t.deepEqual(await shown('secret', 'other-proxy'), own)
  t.deepEqual(await shown('secret', undefined), own)
  t.deepEqual(await shown('', 'web1-proxy'), own)
})
