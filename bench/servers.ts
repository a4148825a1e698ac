import { loadavg } from 'node:os'
import { join } from 'node:path'
import type { Benchmark, Row } from './benchmark.ts'
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
  about: 'durably writing and reading keys on three servers that share an etcd of one member, all on this machine',
  needs: ['wrk', 'etcd'],
  async run(stage) {
    const [port = 0, peerPort = 0] = await freePorts(2)
    const [url, peerUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`]
    const etcd = stage.start('etcd', [
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
    const served = { pids: [...agents.flatMap(({ pids }) => pids), ...(etcd.pid === undefined ? [] : [etcd.pid])] }
    /** Asks this many of the servers, with all clients spread over them. */
    const row = async (name: string, asked: number, path: string, script?: string): Promise<Row> => {
      const connections = Math.ceil(CLIENTS / asked)
      const loads = await Promise.all(
        agents.slice(0, asked).map(({ url }) => wrk(stage, { url: `${url}${path}`, served, connections, ...(script && { script }) })),
      )
      const busy = `load average ${loadavg()[0]?.toFixed(1)}`
      const note = loads.length === 1 ? `${loads[0]?.note}; ${busy}` : `${connections} connections each; ${busy}`
      return { name: `${SERVERS} servers: ${name}`, ours: loads.reduce((sum, { perSecond }) => sum + perSecond, 0), unit: '/s', note }
    }
    return [
      await row(`KV PUT of ${VALUE_BYTES} bytes to one of them`, 1, '', PUT),
      await row('the same to all of them', SERVERS, '', PUT),
      await row('KV GET of one of them', 1, '/v1/kv/one'),
      await row('the same of all of them', SERVERS, '/v1/kv/one'),
      await row('KV GET ?stale of one of them', 1, '/v1/kv/one?stale'),
      await row('the same of two of them', 2, '/v1/kv/one?stale'),
      await row('the same of all of them', SERVERS, '/v1/kv/one?stale'),
    ]
  },
}
