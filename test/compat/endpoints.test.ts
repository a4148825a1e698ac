import test from 'ava'
import { startAgent } from '../kit/agents.ts'

const NO_ACL = { status: 401, text: 'ACL support disabled' }

/** What clients ask of every agent to find out what it can do. */
const WITHOUT_ACL = [
  'PUT /v1/acl/bootstrap',
  'GET /v1/acl/replication',
  'POST /v1/acl/login',
  'POST /v1/acl/logout',
  'GET /v1/acl/tokens',
  'PUT /v1/acl/token',
  'GET /v1/acl/token/self',
  'DELETE /v1/acl/token/x',
  'PUT /v1/acl/token/x/clone',
  'GET /v1/acl/policies',
  'PUT /v1/acl/policy',
  'GET /v1/acl/policy/name/x',
  'GET /v1/acl/roles',
  'PUT /v1/acl/role',
  'GET /v1/acl/role/x',
  'GET /v1/acl/auth-methods',
  'PUT /v1/acl/auth-method',
  'DELETE /v1/acl/auth-method/x',
  'GET /v1/acl/binding-rules',
  'PUT /v1/acl/binding-rule',
  'GET /v1/acl/binding-rule/x',
  'POST /v1/acl/rules/translate',
  'GET /v1/acl/rules/translate/x',
  'PUT /v1/acl/create',
  'PUT /v1/acl/update',
  'PUT /v1/acl/destroy/x',
  'GET /v1/acl/info/x',
  'PUT /v1/acl/clone/x',
  'GET /v1/acl/list',
  'POST /v1/internal/acl/authorize',
]

const NOT_THERE = ['GET /v1/internal/ui/services', 'GET /v1/operator/area', 'GET /v1/namespaces']

test('what a whole agent answers where other tests do not ask', async (t) => {
  t.timeout(60_000)
  const agent = await startAgent(t, { args: ['-dev', '-node', 'n1'] })
  const ask = (name: string, body?: object) => {
    const [method = '', path = ''] = name.split(' ')
    return agent.http(method, path, body)
  }
  for (const name of WITHOUT_ACL) {
    const { status, text } = await ask(name)
    t.deepEqual({ status, text }, NO_ACL, name)
  }
  for (const name of NOT_THERE) t.is((await ask(name)).status, 404, name)

  const host = await agent.json<object>('/v1/agent/host')
  t.deepEqual(Object.keys(host).sort(), ['CPU', 'CollectionTime', 'Disk', 'Errors', 'Host', 'Memory'])
  t.like(await agent.json('/v1/operator/autopilot/health'), { Healthy: true, FailureTolerance: 0, Servers: { length: 1 } })
  t.is((await ask('PUT /v1/agent/check/register', { Name: 'x', TTL: '1m' })).status, 200)
  t.is((await ask('PUT /v1/agent/check/deregister/x')).status, 200)
  t.deepEqual(await agent.json('/v1/agent/checks'), {})
  t.is((await ask('GET /v1/tribune/proxies')).status, 200)
})
