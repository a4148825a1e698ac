import test from 'ava'
import type { HttpConfig } from '../../src/config/config.ts'
import { createBrowserGate } from '../../src/http/browsers.ts'
import type { HttpRequest } from '../../src/http/route.ts'

function refusedBy(
  config: { allowHosts?: string[]; responseHeaders?: Record<string, string> },
  headers: HttpRequest['headers'],
  method = 'POST',
) {
  const http = { allowHosts: [], responseHeaders: {}, ...config } as unknown as HttpConfig
  return createBrowserGate(http)({ method, headers })?.text
}

const HOST = '127.0.0.1:8500'
const EVIL = 'http://evil.example'

test('a web page of another site cannot have its reader’s browser write here', (t) => {
  const refused = 'A web page of "http://evil.example" may not write here'
  for (const type of [
    undefined,
    'text/plain',
    'Text/Plain;charset=UTF-8',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
  ]) {
    t.is(refusedBy({}, { host: HOST, origin: EVIL, ...(type !== undefined && { 'content-type': type }) }), refused, type)
  }
  t.is(refusedBy({}, { host: HOST, origin: 'null' }), 'A web page of "null" may not write here')
  t.is(refusedBy({ responseHeaders: { 'access-control-allow-origin': 'https://good.example' } }, { host: HOST, origin: EVIL }), refused)
})

test('everybody else may: programs, pages of the same place, what a browser asks for before, and pages that the operator lets in', (t) => {
  t.is(refusedBy({}, { host: HOST }), undefined)
  t.is(refusedBy({}, { host: 'consul.example', origin: 'https://Consul.example' }), undefined)
  t.is(refusedBy({}, { host: HOST, origin: EVIL, 'content-type': 'application/json' }), undefined)
  for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) t.is(refusedBy({}, { host: HOST, origin: EVIL }, method), undefined, method)
  for (const opened of ['*', EVIL]) {
    t.is(refusedBy({ responseHeaders: { 'Access-Control-Allow-Origin': opened } }, { host: HOST, origin: EVIL }), undefined)
  }
})

test('with allow_hosts a name that somebody points at this agent leads nowhere; addresses and own names do', (t) => {
  const config = { allowHosts: ['Consul.Internal'] }
  for (const host of [
    '127.0.0.1',
    '127.0.0.1:8500',
    '[::1]:8500',
    'localhost:8500',
    'LOCALHOST',
    'consul.internal:8500',
    'consul.internal.',
    undefined,
  ]) {
    t.is(refusedBy(config, { ...(host !== undefined && { host }) }, 'GET'), undefined, host)
  }
  for (const host of [
    'evil.example:8500',
    '127.0.0.1.evil.example',
    'consul.internal.evil.example',
    'localhost.evil',
    '[evil]',
    ' localhost',
    '127.1',
  ]) {
    t.is(refusedBy(config, { host }, 'GET'), `Host ${JSON.stringify(host)} is not allowed by http_config.allow_hosts`)
  }
  t.is(refusedBy({}, { host: 'evil.example' }, 'GET'), undefined)
})
