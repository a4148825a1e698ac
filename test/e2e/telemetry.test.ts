import { createSocket } from 'node:dgram'
import { request } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { startAgent } from '../kit/agents.ts'

test.serial('what is measured reaches Prometheus, statsd, statsite and DogStatsD, and the log whoever follows it', async (t) => {
  t.timeout(60_000)
  const [statsd, dogstatsd, statsite] = await Promise.all([packetTo(t), packetTo(t), linesTo(t)])
  const telemetry = {
    statsd_address: statsd.address,
    statsite_address: statsite.address,
    dogstatsd_addr: dogstatsd.address,
    dogstatsd_tags: ['env:test'],
    prometheus_retention_time: '1m',
    disable_hostname: true,
  }
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
  t.regex(await statsd.said, /^consul\.runtime\.num_goroutines:\d+\|g\n/)
  t.regex(await statsite.said, /^consul\.runtime\.num_goroutines:\d+\|g\n/)
  t.regex(await dogstatsd.said, /^consul\.runtime\.num_goroutines:\d+\|g\|#env:test\n/)
})

/** The first packet that comes to a port. */
async function packetTo(t: ExecutionContext): Promise<{ address: string; said: Promise<string> }> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  t.teardown(() => socket.close())
  const said = new Promise<string>((resolve) => socket.once('message', (message) => resolve(message.toString())))
  return { address: `127.0.0.1:${socket.address().port}`, said }
}

/** The first piece that comes over a connection to a port. */
async function linesTo(t: ExecutionContext): Promise<{ address: string; said: Promise<string> }> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const said = new Promise<string>((resolve) => {
    server.once('connection', (socket) => {
      socket.unref().once('data', (data: Buffer) => resolve(data.toString()))
      socket.on('error', () => socket.destroy())
    })
  })
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, said }
}
