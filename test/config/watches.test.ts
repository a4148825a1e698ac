import test from 'ava'
import { configOf, loaded, refusalOf } from './kit.ts'

const SCRIPT = { kind: 'script', args: ['a', 'b'] } as const

function watchesOf(t: Parameters<typeof configOf>[0], text: string) {
  return configOf(t, ['-dev', '-config-file', 'w.hcl'], { 'w.hcl': text }).watches
}

test('watches of all files, each with its question and its handler', (t) => {
  const watches = watchesOf(
    t,
    `watches = [
      { type = "key" key = "a" args = ["a", "b"] token = "t" datacenter = "dc2" stale = true },
      { type = "keyprefix" prefix = "a/" handler = "echo \\"$CONSUL_INDEX\\" | cat" },
      { type = "service" service = "web" tag = "x" handler_type = "script" args = ["a", "b"] },
      { type = "service" service = "web" tag = ["x", "y"] passingonly = true args = ["a", "b"] },
      { type = "checks" args = ["a", "b"] },
      { type = "checks" state = "critical" args = ["a", "b"] },
      { type = "event" handler_type = "http" http_handler_config { path = "http://h/" } },
      { type = "nodes" handler_type = "http" http_handler_config { path = "https://h/" method = "PUT" timeout = "3s" header { A = ["1"] } tls_skip_verify = true } },
      { type = "connect_leaf" service = "web" args = ["a", "b"] },
      { type = "agent_service" service_id = "web-1" args = ["a", "b"] },
      { type = "connect_proxy_config" proxy_service_id = "web-proxy" args = ["a", "b"] }
    ]`,
  )
  t.deepEqual(
    watches.map(({ question }) => question),
    [
      { type: 'key', key: 'a' },
      { type: 'keyprefix', prefix: 'a/' },
      { type: 'service', service: 'web', tags: ['x'], passingOnly: false },
      { type: 'service', service: 'web', tags: ['x', 'y'], passingOnly: true },
      { type: 'checks', service: '', state: '' },
      { type: 'checks', service: '', state: 'critical' },
      { type: 'event', name: '' },
      { type: 'nodes' },
      { type: 'connect_leaf', service: 'web' },
      { type: 'agent_service', serviceId: 'web-1' },
      { type: 'connect_proxy_config', proxyServiceId: 'web-proxy' },
    ],
  )
  t.like(watches[0], { datacenter: 'dc2', token: 't', stale: true, handler: SCRIPT })
  t.like(watches[2], { datacenter: '', token: '', stale: false, handler: SCRIPT })
  const http = { kind: 'http', url: 'http://h/', method: 'POST', headers: {}, timeoutMs: 10_000, tlsSkipVerify: false } as const
  t.deepEqual(watches[1]?.handler, { kind: 'script', args: ['/bin/sh', '-c', 'echo "$CONSUL_INDEX" | cat'] })
  t.deepEqual(watches[6]?.handler, http)
  t.deepEqual(watches[7]?.handler, {
    ...http,
    url: 'https://h/',
    method: 'PUT',
    headers: { A: ['1'] },
    timeoutMs: 3_000,
    tlsSkipVerify: true,
  })
})

const WRONG: [watch: string, why: string][] = [
  ['args = ["x"]', 'Watch type must be specified'],
  ['type = "foo" args = ["x"]', 'Unsupported watch type: foo'],
  ['type = "key" args = ["x"]', 'Must specify a single key to watch'],
  ['type = "keyprefix" args = ["x"]', 'Must specify a single prefix to watch'],
  ['type = "service" args = ["x"]', 'Must specify a single service to watch'],
  ['type = "connect_leaf" args = ["x"]', 'Must specify a single service to watch'],
  ['type = "service" service = "a" tag = [1] args = ["x"]', 'tag must be a string or a list of strings'],
  ['type = "checks" service = "a" state = "any" args = ["x"]', 'Cannot specify service and state'],
  ['type = "agent_service" args = ["x"]', 'Must specify a single service ID to watch'],
  ['type = "connect_proxy_config" args = ["x"]', 'Must specify a single proxy service ID to watch'],
  ['type = "nodes" key = "a" args = ["x"]', 'Invalid parameters: [key]'],
  ['type = "nodes"', 'Must define a watch handler'],
  ['type = "nodes" args = ["x"] handler = "x"', 'Only one watch handler allowed'],
  ['type = "nodes" handler_type = "http" args = ["x"]', 'Only one watch handler allowed'],
  ['type = "nodes" handler_type = "http"', "http_handler_config: Requires 'path' to be set"],
  ['type = "nodes" handler_type = "mail" args = ["x"]', "Handler type 'mail' not recognized"],
]
for (const [watch, why] of WRONG) {
  test(`a watch with ${watch} keeps an agent from running`, (t) => {
    t.is(refusalOf('w.hcl', `watches = [{ ${watch} }]`), `Failed to parse watch: ${why} (w.hcl:1)`)
  })
}

test('the old form of a handler works and is warned of', (t) => {
  const result = loaded(['-dev', '-config-file', 'w.hcl'], { 'w.hcl': 'watches = [{ type = "nodes" handler = "true" }]' })
  t.like(typeof result === 'string' ? {} : result, { warnings: ["watches: 'handler' is deprecated, use 'args' (w.hcl:1)"] })
})
