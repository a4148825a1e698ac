import { join } from 'node:path'
import type { Benchmark } from './benchmark.ts'
import { startAgent } from './kit/agent.ts'
import { ask } from './kit/http.ts'
import { wrk } from './kit/load.ts'
import { freePorts } from './kit/ports.ts'
import { untilTrue } from './kit/wait.ts'

const SERVERS = 3
const CLIENTS = 32
const VALUE_BYTES = 100
const KEYS = 10_000

const PUT = `
local number = 0
local padding = string.rep("x", ${VALUE_BYTES})
function request()
  number = number + 1
  local value = string.sub(run .. "/" .. number .. padding, 1, ${VALUE_BYTES})
  return wrk.format("PUT", "/v1/kv/bench/" .. number % ${KEYS}, nil, value)
end
`

export const servers: Benchmark = {
  name: 'servers',
  about: 'durably writing keys to three servers that share an etcd of one member, all on this machine',
  needs: ['wrk', 'etcd'],
  async run(stage) {
    const [port = 0, peerPort = 0] = await freePorts(2)
    const [url, peerUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`]
    stage.start('etcd', [
      `--data-dir=${join(stage.directory, 'etcd')}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=default=${peerUrl}`,
    ])
    const flags = ['-log=etcd', `-etcd-endpoints=${url}`]
    const config = (number: number) => ({ node_name: `bench-${number}` })
    const agents = await Promise.all(
      Array.from({ length: SERVERS }, (_, number) => startAgent(stage, { mode: 'server', config: config(number), flags })),
    )
    const [first] = agents as [(typeof agents)[0]]
    await untilTrue('the servers write', async () => (await ask('PUT', `${first.url}/v1/kv/one`, 'x')).status === 200)
    const served = { pids: agents.flatMap(({ pids }) => pids) }
    const one = await wrk(stage, { url: first.url, served, connections: CLIENTS, script: PUT })
    const all = await Promise.all(
      agents.map(({ url }) => wrk(stage, { url, served, connections: Math.ceil(CLIENTS / SERVERS), script: PUT })),
    )
    const get = await wrk(stage, { url: `${first.url}/v1/kv/one`, served, connections: CLIENTS })
    const stale = await Promise.all(
      agents.map(({ url }) => wrk(stage, { url: `${url}/v1/kv/one?stale`, served, connections: Math.ceil(CLIENTS / SERVERS) })),
    )
    return [
      { name: `3 servers: KV PUT of ${VALUE_BYTES} bytes to one of them`, ours: one.perSecond, unit: '/s', note: one.note },
      { name: '3 servers: the same to all of them', ours: all.reduce((sum, { perSecond }) => sum + perSecond, 0), unit: '/s', note: '' },
      { name: '3 servers: KV GET', ours: get.perSecond, unit: '/s', note: get.note },
      {
        name: '3 servers: KV GET ?stale of all of them',
        ours: stale.reduce((sum, { perSecond }) => sum + perSecond, 0),
        unit: '/s',
        note: '',
      },
    ]
  },
}
