import { createSecureServer } from 'node:http2'
import test from 'ava'
import { createSigner } from '../../net/signer.ts'
import { startAgent } from '../kit/agents.ts'
import { asking } from '../kit/asking.ts'
import { newLeaf, newRoot } from '../kit/authority.ts'
import { dockerEngine } from '../kit/docker-engine.ts'
import { grpcHealth } from '../kit/grpc-health.ts'
import { until } from '../kit/running.ts'
import { listening } from '../kit/servers.ts'

type Checks = Record<string, { Type: string; Status: string; Output: string }>

test('an agent looks at services of gRPC and HTTP/2 and into containers', async (t) => {
  t.timeout(60_000)
  const signer = asking(createSigner())
  const { certPem, keyPem } = await newLeaf(signer, await newRoot(signer), 'web')
  const grpc = `127.0.0.1:${await grpcHealth(t, { '': 1, down: 2 })}`
  const h2ping = `127.0.0.1:${await listening(t, createSecureServer({ cert: certPem, key: keyPem }))}`
  await dockerEngine(t, { warns: { output: 'so so\n', exitCode: 1 } })
  const checks = [
    { id: 'serves', grpc, interval: '1s' },
    { id: 'down', grpc: `${grpc}/down`, interval: '1s' },
    { id: 'ping', h2ping, tls_skip_verify: true, interval: '1s' },
    { id: 'box', docker_container_id: 'box', args: ['warns'], interval: '1s' },
  ]
  const agent = await startAgent(t, { files: { 'web.json': { enable_script_checks: true, service: { name: 'web', checks } } } })
  const seen = await until('all were looked at', () => agent.json<Checks>('/v1/agent/checks'), (found) => Object.values(found).every(({ Output }) => Output !== '')) // biome-ignore format: one line
  t.like(seen, {
    serves: { Type: 'grpc', Status: 'passing', Output: `gRPC check ${grpc}: success` },
    down: { Type: 'grpc', Status: 'critical', Output: `gRPC ${grpc}/down serving status: NOT_SERVING` },
    ping: { Type: 'h2ping', Status: 'passing', Output: 'HTTP2 ping was successful' },
    box: { Type: 'docker', Status: 'warning', Output: 'so so\n' },
  })
})
