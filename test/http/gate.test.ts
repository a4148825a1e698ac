import test from 'ava'
import type { Config } from '../../src/config/config.ts'
import { createGate } from '../../src/http/gate.ts'
import type { HttpReply, HttpRequest } from '../../src/http/route.ts'
import { requested } from '../kit/http.ts'

const config = {
  datacenter: 'dc1',
  http: {
    blockEndpoints: [],
    allowWriteHttpFrom: [],
    allowHosts: [],
    responseHeaders: {},
    disableUnprintableCharFilter: false,
    useCache: true,
  },
  limits: { httpMaxConnsPerClient: 0 },
} as unknown as Config
const gate = createGate(config)

function wrong(url: string, headers: HttpRequest['headers'] = {}, method = 'GET'): HttpReply | undefined {
  return gate.parametersWrong({ ...requested(method, url).request, headers })
}

test('endpoints that know namespaces refuse them, the others pass them over', (t) => {
  const text = 'Bad request: Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature'
  for (const path of [
    'kv/a',
    'catalog/services',
    'catalog/node/n',
    'health/state/any',
    'health/node/n',
    'agent/checks',
    'agent/connect/ca/leaf/web',
  ]) {
    t.deepEqual(wrong(`/v1/${path}?ns=x`), { status: 400, text }, path)
  }
  for (const path of ['catalog/nodes', 'status/leader', 'connect/ca/roots', 'agent/self']) t.is(wrong(`/v1/${path}?ns=x`), undefined, path)
  t.is(wrong('/v1/kv/a?ns='), undefined)
  t.deepEqual(wrong('/v1/kv/a', { 'x-consul-namespace': 'x' }), {
    status: 400,
    text: 'Bad request: Invalid header: "X-Consul-Namespace" - Namespaces are a Consul Enterprise feature',
  })
})

test('contradictions and values that are none are refused in the words of Consul', (t) => {
  const text = (url: string, headers: HttpRequest['headers'] = {}) => wrong(url, headers)?.text
  t.is(text('/v1/kv/a?stale&consistent'), 'Cannot specify ?stale with ?consistent, conflicting semantics.')
  t.is(text('/v1/kv/a?cached&consistent'), 'Cannot specify ?cached with ?consistent, conflicting semantics.')
  t.is(text('/v1/kv/a?max_stale=x'), 'Invalid max_stale value "x"')
  t.is(text('/v1/kv/a?max_stale=10s'), undefined)
  t.is(text('/v1/kv/a?max_stale=0s&consistent'), undefined)
  t.is(text('/v1/kv/a?max_stale=10s&consistent'), 'Cannot specify ?stale with ?consistent, conflicting semantics.')
  t.is(text('/v1/kv/a?max_stale=x&stale&consistent'), 'Invalid max_stale value "x"')
  t.is(text('/v1/agent/checks?max_stale=x&stale&consistent'), undefined, 'an agent has no other way to tell of itself')
  for (const header of ['max-age=x', 'max-age', 'must-revalidate, stale-if-error=1.5']) {
    t.is(text('/v1/kv/a', { 'cache-control': header }), 'Invalid Cache-Control header.', header)
  }
  for (const header of ['no-cache', 'max-age=0', 'MAX-AGE=5, must-revalidate', 'stale-if-error=10']) {
    t.is(text('/v1/kv/a', { 'cache-control': header }), undefined, header)
  }
})

test('without its cache an agent does not mind that it is asked for', (t) => {
  const uncached = createGate({ ...config, http: { ...config.http, useCache: false } })
  t.is(uncached.parametersWrong(requested('GET', '/v1/kv/a?cached&consistent').request), undefined)
})
