import type { Benchmark } from './benchmark.ts'
import { startAgent } from './kit/agent.ts'
import { ask } from './kit/http.ts'
import { wrk } from './kit/load.ts'
import { untilTrue } from './kit/wait.ts'

const CLIENTS = 32

/** Every other request takes a key for a session that was made before. */
const LOCK = `
local number = 0
local sessions = {}
function request()
  local session = table.remove(sessions)
  if session == nil then return wrk.format("PUT", "/v1/session/create", nil, '{"TTL":"1h"}') end
  number = number + 1
  return wrk.format("PUT", "/v1/kv/lock/" .. run .. "-" .. number .. "?acquire=" .. session, nil, "x")
end
function response(status, headers, body)
  local session = string.match(body, '"ID": *"([^"]*)"')
  if session ~= nil then table.insert(sessions, session) end
end
`

export const sessions: Benchmark = {
  name: 'sessions',
  about: 'making sessions and taking locks with them',
  needs: ['wrk'],
  async run(stage) {
    const agent = await startAgent(stage, { mode: 'server' })
    await untilTrue('a session can be made', async () => (await ask('PUT', `${agent.url}/v1/session/create`)).status === 200)
    const { perSecond, note } = await wrk(stage, { url: agent.url, served: agent, connections: CLIENTS, script: LOCK })
    return [{ name: 'session made and a lock taken with it, durable', ours: perSecond / 2, unit: '/s', note: `two requests each; ${note}` }]
  },
}
