import { createSocket } from 'node:dgram'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'ava'
import { startAgent } from '../kit/agents.ts'

test.serial('what is measured reaches Prometheus and statsd, and the log whoever follows it', async (t) => {
  t.timeout(60_000)
  const statsd = createSocket('udp4')
  await new Promise<void>((resolve) => statsd.bind(0, '127.0.0.1', resolve))
  t.teardown(() => statsd.close())
  const packet = new Promise<string>((resolve) => statsd.once('message', (message) => resolve(message.toString())))
  const { port } = statsd.address() as AddressInfo
  const telemetry = { statsd_address: `127.0.0.1:${port}`, prometheus_retention_time: '1m', disable_hostname: true }
  const agent = await startAgent(t, { files: { 'telemetry.json': { telemetry } } })
  for (let at = 0; at < 3; at++) await agent.http('PUT', `/v1/kv/k${at}`, 'x')

  const { text } = await agent.http('GET', '/v1/agent/metrics?format=prometheus')
  t.regex(text, /^consul_api_http_count\{method="PUT",path="v1\.kv\._"\} 3$/m)
  t.regex(text, /^consul_consul_state_kv_entries\{datacenter="dc1"\} 3$/m)

  const line = new Promise<string>((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: agent.ports.http, path: '/v1/agent/monitor' }, (reply) => {
      reply.once('data', (data: Buffer) => {
        resolve(data.toString())
        asked.destroy()
      })
      agent.http('PUT', '/v1/agent/reload').catch(reject)
    })
    asked.on('error', reject)
    asked.end()
  })
  t.regex(await line, /\[INFO\] {2}agent: Reloading configuration\.\.\.\n/)
  t.regex(await packet, /^consul\.runtime\.num_goroutines:\d+\|g\n/)
})
