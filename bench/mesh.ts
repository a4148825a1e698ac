import type { Benchmark } from './benchmark.ts'
import { makeAgent } from './kit/agent.ts'
import { ask } from './kit/http.ts'
import { measurePair, startBackend } from './kit/mesh-load.ts'
import { freePorts } from './kit/ports.ts'
import { untilTrue } from './kit/wait.ts'

export const mesh: Benchmark = {
  name: 'mesh',
  about: 'a service reached through both sidecars',
  needs: ['wrk', 'curl'],
  async run(stage) {
    const [webPort, dbPort, upstreamPort = 0] = (await freePorts(3)) as [number, number, number]
    await startBackend(stage, dbPort)
    const startMs = performance.now()
    const agent = await makeAgent(stage, {
      mode: 'dev',
      config: {
        services: [
          { name: 'db', port: dbPort, connect: { proxy: {} } },
          {
            name: 'web',
            port: webPort,
            connect: { proxy: { config: { upstreams: [{ destination_name: 'db', local_bind_port: upstreamPort }] } } },
          },
        ],
      },
    })
    const url = `http://127.0.0.1:${upstreamPort}/`
    await untilTrue(
      'a request passes through both sidecars',
      async () => (await ask('GET', url, undefined, { fresh: true })).status === 200,
    )
    const readySeconds = (performance.now() - startMs) / 1_000
    return [
      {
        name: 'mesh ready after start',
        ours: readySeconds,
        unit: 's',
        consul: 5,
        note: 'until a request has passed through both sidecars',
      },
      ...(await measurePair(stage, 'sidecar pair', agent, upstreamPort, dbPort, { requests: 22_000, connections: 640, gigabytes: 0.71 })),
    ]
  },
}
